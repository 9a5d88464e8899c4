//go:build e2e

// Package docstest runs the commands of the sandbox's documentation.
package docstest

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const root = "../../.."

// block is a fenced block. Kind is what follows the fence.
type block struct{ kind, text string }

// blocks are those of a page.
func blocks(t *testing.T, page string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var found []block
	for _, match := range regexp.MustCompile("(?ms)^```([^\n]+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		found = append(found, block{match[1], match[2]})
	}
	return found
}

// workplace is a directory that looks like the repository, but what is written there is
// removed.
func workplace(t *testing.T) string {
	t.Helper()
	from, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, entry := range entries {
		if entry.Name() == "bin" {
			continue
		}
		if err := os.Symlink(filepath.Join(from, entry.Name()), filepath.Join(dir, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// shell runs commands in a directory. They are the input, so that bash stops at the
// first that fails.
func shell(t *testing.T, dir, commands string, environment ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	bash := exec.CommandContext(ctx, "bash", "-euo", "pipefail")
	bash.Dir, bash.Stdin, bash.Env = dir, strings.NewReader(commands), append(os.Environ(), environment...)
	out, err := bash.CombinedOutput()
	return string(out), err
}

// serve runs commands that do not end until they print the ready line. They are stopped
// with the test.
func serve(t *testing.T, dir, commands string) {
	t.Helper()
	bash := exec.Command("bash", "-euc", commands)
	bash.Dir, bash.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true}
	var problems bytes.Buffer
	bash.Stderr = &problems
	out, err := bash.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bash.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	t.Cleanup(func() {
		_ = syscall.Kill(-bash.Process.Pid, syscall.SIGTERM)
		_ = bash.Wait()
	})
	if err != nil || !strings.HasPrefix(line, "smile-sandbox listens on ") {
		t.Fatalf("%s\nprints %q, %v\n%s", commands, line, err, problems.String())
	}
}

// TestPages: the commands of both pages work as they are, on another port.
func TestPages(t *testing.T) {
	t.Setenv("GOFLAGS", "-trimpath") // or the cache of the compiler would be of no use in another directory
	dir := workplace(t)
	t.Run("sandbox.md", func(t *testing.T) { sandboxPage(t, dir) })
	t.Run("sandbox-tests.md", func(t *testing.T) { testsPage(t, dir) })
}

// sandboxPage runs the commands of sandbox.md in this order, in one shell.
func sandboxPage(t *testing.T, dir string) {
	// The page's contract run names the vendor's document, which is not part of this repository.
	spec, err := os.ReadFile(filepath.Join(root, "internal/sandbox/contract/tour/testdata/users.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "openapi-v1.yaml"), spec, 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	var session strings.Builder
	ran := 0
	for _, b := range blocks(t, "sandbox.md") {
		text := strings.ReplaceAll(b.text, "8484", port)
		switch b.kind {
		case "sh server":
			serve(t, dir, strings.Replace(text, "bin/smile-sandbox", "bin/smile-sandbox --addr 127.0.0.1:"+port, 1))
		case "sh":
			session.WriteString(text)
			ran++
		}
	}
	out, err := shell(t, dir, session.String())
	if err != nil || ran < 6 {
		t.Fatalf("%d blocks, %v\n%s\n%s", ran, err, session.String(), out)
	}
	for _, want := range []string{
		`"connectionStatus":"CONNECTED"`, `"con-`, `"eventTypes":["ALL_EVENTS"]`, `"action":"duplicate:3"`, `"now":`,
		`"operation":"create-user"`, `"fileType":"PAYSLIP"`, "0 violations",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in\n%s", want, out)
		}
	}
}

// testsPage runs the scenario and the test in Node, with the program that sandbox.md builds.
func testsPage(t *testing.T, dir string) {
	ran := map[string]int{}
	for _, b := range blocks(t, "sandbox-tests.md") {
		commands := b.text
		switch {
		case b.kind == "js":
			if err := os.WriteFile(filepath.Join(dir, "sandbox.test.mjs"), []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			commands = "node --test sandbox.test.mjs"
		case b.kind != "sh" || strings.HasPrefix(b.text, "go get"):
			continue
		}
		ran[b.kind]++
		if out, err := shell(t, dir, commands, "SMILE_SANDBOX=bin/smile-sandbox"); err != nil {
			t.Errorf("%s: %v\n%s", commands, err, out)
		}
	}
	if ran["js"] != 1 || ran["sh"] != 1 {
		t.Errorf("ran %v", ran)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "result.xml")); err != nil || !strings.Contains(string(text), `failures="0"`) {
		t.Errorf("%v %s", err, text)
	}
}
