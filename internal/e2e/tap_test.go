//go:build e2e

package e2e

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// point identifies a call of the operator in the same way in every run: by its destination, its method, its path without names
// that differ, and the number of such calls before it.
type point struct {
	call string
	nth  int
}

func (p point) String() string { return fmt.Sprintf("%s, no. %d", p.call, p.nth) }

// tap is a proxy between an operator and the API server or Smile. It records each call, and holds a selected one, before it is
// forwarded or before its response is sent.
type tap struct {
	namespace string

	mu     sync.Mutex
	counts map[string]int
	points []point
	held   point
	phase  phase
	// failure is how the held call fails; nil if it gets no response.
	failure *failure
	sprung  chan struct{}
	open    chan struct{}
}

func newTap(namespace string) *tap {
	return &tap{namespace: namespace, counts: map[string]int{}, sprung: make(chan struct{}), open: make(chan struct{})}
}

// hold sets the trap. It springs once.
func (t *tap) hold(at point, where phase) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held, t.phase = at, where
}

// fail has a call to the API server fail, once.
func (t *tap) fail(at point, how failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held, t.failure = at, &how
}

func (t *tap) taken() []point {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]point(nil), t.points...)
}

func (t *tap) isSprung() bool {
	select {
	case <-t.sprung:
		return true
	default:
		return false
	}
}

// release ends the held call without a response.
func (t *tap) release() { close(t.open) }

var remoteID = regexp.MustCompile(`^/v1/([a-z-]+)/[^/]+`)

// name returns a name of the call that is the same in every run; "" if it is no step of the operator: watches, which never end,
// and requests for the list of kinds.
func (t *tap) name(side string, request *http.Request) string {
	path := request.URL.Path
	if side == "Smile" {
		return side + " " + request.Method + " " + remoteID.ReplaceAllString(path, "/v1/$1/{id}")
	}
	if request.Method == http.MethodPost && strings.HasPrefix(path, "/api/v1/namespaces/"+account.Namespace+"/secrets") {
		return "" // the identity key, which the first operator of all tests makes
	}
	watch := request.URL.Query().Get("watch")
	if watch == "true" || watch == "1" || strings.Count(path, "/") < 4 {
		return ""
	}
	path = strings.ReplaceAll(path, "/namespaces/"+t.namespace+"/", "/namespaces/{ns}/")
	return side + " " + request.Method + " " + strings.ReplaceAll(path, "/leases/"+t.namespace, "/leases/{ns}")
}

// caught records a call, and reports whether it is the one to hold.
func (t *tap) caught(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[name]++
	at := point{name, t.counts[name]}
	t.points = append(t.points, at)
	return at == t.held
}

// between puts the tap in front of a server.
func (t *tap) between(side string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		name := t.name(side, request)
		if name == "" || !t.caught(name) {
			next.ServeHTTP(w, request)
			return
		}
		if t.phase == made || t.failure != nil && t.failure.committed {
			carryOut(next, request)
		}
		close(t.sprung)
		if t.failure != nil {
			t.failure.answer(w)
			return
		}
		<-t.open
		panic(http.ErrAbortHandler)
	})
}

// carryOut has a server do what it is asked for, and drops the answer.
func carryOut(next http.Handler, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	done := request.Clone(request.Context())
	done.Body = io.NopCloser(bytes.NewReader(body))
	next.ServeHTTP(httptest.NewRecorder(), done)
}

// tapped returns an operator whose calls all go through the tap.
func (e *environment) tapped(through *tap, flags ...string) *operator {
	e.t.Helper()
	o := e.newOperator(e.t, flags...)
	smile := httptest.NewServer(through.between("Smile", e.remote))
	e.t.Cleanup(smile.Close)
	o.flags = append(o.flags, "--sandbox-endpoint="+smile.URL+"/v1", "--metrics-bind-address=0") // of so many, some would get the same port

	access, err := clientcmd.LoadFromFile(e.operatorConfig)
	if err != nil {
		e.t.Fatal(err)
	}
	cluster := access.Clusters[access.Contexts[access.CurrentContext].Cluster]
	target, err := url.Parse(cluster.Server)
	if err != nil {
		e.t.Fatal(err)
	}
	trust, err := rest.TransportFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: cluster.CertificateAuthorityData}})
	if err != nil {
		e.t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     trust,
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	kube := httptest.NewUnstartedServer(through.between("Kubernetes", forward))
	kube.Config.ErrorLog = discarded
	kube.StartTLS() // tokens are sent over nothing else
	e.t.Cleanup(func() {
		kube.CloseClientConnections()
		kube.Close()
	})
	own := access.DeepCopy()
	for name := range maps.Keys(own.Clusters) {
		own.Clusters[name].Server = kube.URL
		own.Clusters[name].CertificateAuthorityData = pem.EncodeToMemory(
			&pem.Block{Type: "CERTIFICATE", Bytes: kube.Certificate().Raw})
	}
	path, err := e.keep("tap-"+e.namespace+".kubeconfig", func() ([]byte, error) { return clientcmd.Write(*own) })
	if err != nil {
		e.t.Fatal(err)
	}
	for i, variable := range o.environment {
		if strings.HasPrefix(variable, "KUBECONFIG=") {
			o.environment[i] = "KUBECONFIG=" + path
		}
	}
	return o
}

func TestTapNamesCallsTheSameInEveryRun(t *testing.T) {
	t.Parallel()
	through := newTap("e2e-x7")
	for _, c := range []struct{ side, method, url, want string }{
		{"Smile", "POST", "/v1/users", "Smile POST /v1/users"},
		{"Smile", "DELETE", "/v1/accounts/tenant-1f", "Smile DELETE /v1/accounts/{id}"},
		{"Smile", "GET", "/v1/accounts?userId=tenant-1f", "Smile GET /v1/accounts"},
		{"Kubernetes", "GET", "/api/v1/namespaces/e2e-x7/secrets/keys", "Kubernetes GET /api/v1/namespaces/{ns}/secrets/keys"},
		{"Kubernetes", "GET", "/apis/smile-operator.io/v1alpha1/namespaces/e2e-x7/smileusers?watch=true", ""},
		{"Kubernetes", "GET", "/apis/smile-operator.io/v1alpha1", ""},
		{
			"Kubernetes", "PUT", "/apis/coordination.k8s.io/v1/namespaces/smile-operator-system/leases/e2e-x7-creations",
			"Kubernetes PUT /apis/coordination.k8s.io/v1/namespaces/smile-operator-system/leases/{ns}-creations",
		},
	} {
		if got := through.name(c.side, httptest.NewRequest(c.method, c.url, nil)); got != c.want {
			t.Errorf("%s: %q, want %q", c.url, got, c.want)
		}
	}
}
