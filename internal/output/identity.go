package output

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/identity"
)

const (
	// IdentitySecret is the Secret of the installation's identity key, in the operator's namespace.
	IdentitySecret = "smile-operator-identity"

	identityKey   = "key"
	conflictRetry = 5 * time.Minute
)

// Identity reads the installation's identity key, and generates it on the very first start. The Secret is meant
// to be backed up, and to be shared between clusters that are to know the same persons.
func Identity(ctx context.Context, live client.Client, namespace string) (identity.Key, error) {
	stored := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: IdentitySecret}}
	err := live.Get(ctx, client.ObjectKeyFromObject(stored), stored)
	if apierrors.IsNotFound(err) {
		key, raw := identity.NewKey()
		stored.Data = map[string][]byte{identityKey: raw}
		err = live.Create(ctx, stored)
		if err == nil {
			return key, nil
		}
		if apierrors.IsAlreadyExists(err) {
			return Identity(ctx, live, namespace)
		}
	}
	if err != nil {
		return identity.Key{}, fmt.Errorf("identity Secret %s/%s: %w", namespace, IdentitySecret, err)
	}
	key, err := identity.ParseKey(stored.Data[identityKey])
	if err != nil {
		return identity.Key{}, fmt.Errorf("identity Secret %s/%s, key %q: %w", namespace, IdentitySecret, identityKey, err)
	}
	return key, nil
}
