package transport

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// to returns a Transport that may call the origins of the servers.
func to(t *testing.T, config Config, origins ...string) *Transport {
	t.Helper()
	policy, err := NewHostPolicy("", origins)
	if err != nil {
		t.Fatal(err)
	}
	config.Hosts = policy
	transport := New(withDefaults(config))
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func good(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, userAnswer)
		return
	}
	_, _ = io.WriteString(w, proofAnswer)
}

func server(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func tlsServer(t *testing.T, config *tls.Config) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(good))
	s.TLS = config
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// canaryListener accepts connections and counts them: there must be none.
func canaryListener(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepted sync.WaitGroup
	var count atomic.Int32
	accepted.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		accepted.Wait()
		if n := count.Load(); n != 0 {
			t.Errorf("%d connections to the canary", n)
		}
	})
	return listener.Addr().String()
}

// raw serves connections by hand.
func raw(t *testing.T, serve func(net.Conn)) (origin string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer func() { _ = conn.Close() }()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() { _ = listener.Close(); running.Wait() })
	return "http://" + listener.Addr().String()
}

func TestCredentials(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		key, secret, ok := r.BasicAuth()
		if !ok || strings.TrimPrefix(key, "key-") != strings.TrimPrefix(secret, "secret-") {
			t.Errorf("halves of two pairs: %s, %s", key, secret)
		}
		if got := r.UserAgent(); got != "smile-operator/test" {
			t.Errorf("User-Agent %q", got)
		}
		good(w, r)
	})
	var rotation atomic.Int32
	transport := to(t, Config{UserAgent: "smile-operator/test", Credentials: func() Credentials {
		n := rotation.Add(1)
		return Credentials{smile.NewSensitive(fmt.Sprint("key-", n)), smile.NewSensitive(fmt.Sprint("secret-", n))}
	}}, s.URL)
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			if err := probe(t.Context(), clientAt(transport, s.URL)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := rotation.Load(); got != 200 {
		t.Errorf("the key pair was read %d times for 200 calls", got)
	}
}

func TestUnusableCredentials(t *testing.T) {
	address := canaryListener(t)
	for _, pair := range [][2]string{{"", ""}, {"", "secret"}, {"key", ""}, {"k:y", "secret"}} {
		transport := to(t, Config{Credentials: func() Credentials {
			return Credentials{smile.NewSensitive(pair[0]), smile.NewSensitive(pair[1])}
		}}, "http://"+address)
		err := create(t.Context(), clientAt(transport, "http://"+address))
		if !errors.Is(err, FailureNoCredentials) || !smile.NotCreated(err) {
			t.Errorf("%q: %v", pair, err)
		}
	}
}

func TestRedirectsLeadNowhere(t *testing.T) {
	canary := canaryListener(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := server(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+canary+"/v1/users", status)
		})
		transport := to(t, Config{}, s.URL, "http://"+canary)
		for _, call := range []func(context.Context, *smile.Mutator) error{probe, create} {
			err := call(t.Context(), clientAt(transport, s.URL))
			if _, ok := errors.AsType[*smile.RedirectError](err); !ok || smile.NotCreated(err) {
				t.Errorf("%d: %v", status, err)
			}
		}
	}
}

