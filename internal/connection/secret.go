package connection

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/secretuse"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

const (
	defaultResyncInterval = 15 * time.Minute
	defaultAPIKeyKey      = "apiKey"
	defaultAPISecretKey   = "apiSecret"
	authoritiesKey        = "ca.crt"

	// Recheck is how often the Secret of a connection that is not Ready is read.
	Recheck = 5 * time.Second
)

var (
	errNotReady = problem.NewWaiting(v1alpha1.ReasonConnectionNotReady,
		"the SmileConnection is not Ready: its own conditions say why").
		On(v1alpha1.ConditionConnectionReady)
	errSuspended = problem.NewWaiting(v1alpha1.ReasonSuspended,
		"the SmileConnection is suspended").
		On(v1alpha1.ConditionConnectionReady)
	errRefused = (&problem.Problem{
		Class: problem.Denied, Reason: v1alpha1.ReasonInvalidCredentials,
		Message: "Smile refuses the key pair: put a valid one into the Secret that spec.credentialsSecretRef names",
	}).After(Recheck)
	errFormerUsed = (&problem.Problem{
		Class: problem.Denied, Reason: v1alpha1.ReasonInvalidCredentials,
		Message: "Smile refuses the key pair in the Secret that spec.credentialsSecretRef names, and the former pair is still used " +
			"as long as Smile accepts it and the operator is not restarted: put a valid pair into the Secret",
	}).After(Recheck)
	errOtherTenant = problem.NewInvalid(v1alpha1.ReasonCredentialsMismatch,
		"the key pair belongs to another tenant of Smile than the users of this connection: "+
			"put back a pair of that tenant, or create another SmileConnection").After(Recheck)
)

// notFound says that a connection does not exist, or is not among the objects of this process.
func (r *Registry) notFound() error {
	return problem.NewWaiting(v1alpha1.ReasonConnectionNotFound,
		"the SmileConnection that spec.connectionRef names does not exist in this namespace"+problem.Unselected(r.config.Selector)).
		On(v1alpha1.ConditionConnectionReady)
}

// SecretReference is the Secret of a connection's key pair.
func SecretReference(obj *v1alpha1.SmileConnection) secretuse.Reference {
	return secretuse.Reference{
		Namespace: obj.Namespace, Name: obj.Spec.CredentialsSecretRef.Name,
		Field: "spec.credentialsSecretRef", Use: secretuse.Credentials,
	}
}

// permittedPair reads the key pair if the Secret permits that. A pair that this connection has proven before stays in use
// without the permission, and undeclared is true then. Defects of values that may not be used are not reported, because that
// would reveal something about them.
func (r *Registry) permittedPair(
	obj *v1alpha1.SmileConnection, secret *corev1.Secret,
) (pair transport.Credentials, undeclared bool, err error) {
	ref := obj.Spec.CredentialsSecretRef
	pair, err = pairFrom(secret, ref)
	if hasDefaultKeys(ref) || secretuse.Permitted(secret.Annotations, secretuse.Credentials) {
		return pair, false, err
	}
	proven := obj.Status.Credentials
	if err != nil || proven == nil || proven.Fingerprint != r.fingerprint(pair) {
		return transport.Credentials{}, false, SecretReference(obj).Refusal().After(Recheck)
	}
	return pair, true, nil
}

// hasDefaultKeys reports whether a pair is under the names that only key pairs of Smile have, so that the Secret needs no
// annotation.
func hasDefaultKeys(ref v1alpha1.CredentialsSecretReference) bool {
	return cmp.Or(ref.APIKeyKey, defaultAPIKeyKey) == defaultAPIKeyKey &&
		cmp.Or(ref.APISecretKey, defaultAPISecretKey) == defaultAPISecretKey
}

// fingerprint of a key pair. It may be shown.
func (r *Registry) fingerprint(pair transport.Credentials) string {
	return r.config.Identity.Fingerprint("pair", []byte(pair.Key.Reveal()), []byte(pair.Secret.Reveal()))
}

