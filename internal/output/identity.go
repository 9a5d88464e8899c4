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

// IdentityOptions says where the identity key is kept and when a new one may be generated.
type IdentityOptions struct {
	// Namespace of the operator, which holds the Secret.
	Namespace string
	// Watched selects the objects that the operator reconciles.
	Watched Watched
	// New permits a new key although an earlier one existed. A key that is stored is used in any case.
	New bool
}

// Identity reads the installation's identity key, and generates it on the first start. A key that existed and is gone is not
// replaced unless the options permit it: with another key the operator does not recognize its own users at Smile, and creates
// each of them a second time. Back up the Secret, and share it between clusters that manage the same users.
func Identity(ctx context.Context, live client.Client, options IdentityOptions) (identity.Key, error) {
	key, err := storedIdentity(ctx, live, options.Namespace)
	if !apierrors.IsNotFound(err) {
		return key, err
	}
	if !options.New {
		user, err := options.Watched.keyUser(ctx, live)
		if err != nil {
			return identity.Key{}, err
		}
		if user != "" {
			return afterEvidence(ctx, live, options.Namespace, user)
		}
	}
	return generateIdentity(ctx, live, options.Namespace)
}

// afterEvidence reads the key again: another replica may have generated the first one, and used it, since it was
// found missing.
func afterEvidence(ctx context.Context, live client.Client, namespace, user string) (identity.Key, error) {
	key, err := storedIdentity(ctx, live, namespace)
	if !apierrors.IsNotFound(err) {
		return key, err
	}
	return identity.Key{}, fmt.Errorf("the Secret %s/%s with the identity key does not exist, but the status of %s shows that "+
		"there was one: restore the Secret from a backup. If the key is lost, --new-identity-key generates another; "+
		"re-created objects then do not find their users, and create a second user at Smile",
		namespace, IdentitySecret, user)
}

// readIdentity reads what the identity Secret holds as the key.
func readIdentity(ctx context.Context, live client.Reader, namespace string) ([]byte, error) {
	stored := new(corev1.Secret)
	if err := live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: IdentitySecret}, stored); err != nil {
		return nil, fmt.Errorf("identity Secret %s/%s: %w", namespace, IdentitySecret, err)
	}
	return stored.Data[identityKey], nil
}

func storedIdentity(ctx context.Context, live client.Reader, namespace string) (identity.Key, error) {
	stored, err := readIdentity(ctx, live, namespace)
	if err != nil {
		return identity.Key{}, err
	}
	key, err := identity.ParseKey(stored)
	if err != nil {
		return identity.Key{}, fmt.Errorf("identity Secret %s/%s, key %q: %w: restore the Secret from a backup; "+
			"if the key is lost, delete the Secret and start the operator with --new-identity-key",
			namespace, IdentitySecret, identityKey, err)
	}
	return key, nil
}

// kept makes Argo CD neither prune the identity Secret nor delete it with an Application, nor report that Git does not have it.
var kept = map[string]string{
	"argocd.argoproj.io/sync-options":    "Prune=false,Delete=false",
	"argocd.argoproj.io/compare-options": "IgnoreExtraneous",
}

// generateIdentity stores a new key. Of several processes that do so at once one succeeds, and all use its key.
func generateIdentity(ctx context.Context, live client.Client, namespace string) (identity.Key, error) {
	key, raw := identity.NewKey()
	err := live.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: IdentitySecret, Annotations: kept},
		Data:       map[string][]byte{identityKey: raw},
	})
	if apierrors.IsAlreadyExists(err) {
		return storedIdentity(ctx, live, namespace)
	}
	if err != nil {
		return identity.Key{}, fmt.Errorf("identity Secret %s/%s: %w", namespace, IdentitySecret, err)
	}
	return key, nil
}
