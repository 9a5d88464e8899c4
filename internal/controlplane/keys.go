package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
)

// keysValid is how long the certificates of a control plane last, and so how
// long one can be left running.
const keysValid = 365 * 24 * time.Hour

// keys is the authority of one control plane, and the files that its
// components read.
type keys struct {
	dir   string
	ca    *x509.Certificate
	caKey crypto.Signer
	caPEM []byte
	// adminCert and adminKey belong to a member of system:masters.
	adminCert, adminKey []byte
}

// The files of keys.
const (
	caFile         = "ca.crt"
	caKeyFile      = "ca.key"
	servingFile    = "serving.crt"
	servingKeyFile = "serving.key"
	tokenKeyFile   = "service-account.key"
)

// newKeys makes an authority, a serving certificate for the loopback address,
// a key to sign service account tokens with, and an administrator.
func newKeys(dir string) (*keys, error) {
	k := &keys{dir: filepath.Join(dir, "keys")}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return nil, err
	}
	if err := k.foundAuthority(); err != nil {
		return nil, err
	}
	serving, servingKey, err := k.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost"},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.ParseIP(loopback)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return nil, err
	}
	_, tokenKey, err := newKey()
	if err != nil {
		return nil, err
	}
	if k.adminCert, k.adminKey, err = k.client("smile-admin", "system:masters"); err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{servingFile: serving, servingKeyFile: servingKey, tokenKeyFile: tokenKey} {
		if err := os.WriteFile(k.file(name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func (k *keys) foundAuthority() error {
	key, keyPEM, err := newKey()
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "smile-control-plane"},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := sign(template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if k.ca, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	k.caKey, k.caPEM = key, encode("CERTIFICATE", der)
	if err := os.WriteFile(k.file(caFile), k.caPEM, 0o600); err != nil {
		return err
	}
	return os.WriteFile(k.file(caKeyFile), keyPEM, 0o600)
}

// client issues a certificate for a Kubernetes user.
func (k *keys) client(user string, groups ...string) (cert, key []byte, err error) {
	return k.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// issue returns a certificate and its new key, both in PEM.
func (k *keys) issue(template *x509.Certificate) (cert, key []byte, err error) {
	signer, keyPEM, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := sign(template, k.ca, signer.Public(), k.caKey)
	if err != nil {
		return nil, nil, err
	}
	return encode("CERTIFICATE", der), keyPEM, nil
}

// admin is the administrator's access to the API server at url.
func (k *keys) admin(url string) *rest.Config { return k.access(url, k.adminCert, k.adminKey) }

func (k *keys) access(url string, cert, key []byte) *rest.Config {
	return &rest.Config{
		Host:            url,
		TLSClientConfig: rest.TLSClientConfig{CAData: k.caPEM, CertData: cert, KeyData: key},
		QPS:             -1,
	}
}

func (k *keys) file(name string) string { return filepath.Join(k.dir, name) }

func sign(template, parent *x509.Certificate, key crypto.PublicKey, by crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = now.Add(-time.Minute), now.Add(keysValid)
	return x509.CreateCertificate(rand.Reader, template, parent, key, by)
}

func newKey() (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, encode("EC PRIVATE KEY", der), nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
