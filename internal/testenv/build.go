package testenv

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// Names that the builders use by default.
const (
	KeysName       = "keys"
	ConnectionName = "smile"
	UserName       = "george"
	SyncName       = "george-sync"
	DataName       = "george-data"
	TokenName      = "george-token"
)

// Keys is a Secret with a key pair.
func Keys(name string, pair sandbox.KeyPair) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		StringData: map[string]string{"apiKey": pair.Key, "apiSecret": pair.Secret},
	}
}

// Permitting annotates a Secret with the permitted uses of its values; several are separated by commas.
func Permitting(secret *corev1.Secret, uses string) *corev1.Secret {
	if secret.Annotations == nil {
		secret.Annotations = map[string]string{}
	}
	secret.Annotations[v1alpha1.AnnotationUse] = uses
	return secret
}

// Connection is a SmileConnection in mode Sandbox, with the keys of the Secret KeysName.
func Connection(name string, changes ...func(*v1alpha1.SmileConnection)) *v1alpha1.SmileConnection {
	conn := &v1alpha1.SmileConnection{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.SmileConnectionSpec{
			Mode:                 v1alpha1.ModeSandbox,
			CredentialsSecretRef: v1alpha1.CredentialsSecretReference{Name: KeysName},
		},
	}
	return changed(conn, changes)
}

// User is a SmileUser of the connection ConnectionName.
func User(name string, changes ...func(*v1alpha1.SmileUser)) *v1alpha1.SmileUser {
	user := &v1alpha1.SmileUser{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.SmileUserSpec{ConnectionRef: v1alpha1.ConnectionReference{Name: ConnectionName}},
	}
	return changed(user, changes)
}

// WithToken requests a link token.
func WithToken(secret string) func(*v1alpha1.SmileUser) {
	return func(u *v1alpha1.SmileUser) { u.Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: secret} }
}

// Revoking is deleted together with its accounts at Smile.
func Revoking(u *v1alpha1.SmileUser) { u.Spec.DeletionPolicy = v1alpha1.UserRevokeAccounts }

// NeverAdopting is always a new person.
func NeverAdopting(u *v1alpha1.SmileUser) { u.Spec.AdoptionPolicy = v1alpha1.AdoptionNever }

// WithUserID adopts a user by its id.
func WithUserID(id string) func(*v1alpha1.SmileUser) {
	return func(u *v1alpha1.SmileUser) { u.Spec.UserID = id }
}

// WithSubject takes the business key from a Secret.
func WithSubject(secret, key string) func(*v1alpha1.SmileUser) {
	return func(u *v1alpha1.SmileUser) {
		u.Spec.SubjectFrom = &v1alpha1.SubjectSource{SecretKeyRef: v1alpha1.SecretKeyReference{Name: secret, Key: key}}
	}
}

// Sync is a SmileAccountSync of a user that writes identities and contributions into the Secret DataName.
func Sync(name, user string, changes ...func(*v1alpha1.SmileAccountSync)) *v1alpha1.SmileAccountSync {
	sync := &v1alpha1.SmileAccountSync{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.SmileAccountSyncSpec{
			UserRef:    v1alpha1.UserReference{Name: user},
			Datapoints: []v1alpha1.Datapoint{{Type: "IDENTITIES"}, {Type: "CONTRIBUTIONS"}},
			Output:     &v1alpha1.SyncOutput{Secret: &v1alpha1.OutputReference{Name: DataName}},
		},
	}
	return changed(sync, changes)
}

func changed[T any](obj T, changes []func(T)) T {
	for _, change := range changes {
		change(obj)
	}
	return obj
}
