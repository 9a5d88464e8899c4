package createmodel

import (
	"strings"
	"testing"
	"time"
)

// ours is the protocol as it is, in a world with some trouble: processes die, stop, end and take over from each
// other, calls and answers are lost, writes fail, while people declare and delete two objects of one subject.
func ours(sameName bool) protocol {
	most := uint8(3)
	if !sameName {
		most = 2 // there are many more states
	}
	return protocol{
		lock: true, wait: true, fence: true, reserve: true, keepFirst: true, lookAgain: true, remember: true, succeed: true,
		sameName: sameName, most: most,
	}
}

func TestNobodyIsMadeTwiceAndEverybodyOnce(t *testing.T) {
	for name, sameName := range map[string]bool{"declared again": true, "declared under two names": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			e := explore(ours(sameName), false)
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

// Two ways to a second user remain, and each needs what the protocol cannot prevent.
func TestOnlyTheAdmittedWaysRemain(t *testing.T) {
	for name, c := range map[string]struct {
		allow func(*protocol)
		needs []string
	}{
		"a leader is stopped between fence and sending, and woken when another leads": {
			allow: func(p *protocol) { p.late = true },
			needs: []string{"the leader is stopped", "a process takes over", "the stopped leader sends"},
		},
		"a status is restored after the process that sent the call has died, before listings show what it made": {
			allow: func(p *protocol) { p.rollback = true },
			needs: []string{"the leader", "the status is what it was before", "a process takes over"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := ours(true)
			c.allow(&p)
			e := explore(p, false)
			if len(e.twice) == 0 {
				t.Fatal("there is no second user any more: admit less")
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

// Each rule is needed: without it, somebody is made twice.
func TestEveryRuleIsNeeded(t *testing.T) {
	for name, c := range map[string]struct {
		without  func(*protocol)
		sameName bool
	}{
		"an intent is written only over the object that was read":         {func(p *protocol) { p.lock = false }, true},
		"nothing is sent while an outcome is unknown":                     {func(p *protocol) { p.wait = false }, true},
		"the fence is asked when a call has its turn":                     {func(p *protocol) { p.fence = false }, true},
		"a subject is reserved while it is created":                       {func(p *protocol) { p.reserve = false }, false},
		"a user is in memory before its subject is free":                  {func(p *protocol) { p.keepFirst = false }, false},
		"memory is looked at again once the subject is reserved":          {func(p *protocol) { p.lookAgain = false }, false},
		"a new leader doubts what its predecessor sent for the same name": {func(p *protocol) { p.succeed = false }, true},
		"a new leader doubts what its predecessor sent for a subject":     {func(p *protocol) { p.succeed = false }, false},
		"an attempt that the status has lost is remembered": {
			func(p *protocol) { p.remember, p.rollback, p.most = false, true, 2 }, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := ours(c.sameName)
			c.without(&p)
			e := explore(p, true)
			if len(e.twice) == 0 {
				t.Fatal("the model does not need it")
			}
			t.Log(e.twice[0])
		})
	}
}
