package broker_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"
	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/broker"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

const audience = "smile-operator"

// scene is a world with users, and a process that serves the application API.
type scene struct {
	*testenv.World
	op                   *testenv.Operator
	conn                 *v1alpha1.SmileConnection
	george, lame, paused *v1alpha1.SmileUser
	// backend may mint tokens for all users of the namespace.
	backend *corev1.ServiceAccount
	url     string
	audit   bytes.Buffer
	links   *broker.Links
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{World: testenv.New(t, testenv.Config{}), conn: testenv.Connection(testenv.ConnectionName)}
	s.op = s.Operator()
	s.george = testenv.User("george")
	s.lame = testenv.User("lame", func(u *v1alpha1.SmileUser) { u.Spec.ConnectionRef.Name = "absent" })
	s.paused = testenv.User("paused", func(u *v1alpha1.SmileUser) { u.Spec.Suspend = true })
	s.Create(s.conn, testenv.Keys(testenv.KeysName, testenv.One), s.george, s.lame, s.paused)
	s.op.Run(s.conn, s.george, s.lame, s.paused)
	s.Get(s.george)
	s.backend = s.ServiceAccount("backend")
	s.grant(s.backend, "create", "smileusers/token")
	s.url = s.serveWith(t, s.Access().Host)
	return s
}

// serveWith serves the API, with the API server at a host for the reviews.
func (s *scene) serveWith(t *testing.T, host string) string {
	t.Helper()
	access := s.Access()
	access.Host = host
	gate, err := broker.NewGate(access, audience)
	if err != nil {
		t.Fatal(err)
	}
	people := s.op.People()
	audit := auditlog.New(&s.audit, clock.RealClock{}, logr.Discard())
	s.links = s.op.Links()
	s.links.BaseURL, s.links.Audit = baseURL, audit
	served := httptest.NewServer(broker.NewHandler(broker.Config{
		Gate: gate, People: people,
		Forwarder: &broker.Forwarder{Board: broker.NewBoard(broker.Leader{}, clock.RealClock{}), Fence: people.Fence, Standby: people.Standby},
		Audit:     audit, Links: s.links, Metrics: broker.NewMetrics(), Log: logr.Discard(),
	}))
	t.Cleanup(served.Close)
	return served.URL
}

// grant gives a service account a right in the world's namespace, for objects of these names or for all. Resources are separated
// by commas.
func (s *scene) grant(account *corev1.ServiceAccount, verb, resources string, names ...string) *rbacv1.RoleBinding {
	s.Helper()
	return s.grantIn(s.Namespace, account, verb, resources, names...)
}

func (s *scene) grantIn(namespace string, account *corev1.ServiceAccount, verb, resources string, names ...string) *rbacv1.RoleBinding {
	s.Helper()
	name := metav1.ObjectMeta{Namespace: namespace, Name: account.Name}
	role := &rbacv1.Role{ObjectMeta: name, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: strings.Split(resources, ","),
		Verbs: []string{verb}, ResourceNames: names,
	}}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}},
	}
	s.Create(role, binding)
	return binding
}

// response is what a caller gets: a token, or a problem.
type response struct {
	status                            int
	AccessToken, Mode, UserID         string
	APIHost, ScriptURL, Reason, Cause string
	ExpiresAt                         time.Time
	TemplateID                        string
	Options                           map[string]any
}

func (s *scene) mint(t *testing.T, url, token, namespace, name string, query ...string) response {
	t.Helper()
	path := "/v1/namespaces/" + namespace + "/smileusers/" + name + "/token" + strings.Join(query, "")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got := response{status: answer.StatusCode}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// records are the audit log so far.
func (s *scene) records(t *testing.T) (records []auditlog.Record) {
	t.Helper()
	for line := range strings.Lines(s.audit.String()) {
		var record auditlog.Record
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	return records
}

// certificate writes a certificate for the name api, and its key. It returns the pool of CAs that trusts it.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	chain, key, err := cert.GenerateSelfSignedCertKey("api", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"tls.crt": chain, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(chain)
	return pool
}
