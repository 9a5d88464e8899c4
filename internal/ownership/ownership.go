// Package ownership decides which object owns a user at Smile: it compares the marker that the user carries with the object.
package ownership

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/secretuse"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	maxSubject = 512
	// secretRecheck is how often a missing or unusable Secret is read again: Secrets are not watched.
	secretRecheck = 30 * time.Second
)

// Checker checks whether an object may use a remote user. People can write any id into a spec or a status, so an id alone gives
// no access.
type Checker struct {
	// Key of the installation.
	Key identity.Key
	// Secrets reads Secrets, live.
	Secrets client.Reader
	// Mirrors hold the markers of remote users.
	Mirrors *mirror.Set
}

// Person is the person that an object represents.
type Person struct {
	// Marker that the person's user at Smile carries.
	Marker identity.Marker
	// Refused is why no user may be created under the business key; nil if one may. An existing user is found nevertheless.
	Refused error
}

// Person returns the person that an object represents. The bytes of the business key are used as they are.
func (c *Checker) Person(ctx context.Context, conn *connection.Connection, user *v1alpha1.SmileUser) (Person, error) {
	key, err := c.subject(ctx, user)
	if err != nil {
		return Person{}, err
	}
	subject := identity.Subject{Mode: conn.Mode, Scope: conn.Name.Namespace, Name: key}
	person := Person{Marker: identity.Marker{UID: user.UID, Digest: c.Key.Digest(subject)}}
	if fault := identity.SubjectFault(key); fault != "" && user.Spec.SubjectFrom != nil {
		ref := user.Spec.SubjectFrom.SecretKeyRef
		person.Refused = problem.NewInvalid(v1alpha1.ReasonSecretInvalid,
			fmt.Sprintf("spec.subjectFrom: the value under the key %q of the Secret %q %s, so no new user is created at Smile with it, "+
				"because users cannot be deleted there: store the business key as plain text, without a line break",
				ref.Key, ref.Name, fault)).
			After(secretRecheck)
	}
	return person, nil
}

// Marker returns the marker that a user created for this object carries.
func (c *Checker) Marker(ctx context.Context, conn *connection.Connection, user *v1alpha1.SmileUser) (identity.Marker, error) {
	person, err := c.Person(ctx, conn, user)
	return person.Marker, err
}

// SubjectReference is the Secret that spec.subjectFrom names, which must not be nil.
func SubjectReference(user *v1alpha1.SmileUser) secretuse.Reference {
	return secretuse.Reference{
		Namespace: user.Namespace, Name: user.Spec.SubjectFrom.SecretKeyRef.Name, Field: "spec.subjectFrom", Use: secretuse.Subjects,
	}
}

func (c *Checker) subject(ctx context.Context, user *v1alpha1.SmileUser) (string, error) {
	switch {
	case user.Spec.Subject != "":
		return user.Spec.Subject, nil
	case user.Spec.SubjectFrom == nil:
		return user.Namespace + "/" + user.Name, nil
	}
	ref := user.Spec.SubjectFrom.SecretKeyRef
	secret, err := SubjectReference(user).Read(ctx, c.Secrets)
	if err != nil {
		return "", err
	}
	// This is checked before anything is reported about the value. An existing user continues without the permission.
	if user.Status.UserID == "" && !secretuse.Permitted(secret.Annotations, secretuse.Subjects) {
		return "", SubjectReference(user).Refusal()
	}
	subject := secret.Data[ref.Key]
	if len(subject) == 0 || len(subject) > maxSubject {
		return "", problem.NewInvalid(v1alpha1.ReasonSecretInvalid,
			fmt.Sprintf("the Secret %q that spec.subjectFrom names must hold 1 to %d bytes under the key %q", ref.Name, maxSubject, ref.Key)).
			After(secretRecheck)
	}
	return string(subject), nil
}

// Verify returns nil if an object may use the remote user with this id: the user was created for the object, or for the same
// subject, or the object adopts it by id and the owner of the credentials Secret permits that. It returns ErrMissing if there is
// no such user.
func (c *Checker) Verify(ctx context.Context, conn *connection.Connection, user *v1alpha1.SmileUser, userID string) error {
	mark, err := c.Mirrors.For(conn).Marker(ctx, userID)
	if smile.IsNotFound(err) {
		return ErrMissing
	}
	if err != nil {
		return err
	}
	if mark.Of(user.UID) {
		return nil
	}
	if user.Spec.UserID == userID && conn.AdoptionAllowed {
		return nil
	}
	wanted, err := c.Marker(ctx, conn, user)
	if err != nil {
		return err
	}
	if mark.Same(wanted.Digest) && user.Spec.AdoptionPolicy != v1alpha1.AdoptionNever {
		return nil
	}
	return errNotOwned
}

var (
	// ErrMissing is a remote user that does not exist.
	ErrMissing = problem.NewInvalid(v1alpha1.ReasonRemoteUserMissing,
		"the user of this object does not exist at Smile (any more) and is not re-created: "+
			"delete and re-create the object, or fix spec.userID")
	errNotOwned = problem.NewInvalid(v1alpha1.ReasonUserNotOwned,
		"the user at Smile was not created for this object: to adopt it by spec.userID, annotate the credentials Secret with "+
			v1alpha1.AnnotationAllowAdoption+`: "true"`).After(time.Minute)
)
