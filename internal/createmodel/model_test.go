package createmodel

import (
	"os"
	"strings"
	"testing"
	"time"
)

// everything explores more faults, which takes minutes.
var everything = os.Getenv("SMILE_MODEL") == "full"

// ours is the real protocol, in a world with some faults. Processes die, stop, end and take over from each other. Calls,
// responses and writes are lost. Meanwhile people create and delete two objects of one subject.
func ours(sameName bool) protocol {
	most := uint8(2)
	if sameName || everything {
		most = 3 // of two names there are many more states
	}
	return protocol{
		lock: true, wait: true, renew: true, fence: true, reserve: true, keepFirst: true, searchAgain: true, remember: true,
		logRules: logRules{
			takeOver: true, inherit: true, keep: true, suspect: true, terms: true, keepSuspicion: true, after: true, again: true,
			name: true, acknowledged: true, restamp: true, lag: true, keepUnknown: true, keepDeleted: true,
		},
		sameName: sameName, most: most,
	}
}

// withErasures also deletes the log.
func withErasures(p protocol) protocol {
	p.erase, p.most = true, 3
	return p
}

// bounded explores as many faults as takes seconds, unless everything is to be explored.
func bounded(p protocol) protocol {
	if !everything {
		p.most = 2
	}
	return p
}

// intents is the protocol without the creation log, for one object that is never deleted. It shows that the intent in the status
// suffices for that.
func intents() protocol {
	p := ours(true)
	p.logRules, p.noLog, p.single = logRules{}, true, true
	return p
}

func withOlder(p protocol) protocol {
	p.older = true
	return p
}

func withFull(p protocol) protocol {
	p.full = true
	return p
}

func TestEachUserIsCreatedExactlyOnce(t *testing.T) {
	for name, p := range map[string]protocol{
		"declared again":                           ours(true),
		"declared under two names":                 ours(false),
		"with a log that is deleted":               bounded(withErasures(ours(true))),
		"with a log that is full":                  bounded(withFull(ours(true))),
		"with a former version in between":         bounded(withOlder(ours(true))),
		"without a log, and nobody declared again": intents(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			e := explore(p, false)
			if len(e.twice) > 0 {
				t.Fatalf("a second user: %s", e.twice[0])
			}
			if way := e.stuck(); way != "" {
				t.Error(way)
			}
			t.Logf("%d states, %d moves, all explored in %s", len(e.states), e.moves, time.Since(began).Round(time.Millisecond))
		})
	}
}

// A status that is rolled back does no harm unless the log is rolled back too.
func TestAStatusThatIsRolledBackCausesNoSecondUser(t *testing.T) {
	t.Parallel()
	p := bounded(ours(true))
	p.rollback = true
	if e := explore(p, true); len(e.twice) > 0 {
		t.Fatalf("a second user: %s", e.twice[0])
	}
}

// Two paths to a second user remain. Each requires something that the protocol cannot prevent.
func TestOnlyTheDocumentedDuplicatesRemain(t *testing.T) {
	for name, c := range map[string]struct {
		allow func(*protocol)
		needs []string
	}{
		"a leader is stopped between fence and sending, and woken when another leads": {
			allow: func(p *protocol) { p.late = true },
			needs: []string{"the leader is stopped", "takes over", "the stopped leader sends"},
		},
		"status and log are restored after the process that sent the call has died, before listings show what it made": {
			allow: func(p *protocol) { p.rollback, p.rollbackLog = true, true },
			needs: []string{"the leader", "the status is what it was before", "takes over"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := bounded(ours(true))
			c.allow(&p)
			e := explore(p, false)
			if len(e.twice) == 0 {
				t.Fatal("no user is created twice any more: the documented limits are too wide")
			}
			for _, way := range e.twice {
				for _, step := range c.needs {
					if !strings.Contains(way, step) {
						t.Fatalf("a second user without %q: %s", step, way)
					}
				}
			}
			t.Logf("%d states; %d of them one step from a second user, the nearest: %s", len(e.states), len(e.twice), e.twice[0])
		})
	}
}

// Each rule is needed: without it, a user is created twice.
func TestEveryRuleIsNeeded(t *testing.T) {
	for name, c := range map[string]struct {
		without func(*protocol)
		in      protocol
	}{
		"an intent is written only over the object that was read": {func(p *protocol) { p.lock = false }, intents()},
		"nothing is sent while an outcome is unknown":             {func(p *protocol) { p.wait = false }, intents()},
		"an attempt that is sent again has the time of that":      {func(p *protocol) { p.renew = false }, intents()},
		"the fence is asked when a call has its turn":             {func(p *protocol) { p.fence = false }, ours(true)},
		"a subject is reserved while it is created":               {func(p *protocol) { p.reserve = false }, ours(false)},
		"a user is in memory before its subject is free":          {func(p *protocol) { p.keepFirst = false }, ours(false)},
		"memory is searched again once the subject is reserved":   {func(p *protocol) { p.searchAgain = false }, ours(false)},
		"an attempt that the status has lost is remembered": {
			func(p *protocol) { p.remember, p.rollback, p.most = false, true, 2 }, ours(true),
		},

		"the log is taken over before anybody is created":    {func(p *protocol) { p.takeOver = false }, ours(true)},
		"what the log names is waited for":                   {func(p *protocol) { p.inherit = false }, ours(true)},
		"what is waited for is named again":                  {func(p *protocol) { p.keep = false }, ours(true)},
		"without a log everybody is waited for":              {func(p *protocol) { p.suspect = false }, withErasures(ours(true))},
		"with a log that was full everybody is waited for":   {func(p *protocol) { p.suspect = false }, withFull(ours(true))},
		"after a former version everybody is waited for":     {func(p *protocol) { p.terms = false }, withOlder(ours(true))},
		"that everybody is waited for is in the log":         {func(p *protocol) { p.keepSuspicion = false }, withErasures(ours(true))},
		"a standby's listing from before does not count":     {func(p *protocol) { p.after = false }, ours(true)},
		"what is waited for ends with a listing":             {func(p *protocol) { p.again = false }, ours(true)},
		"a call is sent only when the log names its subject": {func(p *protocol) { p.name = false }, ours(true)},
		"a write of the log that failed is not done":         {func(p *protocol) { p.acknowledged = false }, ours(true)},
		"each call is named with its own time":               {func(p *protocol) { p.restamp = false }, ours(true)},
		"a name stays while listings may not show the user":  {func(p *protocol) { p.lag = false }, ours(true)},
		"a name stays while the outcome is unknown":          {func(p *protocol) { p.keepUnknown = false }, ours(true)},
		"a name stays when its object is deleted":            {func(p *protocol) { p.keepDeleted = false }, ours(true)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := c.in
			c.without(&p)
			e := explore(p, true)
			if len(e.twice) == 0 {
				t.Fatal("the model does not need it")
			}
			t.Log(e.twice[0])
		})
	}
}
