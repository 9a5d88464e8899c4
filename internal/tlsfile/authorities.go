package tlsfile

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

// rereadInterval is how long a change of the file of Authorities may take to be noticed.
const rereadInterval = 10 * time.Second

// Authorities are the system's certificate authorities and those of a PEM file. The file is read again when it changes.
type Authorities struct {
	path  string
	clock clock.PassiveClock
	log   logr.Logger

	mu      sync.Mutex
	read    time.Time
	content []byte
	pool    *x509.CertPool
	broken  bool
}

// OpenAuthorities reads the file for the first time. It must contain a certificate.
func OpenAuthorities(path string, clock clock.PassiveClock, log logr.Logger) (*Authorities, error) {
	a := &Authorities{path: path, clock: clock, log: log}
	return a, a.reread()
}

// Pool returns the present authorities. It is the same pool until the file changes. A file that cannot be read, or that contains
// no certificate, changes nothing.
func (a *Authorities) Pool() *x509.CertPool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.clock.Since(a.read) < rereadInterval {
		return a.pool
	}
	err := a.reread()
	if err != nil && !a.broken {
		a.log.Error(err, "the file of certificate authorities cannot be used: those of its last valid content stay trusted")
	}
	a.broken = err != nil
	return a.pool
}

func (a *Authorities) reread() error {
	a.read = a.clock.Now()
	content, err := os.ReadFile(a.path)
	if err != nil {
		return err
	}
	if a.pool != nil && bytes.Equal(content, a.content) {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without authorities
	}
	if !pool.AppendCertsFromPEM(content) {
		return fmt.Errorf("%s contains no certificate", a.path)
	}
	a.content, a.pool = content, pool
	return nil
}