// ReadSecret reads the key pair of a connection, and the certificate authorities that the connection trusts: nil for those of the
// system. It does not check that the Secret permits its use. Its errors name keys of the Secret, never values.
func ReadSecret(
	secret *corev1.Secret, ref v1alpha1.CredentialsSecretReference,
) (pair transport.Credentials, roots *x509.CertPool, err error) {
	pair, err = pairFrom(secret, ref)
	if err != nil {
		return transport.Credentials{}, nil, err
	}
	own, err := authoritiesFrom(secret)
	if err != nil {
		return transport.Credentials{}, nil, err
	}
	return pair, trusting(nil, own)(), nil
}

// pairFrom reads the key pair. Its errors name keys of the Secret, never values.
func pairFrom(secret *corev1.Secret, ref v1alpha1.CredentialsSecretReference) (transport.Credentials, error) {
	var pair transport.Credentials
	for _, part := range []struct {
		named, otherwise string
		into             *smile.Sensitive[string]
	}{
		{ref.APIKeyKey, defaultAPIKeyKey, &pair.Key},
		{ref.APISecretKey, defaultAPISecretKey, &pair.Secret},
	} {
		key := part.named
		if key == "" {
			key = part.otherwise
		}
		value, fault := credential(secret.Data, key)
		if fault == "" && part.otherwise == defaultAPIKeyKey && strings.Contains(value, ":") {
			fault = "contains a colon, which HTTP basic authentication does not allow: " +
				"store only the API key here, and the API secret under its own key"
		}
		if fault != "" {
			return pair, problem.NewInvalid(v1alpha1.ReasonSecretInvalid,
				fmt.Sprintf("the Secret %q: key %q %s", secret.Name, key, fault)).After(Recheck)
		}
		*part.into = smile.NewSensitive(value)
	}
	return pair, nil
}

func credential(data map[string][]byte, key string) (value, fault string) {
	raw, ok := data[key]
	switch {
	case !ok:
		return "", "is missing: set it, or name another key in spec.credentialsSecretRef"
	case len(raw) == 0:
		return "", "is empty"
	case len(raw) > 1024:
		return "", "is longer than 1024 bytes"
	}
	for _, b := range raw {
		if b <= ' ' || b > '~' {
			return "", "contains characters that no Smile key has, such as spaces or a newline at the end"
		}
	}
	return string(raw), ""
}

// endpoint returns the URL that the pair may be sent to. A custom host must be permitted twice: by the operator's flag, and by an
// annotation of the Secret. Otherwise a user who can write a SmileConnection could have any key pair of the namespace sent
// anywhere.
func (r *Registry) endpoint(obj *v1alpha1.SmileConnection, secret *corev1.Secret) (*url.URL, error) {
	if obj.Spec.Endpoint == "" {
		return r.config.Hosts.DefaultEndpoint(wireMode(obj.Spec.Mode)), nil
	}
	endpoint, err := r.config.Hosts.Check(obj.Spec.Endpoint)
	var host *smile.HostError
	if errors.As(err, &host) {
		return nil, problem.NewInvalid(v1alpha1.ReasonEndpointNotAllowed, "spec."+host.Error()).After(Recheck)
	}
	if err != nil {
		return nil, err
	}
	if !r.config.Hosts.IsDefault(endpoint) && secret.Annotations[v1alpha1.AnnotationAllowedHost] != transport.HostPort(endpoint) {
		return nil, problem.NewInvalid(v1alpha1.ReasonEndpointNotAllowed,
			fmt.Sprintf("spec.endpoint: the Secret %q does not permit its keys to be sent to this host: annotate it with %s: %s",
				secret.Name, v1alpha1.AnnotationAllowedHost, transport.HostPort(endpoint))).After(Recheck)
	}
	return endpoint, nil
}
