package connection

import (
	"crypto/x509"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// authoritiesFrom reads the connection's own certificate authorities from the Secret of its key pair: "" if it has none.
func authoritiesFrom(secret *corev1.Secret) (string, error) {
	pem, ok := secret.Data[authoritiesKey]
	if !ok {
		return "", nil
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return "", problem.NewInvalid(v1alpha1.ReasonSecretInvalid, fmt.Sprintf("the Secret %q: key %q contains no certificate: "+
			"put certificates in PEM format there, or remove the key", secret.Name, authoritiesKey)).After(Recheck)
	}
	return string(pem), nil
}

// trusting adds a connection's own certificate authorities to those of common, which all connections trust. If common is nil or
// returns nil, it adds them to the system pool. The returned function returns the same pool as long as common does.
func trusting(common func() *x509.CertPool, own string) func() *x509.CertPool {
	if common == nil {
		common = func() *x509.CertPool { return nil }
	}
	if own == "" {
		return common
	}
	var mu sync.Mutex
	var from, pool *x509.CertPool
	return func() *x509.CertPool {
		mu.Lock()
		defer mu.Unlock()
		present := common()
		if pool == nil || present != from {
			from, pool = present, clone(present)
			pool.AppendCertsFromPEM([]byte(own))
		}
		return pool
	}
}

// clone returns a copy of a pool, or of the system pool if it is nil. On a system without authorities, the copy is empty.
func clone(pool *x509.CertPool) *x509.CertPool {
	if pool != nil {
		return pool.Clone()
	}
	system, err := x509.SystemCertPool()
	if err != nil {
		return x509.NewCertPool()
	}
	return system
}
