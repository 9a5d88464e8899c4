//go:build e2e

package e2e

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// answerLimit is the longest time until a response. Smile's own timeout is not documented.
const answerLimit = 8 * time.Second

// withEvents creates users whose events an operator receives. It returns the operator, the ids of the users, and the sender.
func (e *environment) withEvents(n int) (*operator, []string, *sender) {
	e.t.Helper()
	sub, address := e.subscription("events"), freeAddress(e.t)
	e.create(sub)
	e.create(e.crowd("person", n)...)
	o := e.operator(e.t, e.only(), "--receiver-bind-address="+address, "--receiver-base-url="+receivers, "--api-requests-per-second=0")
	e.allReady(n, 2*time.Minute)
	e.becomes(sub, "True/Succeeded", time.Minute)
	return o, slices.Collect(maps.Values(e.ids())), e.sender(address)
}

// TestOnlyWhatIsKeptIsAcknowledged sends events while the API server is paused, and kills the operator as soon as it has
// acknowledged some.
func TestOnlyWhatIsKeptIsAcknowledged(t *testing.T) {
	e := newEnvironment(t, sandbox.Options{AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
	o, people, sender := e.withEvents(5)
	aboutEach := func(i int) []byte { return eventOf("TASK_FINISHED", people[i]) }

	resume := e.pauseAPIServer()
	statuses, took := sender.many(len(people), aboutEach)
	resume()
	t.Logf("with the API server paused: %v within %s", statuses, seconds(took))
	if statuses[http.StatusServiceUnavailable] != len(people) || took > answerLimit {
		t.Errorf("want only 503, within %s", answerLimit)
	}

	within(t, time.Minute, "events are acknowledged again", func() (bool, string) {
		statuses, _ := sender.many(1, aboutEach)
		return statuses[http.StatusNoContent] == 1, o.tail()
	})

	e.fail(sandbox.Fault{Operation: "list-accounts", Count: 1000, Phase: "before", Action: "hang"})
	sent := time.Now()
	if statuses, _ := sender.many(len(people), aboutEach); statuses[http.StatusNoContent] != len(people) {
		t.Fatalf("of %d events, %v got these statuses", len(people), statuses)
	}
	o.kill()
	e.fail()
	o.start()
	sentAt := map[string]time.Time{}
	for _, person := range people {
		sentAt[person] = sent
	}
	took = e.allRead(sentAt)
	t.Logf("of %d persons with events before the operator was killed, all were read %s after its start", len(people), seconds(took))
}

// pauseAPIServer suspends the API server. It returns a function that resumes it.
func (e *environment) pauseAPIServer() (resume func()) {
	e.t.Helper()
	signal := func(s syscall.Signal) {
		if err := e.plane.APIServer.Signal(s); err != nil {
			e.t.Fatal(err)
		}
	}
	began := time.Now()
	signal(syscall.SIGSTOP)
	resume = sync.OnceFunc(func() {
		signal(syscall.SIGCONT)
		e.away = append(e.away, [2]time.Time{began, time.Now().Add(time.Second)})
	})
	e.t.Cleanup(resume)
	return resume
}

// TestDuplicatesCostFewWrites delivers one event a thousand times. Those that request a read at once are grouped for a tenth of a
// second, the others for five.
func TestDuplicatesCostFewWrites(t *testing.T) {
	for kind, apart := range map[string]time.Duration{"IDENTITY_ADDED": hook.Pause, "TASK_FINISHED": 100 * time.Millisecond} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, sandbox.Options{AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
			_, people, sender := e.withEvents(1)
			body, place, before := eventOf(kind, people[0]), e.end(), e.remote.mark()
			statuses, span := sender.many(1000, func(int) []byte { return body })
			during(t, hook.Pause+time.Second, func() string { return "" })
			writes, reads := 0, 0
			for _, request := range e.writes(place) {
				if request.Resource == "smileusers/status" {
					writes++
				}
			}
			for _, call := range e.remote.Journal(before) {
				if call.Operation == "list-accounts" {
					reads++
				}
			}
			t.Logf("1,000 duplicates in %s: answered %v, %d writes of the hint, %d reads", seconds(span), statuses, writes, reads)
			if statuses[http.StatusNoContent] != 1000 {
				t.Errorf("want all acknowledged")
			}
			// The first, one for each whole pause while they were sent and watched, and the last.
			if most := 2 + int((span+hook.Pause+time.Second)/apart); writes == 0 || writes > most {
				t.Errorf("want 1 to %d writes of the hint", most)
			}
			if reads == 0 || reads > writes {
				t.Errorf("want no more reads than writes")
			}
		})
	}
}
