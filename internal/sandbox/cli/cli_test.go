package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
)

// asProgram is the environment variable that makes the test binary run as
// smile-sandbox.
const asProgram = "SMILE_SANDBOX_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Run(os.Args[1:], os.Stdout, os.Stderr))
	}
	if does := os.Getenv(asApplication); does != "" {
		os.Exit(application(does))
	}
	goleak.VerifyTestMain(m)
}

// started is a smile-sandbox that runs inside the test.
type started struct {
	url  string
	stop func() error // returns the result of the command
}

func start(t *testing.T, args ...string) started {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	command := newCommand()
	command.SetArgs(append([]string{"--addr", "127.0.0.1:0"}, args...))
	command.SetOut(in)
	result := make(chan error, 1)
	go func() { result <- command.ExecuteContext(ctx) }()
	t.Cleanup(cancel)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url, found := strings.CutPrefix(strings.TrimSpace(line), "smile-sandbox listens on ")
	if !found {
		t.Fatalf("it says %q", line)
	}
	return started{url, func() error { cancel(); return <-result }}
}

// fetch returns status and body; roots are the authorities that the client
// trusts.
func fetch(t *testing.T, url string, roots *x509.CertPool) (int, []byte) {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, InsecureSkipVerify: roots == nil},
		// Every host name leads to the sandbox.
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("sandbox-key", "sandbox-secret")
	response, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, text
}

func TestServesAndStops(t *testing.T) {
	s := start(t)
	if status, text := fetch(t, s.url+"/v1/users", nil); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

// TestStopsQuickly: a call that a fault holds does not keep the program alive.
func TestStopsQuickly(t *testing.T) {
	s := start(t)
	put, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, s.url+"/_sandbox/faults",
		strings.NewReader(`[{"operation":"*","count":-1,"action":"hang"}]`))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(put)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	_ = response.Body.Close()
	released := make(chan error)
	go func() {
		held, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/users", nil)
		_, err := transport.RoundTrip(held)
		released <- err
	}()
	for {
		if _, text := fetch(t, s.url+"/_sandbox/journal", nil); len(text) > 0 {
			break
		}
	}
	begun := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > graceful {
		t.Errorf("took %s", took)
	}
	if err := <-released; err == nil {
		t.Error("the held call got an answer")
	}
}

func TestSignalStops(t *testing.T) {
	out, in := io.Pipe()
	code := make(chan int)
	go func() { code <- Run([]string{"--addr", "127.0.0.1:0"}, in, io.Discard) }()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
}

func TestSelfSigned(t *testing.T) {
	s := start(t, "--tls-self-signed")
	status, authority := fetch(t, s.url+"/_sandbox/ca.pem", nil)
	roots := x509.NewCertPool()
	if status != 200 || !roots.AppendCertsFromPEM(authority) {
		t.Fatalf("%d %s", status, authority)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(s.url, "https://"), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "sandbox.smileapi.io", "open.smileapi.io", "web.smileapi.io"} {
		if status, text := fetch(t, "https://"+host+":"+port+"/v1/users", roots); status != 200 {
			t.Errorf("%s: %d %s", host, status, text)
		}
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func TestOwnCertificate(t *testing.T) {
	made, err := selfSigned(time.Now(), "")
	if err != nil {
		t.Fatal(err)
	}
	cert, key := writePair(t, made.config.Certificates[0])
	s := start(t, "--tls-cert", cert, "--tls-key", key)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(made.authority)
	if status, text := fetch(t, s.url+"/v1/users", roots); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := fetch(t, s.url+"/_sandbox/ca.pem", roots); status != 404 {
		t.Errorf("the sandbox serves a CA certificate although a certificate was given: %d", status)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func writePair(t *testing.T, pair tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	var chain bytes.Buffer
	for _, c := range pair.Certificate {
		_ = pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: c})
	}
	for file, text := range map[string][]byte{cert: chain.Bytes(), key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestFlagsReachTheSandbox(t *testing.T) {
	s := start(t, "--keys", "sandbox-key:sandbox-secret,other:x:PRODUCTION", "--rate-limit", "2", "--canary", "MARK", "--quirks", "list-lag=1h,retry-after=7s",
		"--seed", "s", "--link-delay", "1m", "--data-delay", "1m")
	for calls := 1; ; calls++ {
		status, text := fetch(t, s.url+"/v1/users/none", nil)
		if !bytes.Contains(text, []byte("MARK-message-")) {
			t.Errorf("no canary: %s", text)
		}
		if status == http.StatusTooManyRequests {
			break
		}
		if status != http.StatusNotFound || calls > 1000 {
			t.Fatalf("call %d: %d %s", calls, status, text)
		}
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func TestWrongFlags(t *testing.T) {
	for name, args := range map[string][]string{
		"argument":           {"now"},
		"unknown flag":       {"--color"},
		"keys":               {"--keys", "a"},
		"keys twice":         {"--keys", "a:b,a:c"},
		"quirk form":         {"--quirks", "list-lag"},
		"quirk name":         {"--quirks", "lag=1s"},
		"quirk value":        {"--quirks", "revoked-account=gone"},
		"cert without key":   {"--tls-cert", "x"},
		"cert and self":      {"--tls-cert", "x", "--tls-key", "x", "--tls-self-signed"},
		"cert is not there":  {"--tls-cert", "/does/not/exist", "--tls-key", "/does/not/exist"},
		"address":            {"--addr", "nowhere"},
		"negative rate":      {"--rate-limit", "-1"},
		"address of another": {"--addr", "192.0.2.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := Run(args, &out, &errs); code != 1 || !strings.HasPrefix(errs.String(), "smile-sandbox: ") || out.Len() > 0 {
				t.Errorf("exit code %d, %q, %q", code, errs.String(), out.String())
			}
		})
	}
}

func TestHelpListsQuirks(t *testing.T) {
	var out bytes.Buffer
	if code := Run([]string{"--help"}, &out, io.Discard); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, q := range quirks.All() {
		for _, part := range []string{q.Name, q.Values, q.Doc} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%q is missing in %s", part, out.String())
			}
		}
	}
}

// The application API is served besides the sandbox, and says at the start how to call it.
func TestTheApplicationAPIIsServed(t *testing.T) {
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	command := newCommand()
	command.SetArgs([]string{"--addr", "127.0.0.1:0", "--application-api=127.0.0.1:0"})
	command.SetOut(in)
	result := make(chan error, 1)
	go func() { result <- command.ExecuteContext(ctx) }()
	lines := bufio.NewScanner(out)
	var said []string
	for len(said) < 3 && lines.Scan() {
		said = append(said, lines.Text())
	}
	url, _ := strings.CutPrefix(said[1], "the application API listens on ")
	path, token, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(said[2]), "POST "), " with Authorization: ")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, http.NoBody)
	if err != nil {
		t.Fatalf("%q: %v", said, err)
	}
	r.Header.Set("Authorization", token)
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatalf("%q: %v", said, err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		t.Errorf("%q: %d", said, response.StatusCode)
	}
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
}
