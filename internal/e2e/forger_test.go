//go:build e2e

package e2e

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/util/cert"
)

// forger is a process at another one's address, with a certificate of its own. It keeps what it is sent.
type forger struct {
	mu   sync.Mutex
	sent [][]byte
}

// forge listens at an address until the test ends.
func forge(t *testing.T, address string) *forger {
	t.Helper()
	chain, key, err := cert.GenerateSelfSignedCertKey("leader.smile-operator.internal", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	f, done := &forger{}, make(chan struct{})
	go func() {
		defer close(done)
		f.serve(listener)
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return f
}

func (f *forger) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		f.keep(conn)
	}
}

// keep reads what a connection brings, also if it is given up.
func (f *forger) keep(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	var text bytes.Buffer
	_, _ = text.ReadFrom(conn)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, text.Bytes())
}

// heads are what each connection brought.
func (f *forger) heads() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([][]byte(nil), f.sent...)
}
