package creation

import (
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

func step(p *Protocol, by time.Duration) { p.Clock.(interface{ Step(time.Duration) }).Step(by) }

// gone creates a user for an owner, which listings do not show, and deletes the owner. If fakeSmile fails, the outcome of the
// call is unknown.
func gone(t *testing.T, p *Protocol, o *owner) {
	t.Helper()
	created, err := ensure(t, p, o)
	if !created && !problem.Is(err, v1alpha1.ReasonCreateOutcomeUnknown) {
		t.Fatalf("created %v, %v", created, err)
	}
	p.Forget(o.request.Name)
	step(p, 10*time.Second)
}

func waits(t *testing.T, p *Protocol, o *owner) {
	t.Helper()
	if created, err := ensure(t, p, o); created || err == nil {
		t.Errorf("created %v, %v: it should wait", created, err)
	}
}

func TestOtherKeysOfTheTenantCreateNoUserTwice(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"created": false, "unknown outcome": true} {
		for when, after := range map[string]time.Duration{"at once": 0, "later": 2 * smile.ListingLag} {
			t.Run(name+", declared again "+when, func(t *testing.T) {
				t.Parallel()
				remote := &fakeSmile{hidden: true, fails: fails}
				p, conn := protocolIn(t, remote)
				_, rotated := connectionTo(t, remote, "rotated")
				gone(t, p, newOwner(conn, "1"))
				other := newOwner(rotated, "9")
				other.request.Marker.Digest = "other"
				if created, err := ensure(t, p, other); !created || err != nil { // which lists all users
					t.Fatalf("another subject: %v, %v", created, err)
				}
				again := newOwner(rotated, "2")
				if after == 0 {
					waits(t, p, again)
				}
				step(p, max(after, smile.ListingLag))
				remote.hidden = false
				if created, err := ensure(t, p, again); created || err != nil || again.has != "u0" {
					t.Errorf("created %v, %v, has %q", created, err, again.has)
				}
				if len(remote.users) != 2 {
					t.Errorf("%d users, want one for each subject", len(remote.users))
				}
			})
		}
	}
}

func TestAnotherTenantWaitsOnlyTheSettleTime(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"created": false, "unknown outcome": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there := &fakeSmile{fails: fails}, &fakeSmile{}
			p, conn := protocolIn(t, here)
			_, elsewhere := connectionTo(t, there, "foreign")
			gone(t, p, newOwner(conn, "1"))
			again := newOwner(elsewhere, "2")
			waits(t, p, again)
			step(p, smile.ListingLag-10*time.Second)
			if created, err := ensure(t, p, again); !created || err != nil {
				t.Errorf("created %v, %v", created, err)
			}
		})
	}
}

// An owner whose keys can no longer list users must not extend the reservation of its subject with each retry.
func TestAnUnknownOutcomeReservesItsSubjectOnlyForTheSettleTime(t *testing.T) {
	t.Parallel()
	remote := &fakeSmile{hidden: true, fails: true}
	p, conn := protocolIn(t, remote)
	_, rotated := connectionTo(t, remote, "rotated")
	former, second := newOwner(conn, "1"), newOwner(rotated, "2")
	waits(t, p, former)
	waits(t, p, second)
	step(p, smile.ListingLag-time.Second)
	waits(t, p, former)
	step(p, time.Second)
	remote.hidden = false
	if created, err := ensure(t, p, second); created || err != nil || second.has != "u0" {
		t.Errorf("created %v, %v, has %q", created, err, second.has)
	}
}

func TestARefusalDoesNotDelayOtherKeys(t *testing.T) {
	t.Parallel()
	remote := &fakeSmile{}
	p, conn := protocolIn(t, remote)
	_, rotated := connectionTo(t, remote, "rotated")
	remote.fence = func() error { return errTimeout }
	waits(t, p, newOwner(conn, "1"))
	remote.fence = nil
	if created, err := ensure(t, p, newOwner(rotated, "2")); !created || err != nil {
		t.Errorf("created %v, %v", created, err)
	}
}
