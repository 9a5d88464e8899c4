package cli

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/internal/sandbox/disk"
)

// TestAuthorityIsKept: a client that trusted the authority trusts it after a
// restart.
func TestAuthorityIsKept(t *testing.T) {
	dir := t.TempDir()
	var first []byte
	for range 2 {
		s := start(t, "--tls-self-signed", "--data", dir)
		status, authority := fetch(t, s.url+"/_sandbox/ca.pem", nil)
		if status != http.StatusOK || first != nil && !bytes.Equal(authority, first) {
			t.Errorf("%d %s, before %s", status, authority, first)
		}
		first = authority
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, authorityFile), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fails(t, "--tls-self-signed", "--data", dir); !strings.Contains(err.Error(), "delete it") {
		t.Error(err)
	}
}

// fails runs the command, which must not start.
func fails(t *testing.T, args ...string) error {
	t.Helper()
	command := newCommand()
	command.SetArgs(append([]string{"--addr", "127.0.0.1:0"}, args...))
	command.SetOut(io.Discard)
	err := command.ExecuteContext(t.Context())
	if err == nil {
		t.Fatal("it ran")
	}
	return err
}

func TestSecondProcessIsTold(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, "--data", dir)
	defer p.kill()
	err := fails(t, "--data", dir)
	if !strings.Contains(err.Error(), "in use by another process") || !strings.Contains(err.Error(), "--data") {
		t.Error(err)
	}
}

// TestDamagedData overwrites or cuts off each part of the file.
func TestDamagedData(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, "--data", dir)
	for range 100 {
		p.call(http.MethodPost, "/v1/users", `{"externalMetadata":{"padding":"`+strings.Repeat("x", 400)+`"}}`)
	}
	p.kill()
	path := filepath.Join(dir, "smile-sandbox.db")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	damaged := 0
	for at := 0; at < len(whole); at += page {
		overwritten := bytes.Clone(whole)
		for i := at; i < min(at+page, len(whole)); i++ {
			overwritten[i] = byte(i*7) | 1
		}
		for _, text := range [][]byte{overwritten, whole[:at+page/2]} {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			p := launchOrFail(t, "--data", dir)
			if strings.Contains(p, "panic") || strings.Contains(p, "fault") && !strings.Contains(p, disk.ErrDamaged.Error()) {
				t.Errorf("page %d: %s", at/page, p)
			}
			if strings.Contains(p, disk.ErrDamaged.Error()) && strings.Contains(p, "restore it from a copy") {
				damaged++
			}
		}
	}
	if damaged == 0 {
		t.Error(errors.New("no damage was noticed"))
	}
	t.Logf("%d of %d damaged files were refused", damaged, 2*(len(whole)+page-1)/page)
}
