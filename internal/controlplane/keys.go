package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// keysValid is how long the certificates of a control plane are valid, and so how long it can run. Those of envtest are valid for
// a week.
const keysValid = 365 * 24 * time.Hour

// keys is the certificate authority of one control plane, with the files that its components read.
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

// newKeys creates an authority, a serving certificate for the loopback address, a key that signs the tokens of service accounts,
// and an administrator.
func newKeys(dir string) (*keys, error) {
	k := &keys{dir: filepath.Join(dir, "keys")}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return nil, err
	}
	if err := k.createAuthority(); err != nil {
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

func (k *keys) createAuthority() error {
	key, keyPEM, err := newKey()
	if err != nil {
		return err
	}
	k.caKey = key
	if k.ca, err = cert.NewSelfSignedCACert(cert.Config{CommonName: "smile-control-plane"}, key); err != nil {
		return err
	}
	if k.caPEM, err = cert.EncodeCertificates(k.ca); err != nil {
		return err
	}
	if err := os.WriteFile(k.file(caFile), k.caPEM, 0o600); err != nil {
		return err
	}
	return os.WriteFile(k.file(caKeyFile), keyPEM, 0o600)
}

// client issues a certificate for a Kubernetes user.
func (k *keys) client(user string, groups ...string) (certPEM, keyPEM []byte, err error) {
	return k.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// issue completes and signs a template, and returns the certificate and its new key.
func (k *keys) issue(template *x509.Certificate) (certPEM, keyPEM []byte, err error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template.NotBefore, template.NotAfter = now.Add(-time.Minute), now.Add(keysValid)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, k.ca, key.Public(), k.caKey)
	if err != nil {
		return nil, nil, err
	}
	certPEM, err = cert.EncodeCertificates(&x509.Certificate{Raw: der})
	return certPEM, keyPEM, err
}

// admin is the administrator's access to the API server at url.
func (k *keys) admin(url string) *rest.Config { return k.access(url, k.adminCert, k.adminKey) }

func (k *keys) access(url string, certPEM, keyPEM []byte) *rest.Config {
	return &rest.Config{
		Host:            url,
		TLSClientConfig: rest.TLSClientConfig{CAData: k.caPEM, CertData: certPEM, KeyData: keyPEM},
		QPS:             -1,
	}
}

func (k *keys) file(name string) string { return filepath.Join(k.dir, name) }

func newKey() (key crypto.Signer, keyPEM []byte, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, err
	}
	keyPEM, err = keyutil.MarshalPrivateKeyToPEM(key)
	return key, keyPEM, err
}