func TestGuardRefusesWhatIsNotPermitted(t *testing.T) {
	canary := canaryListener(t)
	_, port, _ := net.SplitHostPort(canary)
	transport := to(t, Config{}, "https://internal.corp", "localhost:"+port)
	for _, endpoint := range []string{
		"http://" + canary, "https://" + canary, "http://localhost:" + port, "https://evil.example", "https://INTERNAL.corp",
		"http://internal.corp", "https://internal.corp:8443", "https://key@internal.corp.evil",
	} {
		err := create(t.Context(), clientAt(transport, endpoint))
		if _, ok := errors.AsType[*smile.HostError](err); !ok || !smile.NotCreated(err) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

// TestListedHostsMustBePublic uses a listed name that resolves to a local address, as after DNS rebinding.
func TestListedHostsMustBePublic(t *testing.T) {
	_, port, _ := net.SplitHostPort(canaryListener(t))
	transport := to(t, Config{}, "localhost:"+port)
	err := create(t.Context(), clientAt(transport, "https://localhost:"+port))
	refused, ok := errors.AsType[*smile.HostError](err)
	if !ok || !strings.Contains(refused.Reason, "private") || !smile.NotCreated(err) {
		t.Errorf("got %v", err)
	}
}

func TestBodyCap(t *testing.T) {
	fill := func(size int) string {
		return `{"data":{"items":[],"fill":"` + strings.Repeat("x", size-len(`{"data":{"items":[],"fill":""}}`)) + `"}}`
	}
	zip := func(text string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		return b.Bytes()
	}
	bomb := zip(strings.Repeat(" ", 16<<20))
	tests := []struct {
		name     string
		encoding string
		body     []byte
		want     error
	}{
		{"as large as allowed", "", []byte(fill(MaxBodyBytes)), nil},
		{"a byte more", "", []byte(fill(MaxBodyBytes + 1)), smile.ProblemTooLarge},
		{"compressed", "gzip", zip(proofAnswer), nil},
		{"compressed, as large as allowed", "gzip", zip(fill(MaxBodyBytes)), nil},
		{"compressed, a byte more", "gzip", zip(fill(MaxBodyBytes + 1)), smile.ProblemTooLarge},
		{"bomb", "gzip", bomb, smile.ProblemTooLarge},
		{"not gzip", "gzip", []byte("neither compressed nor JSON"), smile.ProblemEncoding},
		{"gzip cut short", "gzip", zip(proofAnswer)[:20], smile.ProblemTruncated},
		{"bad checksum", "gzip", append(zip(proofAnswer)[:len(zip(proofAnswer))-8], 1, 2, 3, 4, 5, 6, 7, 8), smile.ProblemEncoding},
		{"gzip in gzip", "gzip, gzip", zip(string(zip(proofAnswer))), smile.ProblemEncoding},
		{"brotli", "br", []byte(proofAnswer), smile.ProblemEncoding},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := server(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if test.encoding != "" {
					w.Header().Set("Content-Encoding", test.encoding)
				}
				_, _ = w.Write(test.body)
			})
			err := probe(t.Context(), clientAt(to(t, Config{}, s.URL), s.URL))
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestEndlessBody(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for {
			if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<16)); err != nil {
				return
			}
		}
	})
	if err := create(t.Context(), clientAt(to(t, Config{}, s.URL), s.URL)); !errors.Is(err, smile.ProblemTooLarge) || smile.NotCreated(err) {
		t.Errorf("got %v", err)
	}
}

// TestBrokenConnections breaks connections after they have been made: the outcome
// is unknown each time.
func TestBrokenConnections(t *testing.T) {
	readRequest := func(conn net.Conn) { _, _ = conn.Read(make([]byte, 4096)) }
	breaks := map[string]func(net.Conn){
		"closed":           readRequest,
		"reset":            func(c net.Conn) { readRequest(c); _ = c.(*net.TCPConn).SetLinger(0) },
		"closed in header": func(c net.Conn) { readRequest(c); write(c, "HTTP/1.1 201 Cre") },
		"reset in header":  func(c net.Conn) { readRequest(c); write(c, "HTTP/1.1 201 Cre"); _ = c.(*net.TCPConn).SetLinger(0) },
		"closed in body":   func(c net.Conn) { readRequest(c); write(c, rawAnswer("201 Created", userAnswer)[:90]) },
		"garbage":          func(c net.Conn) { readRequest(c); write(c, "CNRY\r\nCNRY\r\n\r\n") },
		"garbled header":   func(c net.Conn) { readRequest(c); write(c, "HTTP/1.1 201 CNRY\r\nCNRY CNRY\r\n\r\n") },
		"garbled length":   func(c net.Conn) { readRequest(c); write(c, "HTTP/1.1 201 OK\r\nContent-Length: CNRY\r\n\r\n") },
		"garbled chunk": func(c net.Conn) {
			readRequest(c)
			write(c, "HTTP/1.1 201 OK\r\nTransfer-Encoding: chunked\r\n\r\nCNRY\r\n")
		},
		"huge header": func(c net.Conn) {
			readRequest(c)
			write(c, rawAnswer("201 Created", userAnswer, "X: "+strings.Repeat("CNRY", 1<<15)))
		},
		"switching":     func(c net.Conn) { readRequest(c); write(c, "HTTP/1.1 101 CNRY\r\nUpgrade: CNRY\r\n\r\n") },
		"closed unread": func(net.Conn) {},
	}
	for name, serve := range breaks {
		t.Run(name, func(t *testing.T) {
			origin := raw(t, serve)
			err := create(t.Context(), clientAt(to(t, Config{}, origin), origin))
			if err == nil || smile.NotCreated(err) {
				t.Errorf("got %v", err)
			}
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "CNRY") {
				t.Errorf("the error quotes the answer: %s", text)
			}
		})
	}
}

