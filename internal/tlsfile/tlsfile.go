// Package tlsfile serves certificates from files, and reads them again when they change.
package tlsfile

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// Get returns the present certificate of a server.
type Get func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// Open reads a certificate and its key, and reads them again when they change, until ctx ends.
func Open(ctx context.Context, certFile, keyFile string, log logr.Logger) (Get, error) {
	watcher, err := certwatcher.New(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	go watch(ctx, watcher, log)
	return watcher.GetCertificate, nil
}

// watch reads the certificate again when it changes. While its files cannot be watched, it reads them every few seconds, because
// a watcher gives up after that time.
func watch(ctx context.Context, watcher *certwatcher.CertWatcher, log logr.Logger) {
	for {
		err := watcher.Start(ctx)
		if ctx.Err() != nil {
			return
		}
		log.Error(errors.Join(err, watcher.ReadCertificate()), "the files of the certificate cannot be watched; retrying")
	}
}
