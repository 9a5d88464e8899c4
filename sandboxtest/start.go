package sandboxtest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TB is the part of testing.TB that this package uses. *testing.T, *testing.B and
// Ginkgo's GinkgoT() implement it.
type TB interface {
	Helper()
	Fatalf(format string, values ...any)
	Cleanup(func())
	Context() context.Context
}

// Options of a sandbox. The zero value is a sandbox with the key pair
// sandbox-key:sandbox-secret, without delays and without a rate limit, which accepts
// webhooks with http:// URLs.
type Options struct {
	// Keys are pairs such as key:secret or key:secret:PRODUCTION. Each has users of
	// its own.
	Keys []string
	// RateLimit is how many calls one address may make within a second; 0 is no limit.
	// Smile permits 20.
	RateLimit int
	// Quirks select what Smile's documents leave open: smile-sandbox --help lists
	// them.
	Quirks map[string]string
	// Seed determines all ids; by default they are random.
	Seed string
	// LinkDelay is how long an account stays PENDING, DataDelay how long after
	// connecting its data is readable, and DataLife how long data is kept (default 60
	// days), all on the sandbox clock.
	LinkDelay, DataDelay, DataLife time.Duration
	// WebhookRetry is the time between the three attempts of a delivery, on the sandbox
	// clock; default 30 s. WebhookTimeout bounds an attempt, in real time; default 10 s.
	WebhookRetry, WebhookTimeout time.Duration
	// Data is a directory that keeps the state; by default it is in memory.
	Data string
}

const (
	defaultKeys = "sandbox-key:sandbox-secret"
	// startLimit is how long a sandbox may take to start, stopLimit to stop.
	startLimit, stopLimit = 30 * time.Second, 10 * time.Second
	// readyLine is how the first line of the program begins. The URL follows.
	readyLine = "smile-sandbox listens on "
)

func (o Options) keys() string { return cmp.Or(strings.Join(o.Keys, ","), defaultKeys) }

// Start runs a sandbox inside the test.
func Start(tb TB, o Options) *Sandbox {
	tb.Helper()
	keys, err := sandbox.ParseKeys(o.keys())
	if err != nil {
		tb.Fatalf("sandboxtest: Options.Keys: %v", err)
	}
	served, err := sandbox.Start(sandbox.Options{
		Keys: keys, RateLimit: o.RateLimit, Quirks: o.Quirks, Seed: o.Seed, Data: o.Data,
		LinkDelay: o.LinkDelay, DataDelay: o.DataDelay, DataLife: o.DataLife,
		WebhookRetry: o.WebhookRetry, WebhookTimeout: o.WebhookTimeout, AllowHTTPWebhooks: true,
	})
	if err != nil {
		tb.Fatalf("sandboxtest: %v", err)
	}
	tb.Cleanup(served.Close)
	return newSandbox(tb, served.URL, o.keys())
}

// Connect uses a sandbox that runs already, for example in a container. It waits up to
// 30 s until the sandbox serves. keys is a key pair, key:secret; default
// sandbox-key:sandbox-secret. The sandbox goes on when the test ends; see [Sandbox.Reset].
func Connect(tb TB, url, keys string) *Sandbox {
	tb.Helper()
	s := newSandbox(tb, strings.TrimSuffix(url, "/"), cmp.Or(keys, defaultKeys))
	var last error
	if !s.wait(startLimit, func() bool {
		last = s.call(http.MethodGet, "healthz", nil, nil)
		return last == nil
	}) {
		tb.Fatalf("sandboxtest: %s does not serve: %v", url, last)
	}
	return s
}

// Process is the program smile-sandbox.
type Process struct {
	// Path is the program; default is smile-sandbox in the PATH.
	Path string
	// Args are further flags.
	Args []string
	Options
}

// arguments are the flags of the program.
func (p Process) arguments() []string {
	var quirks []string
	for _, name := range slices.Sorted(maps.Keys(p.Quirks)) {
		quirks = append(quirks, name+"="+p.Quirks[name])
	}
	all := []string{
		"--addr=127.0.0.1:0", "--allow-http-webhooks", "--keys=" + p.keys(), fmt.Sprintf("--rate-limit=%d", p.RateLimit),
		"--quirks=" + strings.Join(quirks, ","), "--seed=" + p.Seed, "--data=" + p.Data,
	}
	for flag, value := range map[string]time.Duration{
		"link-delay": p.LinkDelay, "data-delay": p.DataDelay, "data-life": p.DataLife,
		"webhook-retry": p.WebhookRetry, "webhook-timeout": p.WebhookTimeout,
	} {
		if value > 0 {
			all = append(all, fmt.Sprintf("--%s=%s", flag, value))
		}
	}
	return append(all, p.Args...)
}

// StartProcess runs the program smile-sandbox, and stops it when the test ends.
func StartProcess(tb TB, p Process) *Sandbox {
	tb.Helper()
	running, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	program := exec.CommandContext(running, cmp.Or(p.Path, "smile-sandbox"), p.arguments()...)
	program.Cancel = func() error { return program.Process.Signal(syscall.SIGTERM) }
	program.WaitDelay = stopLimit
	var problems bytes.Buffer
	output := &firstLine{found: make(chan string, 1)}
	program.Stdout, program.Stderr = output, &problems
	if err := program.Start(); err != nil {
		stop()
		tb.Fatalf("sandboxtest: %v", err)
	}
	var outcome error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		outcome = program.Wait()
	}()
	select {
	case line := <-output.found:
		tb.Cleanup(func() {
			stop()
			<-ended
		})
		url, found := strings.CutPrefix(line, readyLine)
		if !found {
			tb.Fatalf("sandboxtest: the first line of %s is %q", program.Path, line)
		}
		return newSandbox(tb, url, p.keys())
	case <-ended:
		stop()
		tb.Fatalf("sandboxtest: %s: %v\n%s", program.Path, outcome, problems.String())
	case <-time.After(startLimit):
		stop()
		<-ended
		tb.Fatalf("sandboxtest: %s does not serve after %s", program.Path, startLimit)
	}
	return nil
}

// firstLine finds the first line of what is written.
type firstLine struct {
	mu    sync.Mutex
	text  []byte
	done  bool
	found chan string
}

func (f *firstLine) Write(text []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.done {
		f.text = append(f.text, text...)
		if line, _, complete := strings.Cut(string(f.text), "\n"); complete {
			f.done = true
			f.found <- line
		}
	}
	return len(text), nil
}