// TestUnsent fails before a connection exists, so nothing was created.
func TestUnsent(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	secure := tlsServer(t, nil)
	_, securePort, _ := net.SplitHostPort(secure.Listener.Addr().String())
	old := tlsServer(t, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	plain := server(t, good)
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())
	silent := raw(t, func(net.Conn) {})

	tests := []struct {
		name  string
		url   string
		roots *x509.CertPool
		want  error
	}{
		{"nobody listens", "http://" + closed.Addr().String(), nil, smile.FailureRefused},
		{"certificate not trusted", secure.URL, nil, smile.FailureCertificate},
		{"certificate of another name", "https://localhost:" + securePort, trusted, smile.FailureCertificate},
		{"TLS 1.1", old.URL, trusted, smile.FailureTLS},
		{"no TLS", "https" + strings.TrimPrefix(plain.URL, "http"), trusted, smile.FailureTLS},
		{"silent", "https" + strings.TrimPrefix(silent, "http"), trusted, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			transport := to(t, Config{Roots: fixed(test.roots)}, test.url)
			err := create(t.Context(), clientAt(transport, test.url))
			var unsent *smile.UnsentError
			if !errors.As(err, &unsent) || !smile.NotCreated(err) || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	if err := create(t.Context(), clientAt(to(t, Config{Roots: fixed(trusted)}, secure.URL), secure.URL)); err != nil {
		t.Errorf("with the right certificate authority: %v", err)
	}
}

func TestUnknownNames(t *testing.T) {
	policy, err := NewHostPolicy("", []string{"http://nowhere.test"})
	if err != nil {
		t.Fatal(err)
	}
	transport := overridden(t, Config{Hosts: policy}, func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "nowhere.test", IsNotFound: true}}
	})
	err = create(t.Context(), clientAt(transport, "http://nowhere.test"))
	if !errors.Is(err, smile.FailureNameUnknown) || !smile.NotCreated(err) {
		t.Errorf("got %v", err)
	}
}

// TestHTTP1 offers HTTP/2.
func TestHTTP1(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("the request uses %s, want HTTP/1", r.Proto)
		}
		good(w, r)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if err := create(t.Context(), clientAt(to(t, Config{Roots: fixed(roots)}, s.URL), s.URL)); err != nil {
		t.Error(err)
	}
}

// TestProxy calls a host that is listed through a proxy with a local address.
func TestProxy(t *testing.T) {
	secure := tlsServer(t, nil)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	var tunnels atomic.Int32
	proxy := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "example.com:443" || r.Header.Get("Authorization") != "" {
			t.Errorf("the proxy was asked %s %s", r.Method, r.Host)
		}
		if tunnels.Add(1); tunnels.Load() > 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		tunnel(t, w, secure.Listener.Addr().String())
	})
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("NO_PROXY", "")
	through := func() error {
		transport := to(t, Config{Roots: fixed(roots)}, "example.com")
		return create(t.Context(), clientAt(transport, "https://example.com/v1"))
	}
	if err := through(); err != nil {
		t.Errorf("through the proxy: %v", err)
	}
	if err := through(); !smile.NotCreated(err) {
		t.Errorf("refused by the proxy: %v", err)
	}
	if got := tunnels.Load(); got != 2 {
		t.Errorf("%d tunnels", got)
	}
}

func tunnel(t *testing.T, w http.ResponseWriter, target string) {
	t.Helper()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = client.Close() }()
	upstream, err := net.Dial("tcp", target)
	if err != nil {
		t.Error(err)
		return
	}
	write(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	var copying sync.WaitGroup
	copying.Go(func() { _, _ = io.Copy(upstream, client); _ = upstream.Close() })
	_, _ = io.Copy(client, upstream)
	_ = client.Close()
	copying.Wait()
}
