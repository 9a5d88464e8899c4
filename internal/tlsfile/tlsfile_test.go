package tlsfile

import (
	"bytes"
	"context"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// write writes a new certificate and its key, each file all at once, and returns the certificate.
func write(t *testing.T, dir string) []byte {
	t.Helper()
	chain, key, err := cert.GenerateSelfSignedCertKey("server", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"tls.key": key, "tls.crt": chain} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	block, _ := pem.Decode(chain)
	return block.Bytes
}

func TestFilesThatAreNoCertificate(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(t.Context(), filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), logr.Discard()); err == nil {
		t.Error("missing files are a certificate")
	}
}

func TestACertificateThatCannotBeWatchedIsStillReloaded(t *testing.T) {
	dir := t.TempDir()
	write(t, dir)
	watcher, err := certwatcher.New(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	over, end := context.WithCancel(t.Context())
	end()
	_ = watcher.Start(over) // from now on it can watch nothing
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var logged strings.Builder
		log := funcr.New(func(_, line string) { logged.WriteString(line) }, funcr.Options{})
		var work sync.WaitGroup
		work.Go(func() { watch(ctx, watcher, log) })
		for number := range 3 {
			certificate := write(t, dir)
			time.Sleep(15 * time.Second)
			shown, err := watcher.GetCertificate(nil)
			if err != nil || !bytes.Equal(shown.Certificate[0], certificate) {
				t.Errorf("the certificate %d is not shown: %v", number, err)
			}
		}
		cancel()
		work.Wait()
		if !strings.Contains(logged.String(), "cannot be watched") {
			t.Errorf("logged %q", logged.String())
		}
	})
}
