// Package secretuse reads the Secrets that specs name, and checks what their values may be used for. A value leaves the
// cluster, or is compared, only if the Secret itself permits it. Otherwise a user who may write the operator's objects could
// extract the values of Secrets that the user may not read.
package secretuse

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// Use is what a value of a Secret is used for, as the annotation smile-operator.io/use spells it.
type Use string

// The uses.
const (
	// Credentials are sent to Smile as a key pair.
	Credentials Use = "credentials"
	// WebhookSecret is registered at Smile, where every holder of the API key can read it.
	WebhookSecret Use = "webhook-secret"
	// Subjects are business keys. A keyed digest of the value is sent to Smile, and the status shows whether two are equal.
	Subjects Use = "subjects"
)

// Recheck is how often a Secret that is missing, or must not be used, is read again: Secrets are not watched.
const Recheck = 30 * time.Second

// Permitted reports whether the annotations of a Secret permit a use of its values.
func Permitted(annotations map[string]string, use Use) bool {
	for entry := range strings.SplitSeq(annotations[v1alpha1.AnnotationUse], ",") {
		if named := Use(strings.TrimSpace(entry)); named != "" && named == use {
			return true
		}
	}
	return false
}

// Reference is a Secret that a field of a spec names, and the use of its values.
type Reference struct {
	Namespace, Name string
	// Field that names the Secret, such as spec.secretRef.
	Field string
	Use   Use
}

// Read reads the Secret with a reader that does not cache. A Secret that does not exist is the problem SecretNotFound. It does
// not check whether the values may be used.
func (r Reference) Read(ctx context.Context, live client.Reader) (*corev1.Secret, error) {
	secret := new(corev1.Secret)
	err := live.Get(ctx, r.Key(), secret)
	if apierrors.IsNotFound(err) {
		return nil, problem.NewInvalid(v1alpha1.ReasonSecretNotFound,
			fmt.Sprintf("the Secret %q that %s names does not exist in this namespace", r.Name, r.Field)).After(Recheck)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the Secret that %s names: %w", r.Field, err)
	}
	return secret, nil
}

// Key is the namespace and name of the Secret.
func (r Reference) Key() types.NamespacedName {
	return types.NamespacedName{Namespace: r.Namespace, Name: r.Name}
}

// Refusal is the problem of a Secret that does not permit the use. It is the same whatever the Secret holds.
func (r Reference) Refusal() *problem.Problem {
	return problem.NewInvalid(v1alpha1.ReasonSecretUseNotPermitted, r.missing()+"; its values are not used").After(Recheck)
}

// Warning is the message about a Secret that does not permit the use, where the use began before permission was required and
// continues.
func (r Reference) Warning() string {
	return r.missing() + ". What already exists continues to work, but anything new is refused"
}

func (r Reference) missing() string {
	return fmt.Sprintf("%s: the Secret %q does not permit this use: annotate it with %s: %s",
		r.Field, r.Name, v1alpha1.AnnotationUse, r.Use)
}
