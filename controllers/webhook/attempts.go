package webhook

import (
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/secretuse"
)

// refusalRetry is how long something that Smile has refused as invalid is not sent again.
const refusalRetry = 15 * time.Minute

// attempts is what this process knows of its attempts to create webhooks, by the id of the pair. An attempt that it does not know
// was made by another process, and its outcome is unknown.
type attempts struct {
	mu sync.Mutex
	// since is from when on the outcome is unknown; zero if the attempt certainly created nothing.
	since map[string]time.Time
	// refusals are the attempts that Smile has refused.
	refusals map[string]refusal
}

// refusal is why Smile has refused an attempt, and until when it is not sent again.
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

// unknown returns since when the outcome of an attempt is unknown to this process; zero if it created nothing.
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

// refuse remembers a problem that only a change can fix, so that the attempt is not sent again each time that the Secrets are
// read. It returns the problem to report.
func (a *attempts) refuse(pair string, now time.Time, err error) error {
	refused := problem.Classify(err).After(secretuse.Recheck)
	if refused.Class != problem.Invalid {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refusals == nil {
		a.refusals = map[string]refusal{}
	}
	a.refusals[pair] = refusal{refused, now.Add(engine.Jitter(refusalRetry))}
	return refused
}

// refusal returns the problem that was remembered; nil if it is time for another attempt.
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
