package receiver_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/receiver"
)

func TestTheCertificateIsReloadedWhenItChanges(t *testing.T) {
	s, dir := newScene(t), t.TempDir()
	first := receiver.Certificate(t, dir, 1)
	url := s.start(t, func(server *receiver.Server) {
		server.CertFile, server.KeyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	})
	address := strings.TrimPrefix(url, "http://")
	healthy := func(trusted *x509.Certificate) error {
		roots := x509.NewCertPool()
		roots.AddCert(trusted)
		transport := &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "receiver", MinVersion: tls.VersionTLS12},
		}
		answer, err := transport.RoundTrip(must(http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/healthz", http.NoBody)))
		if err == nil {
			answer.Body.Close()
		}
		return err
	}
	if err := healthy(first); err != nil {
		t.Fatal(err)
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	receiver.Replace(t, filepath.Join(dir, "tls.crt"), []byte("half a certificate"))
	if err := healthy(first); err != nil {
		t.Errorf("while the file holds none: %v", err)
	}
	second := receiver.Certificate(t, dir, 2)
	for deadline := time.Now().Add(time.Minute); healthy(second) != nil; { // files are watched in real time
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not shown")
		}
	}
	if err := healthy(first); err == nil {
		t.Error("the old certificate is still shown")
	}
}
