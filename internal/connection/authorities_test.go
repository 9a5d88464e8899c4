package connection

import (
	"crypto/x509"
	"strings"
	"testing"

	"k8s.io/client-go/util/cert"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

func certificateOf(t *testing.T) []byte {
	t.Helper()
	chain, _, err := cert.GenerateSelfSignedCertKey("proxy", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

// TestAConnectionHasAuthoritiesOfItsOwn: two Secrets with one pair may have different ones, and one may change.
func TestAConnectionHasAuthoritiesOfItsOwn(t *testing.T) {
	t.Parallel()
	own := keys("own", "key-one")
	own.Data[authoritiesKey] = certificateOf(t)
	w := newWorld(t, own, keys("none", "key-one"))
	with, without := w.refresh(t, connection("with", "own")), w.refresh(t, connection("without", "none"))
	if with.session == without.session || with.Account() != without.Account() {
		t.Error("the two connections share a session, or are of different accounts")
	}
	own.Data[authoritiesKey] = []byte("no certificate")
	if err := w.kube.Update(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	_, err := w.Refresh(t.Context(), connection("with", "own"))
	if err == nil || !strings.Contains(err.Error(), `key "ca.crt" contains no certificate`) || !strings.Contains(err.Error(), v1alpha1.ReasonSecretInvalid) {
		t.Errorf("a Secret with something else under ca.crt: %v", err)
	}
	delete(own.Data, authoritiesKey)
	if err := w.kube.Update(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	if again := w.refresh(t, connection("with", "own")); again.session != without.session {
		t.Error("authorities that were removed are still trusted")
	}
}

// TestOwnAuthoritiesAreAdded checks that a connection's own authorities are added to the common ones, also after these change.
func TestOwnAuthoritiesAreAdded(t *testing.T) {
	t.Parallel()
	own := string(certificateOf(t))
	common := x509.NewCertPool()
	roots := trusting(func() *x509.CertPool { return common }, own)
	for range 2 {
		want := common.Clone()
		want.AppendCertsFromPEM([]byte(own))
		if first := roots(); !first.Equal(want) || first != roots() || common.Equal(want) {
			t.Error("the authorities are not the common ones and the connection's own, or differ from call to call")
		}
		common = x509.NewCertPool()
		common.AppendCertsFromPEM(certificateOf(t))
	}
	if trusting(nil, "")() != nil {
		t.Error("without any, the authorities are not the system's")
	}
}
