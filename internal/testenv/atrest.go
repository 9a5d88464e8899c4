package testenv

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Encryption is the configuration by which the API server encrypts Secrets and our objects before etcd has them, as a cluster
// that holds personal data should. docs/privacy.md shows it. <key> stands for 32 random bytes in base64.
const Encryption = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets, "*.smile-operator.io"]
    providers:
      - secretbox: {keys: [{name: key1, secret: <key>}]}
      - identity: {}
`

// encrypting writes that configuration with a new key into a directory, and returns the API server's flag for it.
func encrypting(dir string) (string, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	path := filepath.Join(dir, "encryption.yaml")
	config := strings.Replace(Encryption, "<key>", base64.StdEncoding.EncodeToString(key), 1)
	return "--encryption-provider-config=" + path, os.WriteFile(path, []byte(config), 0o600)
}

// AtRest reports which of some texts are readable in the files of etcd, which are not compressed, or in a snapshot of etcd.
func (w *World) AtRest(texts []string) map[string]bool {
	w.Helper()
	running, err := shared()
	w.must(err)
	found := map[string]bool{}
	search := func(content []byte) {
		for _, text := range texts {
			found[text] = found[text] || bytes.Contains(content, []byte(text))
		}
	}
	files := os.DirFS(filepath.Join(running.plane.Dir(), "etcd"))
	w.must(fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		search(content)
		return err
	}))
	snapshot, err := running.plane.Snapshot(w.Context())
	w.must(err)
	search(snapshot)
	return found
}
