package mirror

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
)

// hint is what is known of the newest hint about a person. It was stored by the clock of some receiver, which may be
// wrong; when looks must begin is kept by the clock of this process alone.
type hint struct {
	// stored tells it from others: microseconds of Unix time, as in the status.
	stored int64
	// at is from when on a look shows what the hint was about; never when a listing has made up for it.
	at moment
	// earlier is the same of a hint before it, to which a look may still be due until at.
	earlier moment
}

// Hint says from when on the accounts and tasks of a person must have been read of whom Smile has hinted that something
// changed (Last, zero when they need not), and when that changes by itself (Next). All who ask of the same hint get the
// same answer. A hint that was stored before this process began may not have been heeded, unless it is so old that a
// listing has made up for it.
func (s *Set) Hint(user *v1alpha1.SmileUser, interval time.Duration) Due {
	hintedAt := user.Status.HintedAt
	if hintedAt == nil {
		return Due{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Not earlier than the hint was there to be read: a look that had begun by then may not show what it is about.
	name, now := client.ObjectKeyFromObject(user), s.now()
	known, ok := s.hints[name]
	switch {
	case ok && known.stored == hintedAt.UnixMicro():
	case !ok && hintedAt.Time.Before(s.started.Add(-interval)):
		s.hints[name] = hint{stored: hintedAt.UnixMicro()}
	default:
		s.hints[name] = known.next(hintedAt.UnixMicro(), s.moment(hintedAt.Time), now)
	}
	return s.hints[name].due(s, now)
}

// ForgetHint forgets the hints about a person who is gone.
func (s *Set) ForgetHint(name types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.hints, name)
}

// next is the hint after h, which is zero when none is known, as it is first seen now. It was to be looked at when a
// receiver's clock shows a time, which is claimed if all clocks are right.
//
// No look is too early: it begins when the hint has been seen, so after its event. The receivers store nothing about
// events that come before a look that is still to come, so that this one must not begin before it is time by their
// clock: as much later than the one before as they have put it off. None is too late either: they never put one off
// for longer than hook.Pause, and hook.Slack.
func (h hint) next(stored int64, claimed, now moment) hint {
	at := claimed
	if h.at != never && stored == h.stored+hook.Pause.Microseconds() {
		at = h.at + moment(hook.Pause)
	}
	n := hint{stored: stored, at: min(max(at, now), now+moment(hook.Pause+hook.Slack))}
	earlier := h.at
	if h.earlier > now { // however many hints follow each other, the first look is not put off
		earlier = h.earlier
	}
	if earlier < n.at { // what brings a look forward replaces it
		n.earlier = earlier
	}
	return n
}

func (h hint) due(s *Set, now moment) Due {
	switch {
	case h.at <= now:
		return Due{Last: s.time(h.at)}
	case h.earlier <= now:
		return Due{Last: s.time(h.earlier), Next: s.time(h.at)}
	default:
		return Due{Next: s.time(h.earlier)}
	}
}
