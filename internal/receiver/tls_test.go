package receiver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/receiver"
)

// certificate writes a new certificate of 127.0.0.1 with this number, as a mounted Secret is updated: all at once.
func certificate(t *testing.T, dir string, number int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(number), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"receiver"},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"tls.key": {Type: "PRIVATE KEY", Bytes: secret}, "tls.crt": {Type: "CERTIFICATE", Bytes: der}} {
		replace(t, filepath.Join(dir, name), pem.EncodeToMemory(block))
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func replace(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestTheCertificateIsReadAgainWhenItChanges(t *testing.T) {
	s, dir := newScene(t), t.TempDir()
	first := certificate(t, dir, 1)
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
	replace(t, filepath.Join(dir, "tls.crt"), []byte("half a certificate"))
	if err := healthy(first); err != nil {
		t.Errorf("while the file holds none: %v", err)
	}
	second := certificate(t, dir, 2)
	for deadline := time.Now().Add(time.Minute); healthy(second) != nil; { // files are watched in real time
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not shown")
		}
	}
	if err := healthy(first); err == nil {
		t.Error("the old certificate is still shown")
	}
}
