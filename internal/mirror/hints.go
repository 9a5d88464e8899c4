package mirror

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/schedule"
)

// hint is what is known of the newest hint about a user. Its time is from the clock of a receiver, which may be wrong. When reads
// must begin is determined by the clock of this process alone.
type hint struct {
	// stored identifies it: microseconds of Unix time, as in the status.
	stored int64
	// at is from when on a read shows what the hint was about; never when a listing has covered it.
	at moment
	// earlier is the same of the hint before it, for which a read may still be due until at.
	earlier moment
}

// hints are what is known of the hints about a user.
type hints struct {
	// newest follows hintedAt, whatever it is about; all follows those about everything of the user.
	newest, all hint
	accounts    map[hintKey]hint
}

type hintKey struct {
	accountID string
	about     v1alpha1.HintSubject
}

// Hinted is what must be read of a user because of hints.
type Hinted struct {
	// Due is from when on all accounts and tasks of the user must have been read (Last, zero when they need not), and when
	// anything that is hinted at changes by itself (Next).
	schedule.Due
	// Accounts are those that must be read, by id.
	Accounts []HintedAccount
}

// HintedAccount is an account that must be read.
type HintedAccount struct {
	ID    string
	About v1alpha1.HintSubject
	// Since is from when on a read of the account shows what the hint was about.
	Since time.Time
	// EventAt is when the event was created, by Smile's clock; zero when it does not say.
	EventAt time.Time
	// Inherited reports that the hint was stored before this process began, so the previous one may have processed it.
	Inherited bool
}

// Hint returns what must be read of a user because of hints. All callers get the same result for the same hint. A hint that was
// stored before this process began may not have been processed, unless it is so old that a listing has covered it.
func (s *Set) Hint(user *v1alpha1.SmileUser, interval time.Duration) Hinted {
	if user.Status.HintedAt == nil {
		return Hinted{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := client.ObjectKeyFromObject(user)
	before, met := s.hints[name]
	// Not before the hint could be read: a read that had begun by then may not show what the hint is about.
	r := hintReader{set: s, now: s.now()}
	if !met {
		r.oldest = s.started.Add(-interval)
	}
	known := r.read(before, &user.Status)
	s.hints[name] = known
	return known.hinted(s, &user.Status, r.now)
}

// hintReader reads the hints of a status once.
type hintReader struct {
	set    *Set
	now    moment
	newest hint
	// oldest is the time before which hints are ignored; zero when none are.
	oldest time.Time
}

func (r *hintReader) read(before hints, status *v1alpha1.SmileUserStatus) hints {
	r.newest = r.readNewest(before.newest, *status.HintedAt)
	known := hints{newest: r.newest, all: before.all}
	if hook.AboutAll(*status) {
		known.all = r.follow(before.all, *status.HintedAt)
	} else if status.Hints.AllAt != nil {
		known.all = r.follow(before.all, *status.Hints.AllAt)
	}
	for _, entry := range accountHints(status) {
		if known.accounts == nil {
			known.accounts = map[hintKey]hint{}
		}
		key := keyOf(entry)
		known.accounts[key] = r.follow(before.accounts[key], entry.At)
	}
	return known
}

func (r *hintReader) readNewest(before hint, stored metav1.MicroTime) hint {
	switch {
	case before.stored == stored.UnixMicro():
		return before
	case stored.Time.Before(r.oldest):
		return hint{stored: stored.UnixMicro()}
	default:
		return before.next(stored.UnixMicro(), r.set.moment(stored.Time), r.now)
	}
}

// follow is the hint after h: one that was stored with hintedAt is due when that is, any other at once.
func (r *hintReader) follow(h hint, stored metav1.MicroTime) hint {
	switch {
	case h.stored == stored.UnixMicro():
		return h
	case stored.Time.Before(r.oldest):
		return hint{stored: stored.UnixMicro()}
	case r.newest.stored == stored.UnixMicro():
		return h.follow(r.newest.stored, r.newest.at, r.now)
	default:
		return h.follow(stored.UnixMicro(), r.now, r.now)
	}
}

func (h hints) hinted(s *Set, status *v1alpha1.SmileUserStatus, now moment) Hinted {
	hinted := Hinted{Due: h.all.due(s, now)}
	for _, entry := range accountHints(status) {
		due := h.accounts[keyOf(entry)].due(s, now)
		hinted.Next = hinted.Or(due).Next
		if due.Last.IsZero() {
			continue
		}
		account := HintedAccount{
			ID: entry.AccountID, About: entry.About, Since: due.Last, Inherited: entry.At.Time.Before(s.started),
		}
		if entry.EventAt != nil {
			account.EventAt = entry.EventAt.Time
		}
		hinted.Accounts = append(hinted.Accounts, account)
	}
	return hinted
}

func keyOf(entry v1alpha1.AccountHint) hintKey { return hintKey{entry.AccountID, entry.About} }

func accountHints(status *v1alpha1.SmileUserStatus) []v1alpha1.AccountHint {
	if status.Hints == nil {
		return nil
	}
	return status.Hints.Accounts
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
	return h.follow(stored, min(max(at, now), now+moment(hook.Pause+hook.Slack)), now)
}

// follow is a hint that is due at a moment, and comes after h.
func (h hint) follow(stored int64, at, now moment) hint {
	n := hint{stored: stored, at: at}
	earlier := h.at
	if h.earlier > now { // however many hints follow each other, the first look is not put off
		earlier = h.earlier
	}
	if earlier < n.at { // what brings a look forward replaces it
		n.earlier = earlier
	}
	return n
}

func (h hint) due(s *Set, now moment) schedule.Due {
	switch {
	case h.at <= now:
		return schedule.Due{Last: s.time(h.at)}
	case h.earlier <= now:
		return schedule.Due{Last: s.time(h.earlier), Next: s.time(h.at)}
	default:
		return schedule.Due{Next: s.time(h.earlier)}
	}
}
