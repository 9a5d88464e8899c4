//go:build e2e

package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"
	"k8s.io/utils/ptr"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// backend is a process of a company, which has a token of its own and calls the application API.
type backend struct {
	e         *environment
	transport *http.Transport
	token     string
	// flags with which an operator serves the API, besides its address.
	flags []string
}

// backend makes the certificate of the API, and a service account that may mint link tokens in the environment.
func (e *environment) backend() *backend {
	e.t.Helper()
	dir := e.t.TempDir()
	chain, key, err := cert.GenerateSelfSignedCertKey("api", nil, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	for name, content := range map[string][]byte{"tls.crt": chain, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			e.t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(chain)
	e.must("apply", "--server-side", "-f", filepath.Join(e.root, "config", "application-api", "link_token_minter.yaml"))
	account := &corev1.ServiceAccount{ObjectMeta: e.named("backend")}
	e.create(account, &rbacv1.RoleBinding{
		ObjectMeta: e.named("backend"),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "smile-operator-link-token-minter"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: e.namespace, Name: account.Name}},
	})
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{"smile-operator"}, ExpirationSeconds: ptr.To(int64(3600)),
	}}
	if err := e.admin.SubResource("token").Create(e.t.Context(), account, request); err != nil {
		e.t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "api", MinVersion: tls.VersionTLS12}}
	e.t.Cleanup(transport.CloseIdleConnections)
	return &backend{
		e: e, transport: transport, token: request.Status.Token,
		flags: []string{
			"--application-api-tls-cert-file=" + filepath.Join(dir, "tls.crt"),
			"--application-api-tls-key-file=" + filepath.Join(dir, "tls.key"),
		},
	}
}

// server is an operator that serves the application API.
type server struct {
	*operator
	address, auditLog string
}

func (b *backend) server(flags ...string) *server {
	b.e.t.Helper()
	s := &server{address: freeAddress(b.e.t), auditLog: filepath.Join(b.e.t.TempDir(), "audit.log")}
	flags = append(flags, "--application-api-bind-address="+s.address, "--audit-log="+s.auditLog, b.e.only())
	s.operator = b.e.operator(b.e.t, append(flags, b.flags...)...)
	return s
}

// minted is what a caller gets.
type minted struct {
	status                      int
	AccessToken, UserID, Reason string
}

// mint asks a replica for a token; the status is 0 when it cannot be reached.
func (b *backend) mint(s *server, user string) minted {
	b.e.t.Helper()
	url := "https://" + s.address + "/v1/namespaces/" + b.e.namespace + "/smileusers/" + user + "/token"
	r, err := http.NewRequestWithContext(b.e.t.Context(), http.MethodPost, url, http.NoBody)
	if err != nil {
		b.e.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.token)
	answer, err := b.transport.RoundTrip(r)
	if err != nil {
		return minted{}
	}
	defer answer.Body.Close()
	got := minted{status: answer.StatusCode}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		b.e.t.Errorf("%d: %v", got.status, err)
	}
	return got
}

// calls are the records of the application API in a replica's audit log.
func (s *server) calls(t *testing.T) (records []auditlog.Record) {
	t.Helper()
	text, err := os.ReadFile(s.auditLog)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var record auditlog.Record
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if record.Actor == auditlog.ActorApplicationAPI {
			records = append(records, record)
		}
	}
	return records
}

// TestApplicationAPI makes a backend request link tokens from two replicas. Each answers, although only one of them leads, and
// each token costs one call. When the leader ends in an orderly way, the other answers within the time that the election takes.
func TestApplicationAPI(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
	b := e.backend()
	leader := b.server("--leader-elect")
	first := e.led("")
	standby := b.server("--leader-elect")
	e.create(&v1alpha1.SmileUser{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: "george"},
		Spec:       v1alpha1.SmileUserSpec{ConnectionRef: v1alpha1.ConnectionReference{Name: "smile"}},
	})
	within(t, time.Minute, "each replica mints tokens", func() (bool, string) {
		one, two := b.mint(leader, "george"), b.mint(standby, "george")
		return one.status == http.StatusCreated && two.status == http.StatusCreated, one.Reason + ", " + two.Reason
	})

	mark, before := e.remote.mark(), len(leader.calls(t))
	tokens := map[string]bool{}
	for range 5 {
		for _, replica := range []*server{leader, standby} {
			got := b.mint(replica, "george")
			if got.status != http.StatusCreated || tokens[got.AccessToken] {
				t.Errorf("%d %s", got.status, got.Reason)
			}
			tokens[got.AccessToken] = true
		}
	}
	if calls := len(e.remote.Journal(mark)); calls != 10 {
		t.Errorf("10 tokens cost %d calls", calls)
	}
	if calls := len(leader.calls(t)) - before; calls != 10 {
		t.Errorf("the leader recorded %d of 10 calls", calls)
	}
	for _, record := range standby.calls(t) {
		if record.Outcome == auditlog.OutcomeSucceeded {
			t.Error("the standby recorded a call that the leader answered")
		}
	}
	for _, text := range []string{leader.text(), standby.text()} {
		for token := range tokens {
			if strings.Contains(text, token) || strings.Contains(text, b.token) {
				t.Fatal("a token is in a log")
			}
		}
	}

	leader.stop()
	e.led(first)
	within(t, 10*time.Second, "the new leader mints tokens", func() (bool, string) {
		got := b.mint(standby, "george")
		return got.status == http.StatusCreated, got.Reason
	})
}
