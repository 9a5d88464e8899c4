package receiver

import (
	"context"
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// With fips140=only the standard library panics at keys that are too short and at algorithms that are not approved.
func TestAReceiverUnderFIPS(t *testing.T) {
	if os.Getenv("FIPS_CHILD") != "" {
		if !fips140.Enforced() {
			t.Error("FIPS 140 is not enforced")
		}
		for name, test := range map[string]struct {
			secret string
			status int
		}{
			"64 characters":                   {hook.NewSecret().Reveal(), http.StatusNoContent},
			"13 characters":                   {strings.Repeat("k", 13), http.StatusServiceUnavailable},
			"1 character, the vendor's least": {"k", http.StatusServiceUnavailable},
		} {
			if got := overTLS(t, test.secret); got != test.status {
				t.Errorf("signed with %s: %d, want %d", name, got, test.status)
			}
		}
		d, short := newFixture(t), smile.NewSensitive(strings.Repeat("k", 13))
		d.pairs.secrets.put("events-uid/"+pairOf.ID, short, nil, d.now())
		body := eventOf("TASK_FINISHED")
		if got := d.answerTo(delivery(t.Context(), pairOf.Path.Reveal(), strings.NewReader(body), strings.Repeat("0", 128))); got != http.StatusUnauthorized {
			t.Errorf("with a key that is too short: %d", got)
		}
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAReceiverUnderFIPS$", "-test.v", "-test.timeout=2m")
	child.Env = append(os.Environ(), "FIPS_CHILD=1", "GODEBUG=fips140=only")
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestAReceiverUnderFIPS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// overTLS starts a receiver and sends it an event that is signed with the secret of the pair, which is this one.
func overTLS(t *testing.T, secret string) int {
	t.Helper()
	pair := hook.Pair{ID: pairOf.ID, Path: pairOf.Path, Secret: smile.NewSensitive(secret)}
	kube := apiServerWith(t, pair)
	dir := t.TempDir()
	roots := x509.NewCertPool()
	roots.AddCert(Certificate(t, dir, 1))
	address := make(chan net.Addr, 1)
	server := &Server{
		Address: "127.0.0.1:0", CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"),
		Cache: kube, Live: kube, Log: logr.Discard(), Now: time.Now, Listening: func(a net.Addr) { address <- a },
	}
	life, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Start(life) }()
	defer func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	body := eventOf("TASK_FINISHED")
	signature := strings.Repeat("0", 128) // nobody can sign with less here
	if len(secret) >= smile.MinSigningKey {
		signature = Sign(body, secret)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+(<-address).String()+hook.Prefix+pair.Path.Reveal(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(smile.SignatureHeader, signature)
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "receiver", MinVersion: tls.VersionTLS12}}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Error(err)
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}
