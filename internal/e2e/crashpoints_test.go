//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

var discarded = log.New(io.Discard, "", 0)

const (
	// reachLimit is the longest time until a call is made on a busy machine: a start is slow, and the Secret of a connection is
	// read again after 30 s.
	reachLimit = 4 * time.Minute
	// repeatLimit is how long the test waits for a call that was already made in the same run. How often a call is
	// repeated depends on timing: two readers that come at once share one read.
	repeatLimit = time.Minute
	// notRepeated is the result of a run without the repetition.
	notRepeated = "not repeated"
	// quietLimit is the longest time until the final state: the settle time of 2 min and what follows it.
	quietLimit = 5 * time.Minute
)

// TestCrashPoints records every call that the operator makes on each journey, to the API server and to Smile, and then
// travels again once for each call and end of it: the operator is killed when it is about to send the call, or when
// the call was carried out and not answered. The next process must bring everything to the same end.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	eachJourney(t, func(t *testing.T, j journey) {
		points := j.record(t)
		results := newTable(points, "before", "after it was done")
		t.Cleanup(func() { t.Logf("%s: %d calls, each cut off twice\n%s", j.name, len(points), results) })
		for _, at := range points {
			for _, where := range []phase{arrived, made} {
				t.Run(fmt.Sprintf("%s: %s", at, where), func(t *testing.T) {
					t.Parallel()
					results.note(at, int(where), "FAILED")
					results.note(at, int(where), j.crash(t, at, where))
				})
			}
		}
	})
}

// journeyFlags are the flags of an operator on a journey.
func (e *environment) journeyFlags() []string {
	return []string{e.only(), "--receiver-bind-address=127.0.0.1:0", "--receiver-base-url=" + receivers, "--webhook-overlap=3s"}
}

// set makes an environment in which the journey can begin. No poll is due during the journey: it would be a call in some runs
// only.
func (j journey) set(t *testing.T) *environment {
	e := newEnvironment(t, sandbox.Options{AllowHTTPWebhooks: true},
		v1alpha1.SmileConnectionSpec{ResyncInterval: &metav1.Duration{Duration: day}})
	if j.prepare != nil {
		o := e.operator(t, e.journeyFlags()...)
		j.prepare(e)
		o.stop()
	}
	j.begin(e)
	return e
}

func (j journey) arrives(e *environment) time.Duration {
	e.t.Helper()
	return within(e.t, quietLimit, "the journey is done", func() (bool, string) {
		state := j.done(e)
		return state == "", state
	})
}

// record runs the journey without faults, and returns the calls that were made.
func (j journey) record(t *testing.T) []point {
	t.Helper()
	e := j.set(t)
	through := newTap(e.namespace)
	o := e.tapped(through, e.journeyFlags()...)
	o.start()
	j.arrives(e)
	// Events are written concurrently, and several may be grouped: only the first is certain to occur again.
	points := slices.DeleteFunc(through.taken(), func(at point) bool { return strings.HasSuffix(at.call, "/events") && at.nth > 1 })
	o.stop()
	j.right(e)
	if len(points) < 5 {
		t.Fatalf("only %d calls were recorded: %v", len(points), points)
	}
	return points
}

// crash runs the journey with a process that is killed at a point, and another one after it. It returns the time from there to
// the end of the journey.
func (j journey) crash(t *testing.T, at point, where phase) string {
	e := j.set(t)
	through := newTap(e.namespace)
	through.hold(at, where)
	o := e.tapped(through, e.journeyFlags()...)
	o.start()
	if !through.reaches(t, at) {
		j.ends(e)
		return notRepeated
	}
	o.kill()
	through.release()
	o.start()
	return seconds(j.ends(e))
}

// reaches waits until a call is made. It reports false if the call is only a repetition, and this run makes none.
func (t *tap) reaches(test *testing.T, at point) bool {
	test.Helper()
	began := time.Now()
	within(test, reachLimit, "the call is made: "+at.String(), func() (bool, string) {
		return t.isSprung() || at.nth > 1 && time.Since(began) > repeatLimit, fmt.Sprint(t.taken())
	})
	return t.isSprung()
}

// ends waits for the end of the journey, and asserts that its final state is right and does not change.
func (j journey) ends(e *environment) time.Duration {
	e.t.Helper()
	took := j.arrives(e)
	during(e.t, 3*time.Second, func() string { return j.done(e) })
	j.right(e)
	if e.t.Failed() {
		e.t.FailNow() // the table of results says so
	}
	return took
}

// table holds, for each call, the results of several trials.
type table struct {
	heads  []string
	points []point

	mu    sync.Mutex
	cells map[point][]string
}

func newTable(points []point, heads ...string) *table {
	t := &table{heads: heads, points: slices.Clone(points), cells: map[point][]string{}}
	for _, at := range points {
		t.cells[at] = slices.Repeat([]string{"NOT REACHED"}, len(heads))
	}
	return t
}

func (t *table) note(at point, column int, result string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cells[at][column] = result
}

func (t *table) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var text strings.Builder
	row := func(name string, cells []string) {
		fmt.Fprintf(&text, "%-110s", name)
		for _, cell := range cells {
			fmt.Fprintf(&text, " %-18s", cell)
		}
		text.WriteString("\n")
	}
	row("call", t.heads)
	for _, at := range t.points {
		row(at.String(), t.cells[at])
	}
	return text.String()
}
