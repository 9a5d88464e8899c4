package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"
)

// certificateLife is how long a process may run at most before its certificate expires. Forwarders do not check that; other
// clients never see the certificate.
const certificateLife = 10 * 365 * 24 * time.Hour

// Ephemeral is the certificate that this process shows to replicas that forward calls to it. Its key is never stored.
type Ephemeral struct{ certificate tls.Certificate }

// NewEphemeral makes a certificate.
func NewEphemeral() (*Ephemeral, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of this process: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{leaderName}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the certificate of this process: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of this process: %w", err)
	}
	return &Ephemeral{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}}, nil
}

// At returns the Leader that a process with this certificate and address is.
func (e *Ephemeral) At(address string) Leader {
	return Leader{Address: address, Certificate: fingerprint(e.certificate.Leaf)}
}
