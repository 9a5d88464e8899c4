//go:build e2e

package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"k8s.io/client-go/util/cert"
)

// vendor is the environment's sandbox under the vendor's names: over TLS, and behind a proxy for the operator.
type vendor struct {
	// address of the sandbox over TLS.
	address string
	// authority is the file of the certificate authority to trust.
	authority string
}

// vendor makes the sandbox of the environment the vendor's. Operators of the environment reach it by a proxy.
func (e *environment) vendor() vendor {
	e.t.Helper()
	chain, key, err := cert.GenerateSelfSignedCertKey("sandbox.smileapi.io", nil, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		e.t.Fatal(err)
	}
	served := httptest.NewUnstartedServer(e.remote)
	served.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	served.StartTLS()
	e.t.Cleanup(served.Close)
	v := vendor{served.Listener.Addr().String(), filepath.Join(e.t.TempDir(), "ca.crt")}
	if err := os.WriteFile(v.authority, chain, 0o600); err != nil {
		e.t.Fatal(err)
	}
	proxy := httptest.NewServer(tunnelTo(v.address))
	e.t.Cleanup(proxy.Close)
	e.operatorEnvironment = append(e.operatorEnvironment, "HTTPS_PROXY="+proxy.URL)
	return v
}

// tunnelTo is a proxy that connects everything to one address.
func tunnelTo(address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		far, err := net.Dial("tcp", address)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer far.Close()
		near, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer near.Close()
		if _, err := io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(far, buffered)
			_ = far.(*net.TCPConn).CloseWrite()
		}()
		_, _ = io.Copy(near, far)
	})
}
