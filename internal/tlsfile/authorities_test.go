package tlsfile

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/util/cert"
	clocktesting "k8s.io/utils/clock/testing"
)

// TestAuthoritiesAreReadAgain changes the file of certificate authorities, and damages it.
func TestAuthoritiesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := newAuthority(t), newAuthority(t)
	file, clock, logged := filepath.Join(dir, "ca.pem"), clocktesting.NewFakeClock(time.Now()), 0
	put := func(content []byte) {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(first.pem)
	authorities, err := OpenAuthorities(file, clock, funcr.New(func(string, string) { logged++ }, funcr.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	pool := authorities.Pool()
	for _, step := range []struct {
		content []byte
		trusted [2]bool
		changed bool
	}{
		{first.pem, [2]bool{true, false}, false},
		{second.pem, [2]bool{false, true}, true},
		{[]byte("garbage"), [2]bool{false, true}, false},
		{[]byte("garbage"), [2]bool{false, true}, false},
		{append(first.pem, second.pem...), [2]bool{true, true}, true},
	} {
		put(step.content)
		if authorities.Pool() != pool {
			t.Error("the file is read more often than every 10 seconds")
		}
		clock.Step(rereadInterval)
		former := pool
		pool = authorities.Pool()
		if (pool != former) != step.changed {
			t.Errorf("%.20q: changed %v", step.content, pool != former)
		}
		if got := [2]bool{first.trustedBy(pool), second.trustedBy(pool)}; got != step.trusted {
			t.Errorf("%.20q: trusted %v", step.content, got)
		}
	}
	if logged != 1 {
		t.Errorf("%d lines of the log are about one damaged file", logged)
	}
}

// TestAuthoritiesAreAdded checks that the system's authorities stay trusted.
func TestAuthoritiesAreAdded(t *testing.T) {
	t.Parallel()
	own := newAuthority(t)
	file := filepath.Join(t.TempDir(), "own.pem")
	if err := os.WriteFile(file, own.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	authorities, err := OpenAuthorities(file, clocktesting.NewFakeClock(time.Now()), logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	want, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	want.AppendCertsFromPEM(own.pem)
	if !authorities.Pool().Equal(want) {
		t.Error("the authorities are not those of the system and of the file")
	}
}

// authority is a self-signed certificate, which vouches for itself.
type authority struct {
	pem         []byte
	certificate *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	chain, _, err := cert.GenerateSelfSignedCertKey("server", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		certificates = append(certificates, certificate)
	}
	return authority{chain, certificates[len(certificates)-1]}
}

func (a authority) trustedBy(pool *x509.CertPool) bool {
	_, err := a.certificate.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}
