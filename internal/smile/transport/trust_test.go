package transport

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/smile-operator/smile-operator/internal/smile"
)

func fixed(roots *x509.CertPool) func() *x509.CertPool {
	return func() *x509.CertPool { return roots }
}

// TestRootsChange changes the certificate authorities while a connection is idle: it is not used again.
func TestRootsChange(t *testing.T) {
	secure := tlsServer(t, nil)
	right, wrong := x509.NewCertPool(), x509.NewCertPool()
	right.AddCert(secure.Certificate())
	var trusted atomic.Pointer[x509.CertPool]
	trusted.Store(wrong)
	client := clientAt(to(t, Config{Roots: trusted.Load}, secure.URL), secure.URL)
	for i, step := range []struct {
		roots *x509.CertPool
		want  error
	}{{wrong, smile.FailureCertificate}, {right, nil}, {right, nil}, {wrong, smile.FailureCertificate}, {right, nil}} {
		trusted.Store(step.roots)
		if err := create(t.Context(), client); !errors.Is(err, step.want) {
			t.Errorf("step %d: %v, want %v", i, err, step.want)
		}
	}
}

// TestExemptAddress resolves the vendor's names to 240.240.0.1, as a service mesh does. The address is dialed only if it is exempt and
// the Secret permits that.
func TestExemptAddress(t *testing.T) {
	resolver := resolving(t, [4]byte{240, 240, 0, 1})
	for name, test := range map[string]struct {
		exemptions []string
		permitted  bool
		dialed     bool
	}{
		"without exemption":                         {nil, true, false},
		"another exemption":                         {[]string{"10.0.0.0/8"}, true, false},
		"exempt, but the Secret does not permit it": {[]string{"240.240.0.0/16"}, false, false},
		"exempt": {[]string{"10.0.0.0/8", "240.240.0.0/16"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			policy, err := NewHostPolicy("", nil, test.exemptions...)
			if err != nil {
				t.Fatal(err)
			}
			transport := New(withDefaults(Config{Hosts: policy, AllowExemptAddresses: test.permitted, Resolver: resolver}))
			t.Cleanup(transport.CloseIdleConnections)
			ctx, cancel := context.WithTimeout(t.Context(), DefaultMutateTimeout)
			defer cancel()
			err = create(ctx, clientAt(transport, vendorSandbox))
			refused, isHost := errors.AsType[*smile.HostError](err)
			if err == nil || isHost == test.dialed {
				t.Errorf("got %v", err)
			}
			if isHost && !strings.Contains(refused.Remedy, "--vendor-address-exemptions") {
				t.Errorf("the remedy is %q", refused.Remedy)
			}
		})
	}
}

// resolving is a resolver that knows one address of each name. It asks a name server of its own.
func resolving(t *testing.T, address [4]byte) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := resolved(buffer[:n], address); answer != nil {
				_, _ = server.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func resolved(query []byte, address [4]byte) []byte {
	var message dnsmessage.Message
	if message.Unpack(query) != nil || len(message.Questions) != 1 {
		return nil
	}
	message.Response, message.Additionals = true, nil
	if question := message.Questions[0]; question.Type == dnsmessage.TypeA {
		message.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: address},
		}}
	}
	answer, err := message.Pack()
	if err != nil {
		return nil
	}
	return answer
}
