package webhook

import (
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// again is how long what Smile has refused as invalid is not sent to it.
const again = 15 * time.Minute

// attempts is what this process knows of its tries to create webhooks, by the id of the pair. What it knows nothing of,
// another process tried, and the outcome is unknown.
type attempts struct {
	mu sync.Mutex
	// since is from when on the outcome is unknown; zero when the try certainly made nothing.
	since map[string]time.Time
	// refusals are what Smile will not take.
	refusals map[string]refusal
}

// refusal is why Smile would not take something, and until when it is not sent again.
type refusal struct {
	problem *problem.Problem
	until   time.Time
}

func (a *attempts) set(pair string, since time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since == nil {
		a.since = map[string]time.Time{}
	}
	a.since[pair] = since
}

// unknown tells since when the outcome of a try is unknown to this process; zero when it made nothing.
func (a *attempts) unknown(pair string, now time.Time) time.Time {
	a.mu.Lock()
	since, ok := a.since[pair]
	a.mu.Unlock()
	if !ok {
		a.set(pair, now)
		return now
	}
	return since
}

// refuse remembers a problem that only a change can fix, so that it is told and not tried again each time that the
// Secrets are read. It gives back what is to be told.
func (a *attempts) refuse(pair string, now time.Time, err error) error {
	refused := problem.Classify(err).After(soon)
	if refused.Class != problem.Invalid {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refusals == nil {
		a.refusals = map[string]refusal{}
	}
	a.refusals[pair] = refusal{refused, now.Add(engine.Jitter(again))}
	return refused
}

// refusal is the problem that was remembered, if it is not time to try again.
func (a *attempts) refusal(pair string, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if refused, ok := a.refusals[pair]; ok && now.Before(refused.until) {
		return refused.problem
	}
	return nil
}

func (a *attempts) forget(pair string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.since, pair)
	delete(a.refusals, pair)
}
