//go:build e2e

package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
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
	// dir has the files that a backend's pod has: ca.crt, and the token.
	dir string
}

// backend makes the certificate of the API, and a service account that may mint link tokens in the environment.
func (e *environment) backend() *backend {
	e.t.Helper()
	dir := e.t.TempDir()
	chain, key, err := cert.GenerateSelfSignedCertKey("api", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(chain)
	e.must("apply", "--server-side", "-f", filepath.Join(e.root, "config", "application-api", "link_token_minter.yaml"))
	token := e.caller("backend")
	for name, content := range map[string][]byte{
		"tls.crt": chain, "tls.key": key, "ca.crt": chain, "token": []byte(token),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			e.t.Fatal(err)
		}
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "api", MinVersion: tls.VersionTLS12}}
	e.t.Cleanup(transport.CloseIdleConnections)
	return &backend{
		e: e, transport: transport, token: token, dir: dir,
		flags: []string{
			"--application-api-tls-cert-file=" + filepath.Join(dir, "tls.crt"),
			"--application-api-tls-key-file=" + filepath.Join(dir, "tls.key"),
		},
	}
}

// caller makes a service account that may mint link tokens in the environment, and returns its token.
func (e *environment) caller(name string) string {
	e.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: e.named(name)}
	e.create(account, &rbacv1.RoleBinding{
		ObjectMeta: e.named(name),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "smile-operator-link-token-minter"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: e.namespace, Name: name}},
	})
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{"smile-operator"}, ExpirationSeconds: ptr.To(int64(3600)),
	}}
	if err := e.admin.SubResource("token").Create(e.t.Context(), account, request); err != nil {
		e.t.Fatal(err)
	}
	return request.Status.Token
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

// mint asks a replica for a token, by a request that may be changed; the status is 0 when it cannot be reached.
func (b *backend) mint(s *server, user string, change ...func(*http.Request)) minted {
	b.e.t.Helper()
	url := "https://" + s.address + "/v1/namespaces/" + b.e.namespace + "/smileusers/" + user + "/token"
	r, err := http.NewRequestWithContext(b.e.t.Context(), http.MethodPost, url, http.NoBody)
	if err != nil {
		b.e.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.token)
	for _, how := range change {
		how(r)
	}
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
func (s *server) calls(t *testing.T) []auditlog.Record {
	t.Helper()
	return s.records(t, auditlog.ActorApplicationAPI)
}

// records returns the records of an actor in a replica's audit log.
func (s *server) records(t *testing.T, actor string) (records []auditlog.Record) {
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
		if record.Actor == actor {
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

	mark, before, served := e.remote.mark(), len(leader.calls(t)), len(standby.calls(t))
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
	for _, record := range standby.calls(t)[served:] {
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

	b.examples(leader)
	leader.stop()
	e.led(first)
	within(t, 10*time.Second, "the new leader mints tokens", func() (bool, string) {
		got := b.mint(standby, "george")
		return got.status == http.StatusCreated, got.Reason
	})
}

// examples runs the examples of the documentation, each of which must get a token, and say why it gets none.
func (b *backend) examples(s *server) {
	b.e.t.Helper()
	dir := filepath.Join(b.e.root, "docs", "examples", "link-token")
	program := filepath.Join(b.dir, "example")
	build := exec.CommandContext(b.e.t.Context(), "go", "build", "-o", program, "./docs/examples/link-token/go")
	build.Dir = b.e.root
	if out, err := build.CombinedOutput(); err != nil {
		b.e.t.Fatalf("%v\n%s", err, out)
	}
	for name, command := range map[string][]string{
		"Go": {program}, "Node": {"node", filepath.Join(dir, "link-token.mjs")}, "curl": {filepath.Join(dir, "link-token.sh")},
	} {
		run := func(user string) (stdout, stderr string, err error) {
			cmd := exec.CommandContext(b.e.t.Context(), command[0], append(command[1:], b.e.namespace, user)...)
			cmd.Env = append(os.Environ(), "SMILE_API_URL=https://"+s.address,
				"SMILE_CA_FILE="+filepath.Join(b.dir, "ca.crt"), "SMILE_TOKEN_FILE="+filepath.Join(b.dir, "token"))
			var out, complaint bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &complaint
			err = cmd.Run()
			return out.String(), complaint.String(), err
		}
		out, complaint, err := run("george")
		var token struct{ AccessToken, APIHost, ScriptURL string }
		if err := errors.Join(err, json.Unmarshal([]byte(out), &token)); err != nil || token.AccessToken == "" || token.ScriptURL == "" {
			b.e.t.Errorf("%s: %v: %s", name, err, complaint)
		}
		if out, complaint, err = run("nobody"); err == nil || !strings.Contains(out+complaint, "UserNotFound") {
			b.e.t.Errorf("%s, for a user that does not exist: %v: %s%s", name, err, out, complaint)
		}
	}
}
