//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/child"
)

// These variables make the test binary a proxy, instead of running tests: the address of the real server, and where to write files.
const (
	upstreamVariable = "E2E_PROXY_UPSTREAM"
	proxyDirVariable = "E2E_PROXY_DIR"
)

// proxy is a process that intercepts TLS as the proxies of companies do: it shows a certificate of its own authority for each host.
// It passes all requests on to one server, whatever host they are for.
type proxy struct {
	t   *testing.T
	dir string
	url string
}

func startProxy(t *testing.T, upstream string) *proxy {
	t.Helper()
	p := &proxy{t: t, dir: t.TempDir()}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), upstreamVariable+"="+upstream, proxyDirVariable+"="+p.dir)
	cmd.Stderr = os.Stderr
	process, err := child.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Signal(syscall.SIGKILL)
		<-process.Done()
	})
	within(t, time.Minute, "the proxy listens", func() (bool, string) {
		address, err := os.ReadFile(filepath.Join(p.dir, "address"))
		p.url = "http://" + string(address)
		return err == nil, "it has written no address"
	})
	return p
}

// authority is its certificate authority, in PEM format.
func (p *proxy) authority() []byte {
	p.t.Helper()
	return p.read("ca.pem")
}

// tunnels are the hosts that tunnels were opened to.
func (p *proxy) tunnels() []string {
	p.t.Helper()
	return strings.Fields(string(p.read("tunnels")))
}

func (p *proxy) read(name string) []byte {
	p.t.Helper()
	content, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return content
}

// intercept is the proxy itself. It returns only an error.
func intercept(upstream, dir string) error {
	signer, err := newSigner()
	if err != nil {
		return err
	}
	tunnels, err := os.Create(filepath.Join(dir, "tunnels"))
	if err != nil {
		return err
	}
	inside := &tunneled{conns: make(chan net.Conn)}
	go func() {
		forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: upstream})
		quiet := &http.Server{Handler: forward, ErrorLog: log.New(io.Discard, "", 0)}
		_ = quiet.Serve(tls.NewListener(inside, &tls.Config{GetCertificate: signer.certificate, MinVersion: tls.VersionTLS12}))
	}()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"ca.pem": signer.pem, "address": []byte(listener.Addr().String())} {
		if err := os.WriteFile(filepath.Join(dir, name+".new"), content, 0o600); err != nil {
			return err
		}
	}
	for _, name := range []string{"ca.pem", "address"} { // in this order: the address says that all is there
		if err := os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		_, _ = fmt.Fprintln(tunnels, r.Host)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		inside.conns <- conn
	}))
}

// tunneled is a listener whose connections are the tunnels.
type tunneled struct{ conns chan net.Conn }

func (l *tunneled) Accept() (net.Conn, error) { return <-l.conns, nil }
func (l *tunneled) Close() error              { return nil }
func (l *tunneled) Addr() net.Addr            { return &net.TCPAddr{} }

// signer makes a certificate for each name.
type signer struct {
	authority *x509.Certificate
	key       *ecdsa.PrivateKey
	pem       []byte
}

func newSigner() (*signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "proxy"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	authority, err := x509.ParseCertificate(der)
	return &signer{authority, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, err
}

func (s *signer) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{hello.ServerName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.authority, s.key.Public(), s.key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: s.key}, err
}
