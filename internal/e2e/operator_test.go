//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/smile-operator/smile-operator/internal/child"
	"github.com/smile-operator/smile-operator/internal/controlplane"
)

// stopLimit is the longest time of an orderly shutdown of the operator.
const stopLimit = 20 * time.Second

var processes atomic.Int32

// operator is one instance of the operator, that can be ended and started again with the same flags.
type operator struct {
	t       *testing.T
	suite   *suite
	log     string
	metrics string // address
	flags   []string
	// environment of the process.
	environment []string

	// process is nil before the first start.
	process *child.Process
}

// operator starts an instance with the sandbox of the environment as Smile.
func (e *environment) operator(t *testing.T, flags ...string) *operator {
	t.Helper()
	o := e.newOperator(t, flags...)
	o.start()
	return o
}

// newOperator makes an instance that is not started yet.
func (e *environment) newOperator(t *testing.T, flags ...string) *operator {
	t.Helper()
	o := &operator{
		t: t, suite: e.suite, metrics: freeAddress(t),
		environment: append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + e.dir, "KUBECONFIG=" + e.operatorConfig}, e.operatorEnvironment...),
		log:         filepath.Join(e.dir, fmt.Sprintf("operator-%s-%d.log", e.namespace, processes.Add(1))),
	}
	o.flags = append([]string{
		"--sandbox-endpoint=" + e.remote.endpoint(),
		"--metrics-bind-address=" + o.metrics,
		"--health-probe-bind-address=0",
		"--lease-name=" + e.namespace, // operators of other environments have the same namespace
	}, flags...)
	t.Cleanup(func() {
		if o.process != nil {
			o.kill()
			o.inspect()
		}
	})
	return o
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := controlplane.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func (o *operator) start() {
	o.t.Helper()
	log, err := os.OpenFile(o.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		o.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(o.suite.binary, o.flags...)
	cmd.Env, cmd.Stdout, cmd.Stderr = o.environment, log, log
	if o.process, err = child.Start(cmd); err != nil {
		o.t.Fatalf("starting the operator: %v", err)
	}
}

func (o *operator) running() bool { return o.process.Running() }

// alive returns how the process ended, if it did.
func (o *operator) alive() (ended string) {
	if o.running() {
		return ""
	}
	return "the operator ended:\n" + o.tail()
}

func (o *operator) signal(s syscall.Signal) {
	o.t.Helper()
	if err := o.process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		o.t.Fatalf("signal %s to the operator: %v", s, err)
	}
}

// kill ends the process without a chance to clean up, also one that is stopped.
func (o *operator) kill() {
	o.t.Helper()
	o.signal(syscall.SIGKILL)
	<-o.process.Done()
}

// stop ends the process in an orderly way and returns how long that took.
func (o *operator) stop() time.Duration {
	o.t.Helper()
	began := time.Now()
	o.signal(syscall.SIGTERM)
	select {
	case <-o.process.Done():
	case <-time.After(stopLimit):
		o.t.Fatalf("the operator had not ended %s after SIGTERM:\n%s", stopLimit, o.tail())
	}
	if err := o.process.Err(); err != nil {
		o.t.Errorf("the operator ended after SIGTERM with %v:\n%s", err, o.tail())
	}
	return time.Since(began)
}

// inspect fails the test for what must never be in a log, and shows its end when the test failed.
func (o *operator) inspect() {
	o.t.Helper()
	log := o.text()
	for _, sign := range []string{"DATA RACE", "panic:", "Observed a panic", "fatal error:"} {
		if at := strings.Index(log, sign); at >= 0 {
			o.t.Errorf("the operator's log %s:\n%.4000s", o.log, log[at:])
		}
	}
	if o.t.Failed() {
		o.t.Logf("the end of %s:\n%s", o.log, o.tail())
	}
}

func (o *operator) text() string {
	o.t.Helper()
	log, err := os.ReadFile(o.log)
	if err != nil {
		o.t.Fatal(err)
	}
	return string(log)
}

// tail is the end of the log, without stack traces.
func (o *operator) tail() string {
	const lines = 15
	all := strings.Split(strings.TrimSpace(o.text()), "\n")
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		all[i], _, _ = strings.Cut(line, `,"stacktrace":`)
	}
	return strings.Join(all, "\n")
}

// scrape reads the metrics; nil as long as there are none.
func (o *operator) scrape() []byte {
	answer, err := http.Get("http://" + o.metrics + "/metrics")
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		return nil
	}
	return text.Bytes()
}

// metric adds up the counters of a name whose labels have these values, whatever their names.
func (o *operator) metric(name string, values ...string) float64 {
	o.t.Helper()
	text := o.scrape()
	if text == nil {
		return 0
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		o.t.Fatalf("reading the metrics: %v", err)
	}
	sum := 0.0
	for _, metric := range families[name].GetMetric() {
		if labeled(metric, values) {
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return sum
}

func labeled(metric *dto.Metric, values []string) bool {
	held := map[string]bool{}
	for _, label := range metric.GetLabel() {
		held[label.GetValue()] = true
	}
	for _, value := range values {
		if !held[value] {
			return false
		}
	}
	return true
}

// in returns the same instance for a subtest.
func (o *operator) in(t *testing.T) *operator {
	o.t = t
	return o
}
