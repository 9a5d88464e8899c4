package cli

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// leafLife is the validity of the certificate that is made at each start.
	leafLife = 30 * 24 * time.Hour
	// authorityLife is the validity of the authority, which people trust once.
	authorityLife = 5 * 365 * 24 * time.Hour
	// authorityFile is the file in the data directory that keeps certificate and
	// key of the authority.
	authorityFile = "authority.pem"
)

// vendorHosts are the names that may resolve to the sandbox.
var vendorHosts = []string{"localhost", "*.smileapi.io"}

// authority signs the certificate of the sandbox.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// selfSigned makes a certificate for this machine and the vendor's hosts. Its
// authority is kept in the data directory, so that clients need to trust it only
// once. Without a directory, the authority is new and its key is discarded.
func selfSigned(now time.Time, dir string) (security, error) {
	signer, err := keptAuthority(now, dir)
	if err != nil {
		return security{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return security{}, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "smile-sandbox"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(leafLife),
		DNSNames: vendorHosts, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, signer.certificate, key.Public(), signer.key)
	if err != nil {
		return security{}, err
	}
	return security{
		config:    tlsConfig(tls.Certificate{Certificate: [][]byte{der, signer.certificate.Raw}, PrivateKey: key}),
		authority: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signer.certificate.Raw}),
	}, nil
}

// keptAuthority reads the authority from the directory. If there is none, or if it
// expires before the certificate that it is to sign, it makes another one.
func keptAuthority(now time.Time, dir string) (authority, error) {
	if dir == "" {
		return newAuthority(now)
	}
	path := filepath.Join(dir, authorityFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return authority{}, err
	}
	if err == nil {
		kept, err := readAuthority(text)
		if err != nil {
			return authority{}, fmt.Errorf("%s is damaged (%w): delete it to make another authority", path, err)
		}
		if kept.certificate.NotAfter.After(now.Add(leafLife)) {
			return kept, nil
		}
	}
	made, err := newAuthority(now)
	if err != nil {
		return authority{}, err
	}
	if text, err = made.pem(); err != nil {
		return authority{}, err
	}
	return made, os.WriteFile(path, text, 0o600)
}

func newAuthority(now time.Time) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	wanted := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "smile-sandbox authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, wanted, wanted, key.Public(), key)
	if err != nil {
		return authority{}, err
	}
	made, err := x509.ParseCertificate(der)
	return authority{made, key}, err
}

// pem is the certificate, followed by the key.
func (a authority) pem() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}))
	text.Write(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	return text.Bytes(), nil
}

func readAuthority(text []byte) (authority, error) {
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return authority{}, err
	}
	key, signs := pair.PrivateKey.(crypto.Signer)
	if !signs || !pair.Leaf.IsCA {
		return authority{}, errors.New("it is not an authority")
	}
	return authority{pair.Leaf, key}, nil
}
