package mirror

import (
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/schedule"
)

// hint is the newest hint of a kind about a user. Its time is from the clock of a receiver, which may be wrong. The clock of this
// process alone decides when a read must begin.
type hint struct {
	// stored identifies it: microseconds of Unix time, as in the status.
	stored int64
	// at is from when on a read shows what the hint is about; never if a poll has covered it.
	at moment
	// earlier is the same of the hint before it, for which a read may still be due until at.
	earlier moment
}

// userHints are the hints about a user.
type userHints struct {
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
	// Due.Last is from when on all accounts and tasks of the user must have been read; zero if they need not be. Due.Next is when
	// this result changes next without another hint.
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
	// EventAt is when the event was created, by Smile's clock; zero if the event does not say.
	EventAt time.Time
	// Inherited reports that the hint was stored before this process began, so the previous one may have processed it.
	Inherited bool
}

// hints are the hints about all users, by the name of the SmileUser.
type hints struct {
	timeline
	mu     sync.Mutex
	byUser map[types.NamespacedName]userHints
}

func newHints(line timeline) *hints {
	return &hints{timeline: line, byUser: map[types.NamespacedName]userHints{}}
}

// of returns what must be read of a user because of hints. A hint that was stored before this process began may not have been
// processed, unless it is older than the interval: then a poll has covered it.
func (h *hints) of(user *v1alpha1.SmileUser, interval time.Duration) Hinted {
	if user.Status.HintedAt == nil {
		return Hinted{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	name := client.ObjectKeyFromObject(user)
	before, seen := h.byUser[name]
	// The time is taken under the lock: a read that began before the hint was seen may not show what the hint is about.
	r := hintReader{timeline: h.timeline, seenAt: h.now()}
	if !seen {
		r.oldest = h.started.Add(-interval)
	}
	current := r.read(before, &user.Status)
	h.byUser[name] = current
	return current.hinted(h.timeline, &user.Status, r.seenAt)
}

// forget forgets the hints about a user.
func (h *hints) forget(name types.NamespacedName) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.byUser, name)
}

// hintReader reads the hints of a status once.
type hintReader struct {
	timeline
	// seenAt is now.
	seenAt moment
	newest hint
	// oldest is the time before which hints are ignored; zero if none are.
	oldest time.Time
}

func (r *hintReader) read(before userHints, status *v1alpha1.SmileUserStatus) userHints {
	r.newest = r.readNewest(before.newest, *status.HintedAt)
	current := userHints{newest: r.newest, all: before.all}
	if hook.AboutAll(*status) {
		current.all = r.follow(before.all, *status.HintedAt)
	} else if status.Hints.AllAt != nil {
		current.all = r.follow(before.all, *status.Hints.AllAt)
	}
	for _, entry := range accountHints(status) {
		if current.accounts == nil {
			current.accounts = map[hintKey]hint{}
		}
		key := keyOf(entry)
		current.accounts[key] = r.follow(before.accounts[key], entry.At)
	}
	return current
}

func (r *hintReader) readNewest(before hint, stored metav1.MicroTime) hint {
	switch {
	case before.stored == stored.UnixMicro():
		return before
	case stored.Time.Before(r.oldest):
		return hint{stored: stored.UnixMicro()}
	default:
		return before.next(stored.UnixMicro(), r.moment(stored.Time), r.seenAt)
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
		return h.follow(r.newest.stored, r.newest.at, r.seenAt)
	default:
		return h.follow(stored.UnixMicro(), r.seenAt, r.seenAt)
	}
}

func (h userHints) hinted(line timeline, status *v1alpha1.SmileUserStatus, now moment) Hinted {
	hinted := Hinted{Due: h.all.due(line, now)}
	for _, entry := range accountHints(status) {
		due := h.accounts[keyOf(entry)].due(line, now)
		hinted.Next = hinted.Or(due).Next
		if due.Last.IsZero() {
			continue
		}
		account := HintedAccount{
			ID: entry.AccountID, About: entry.About, Since: due.Last, Inherited: entry.At.Time.Before(line.started),
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

// next is the hint after h that is first seen now; h is zero if there was none. A receiver has asked for a read at a time of its
// clock, which is claimed if all clocks are right.
//
// No read begins too early: it begins after the hint was seen, and so after the event. The receivers store nothing for events
// that come before a read that lies ahead. So this read must not begin before its time by their clock: it is as much later than
// the one before as they have postponed it. None is too late either: they postpone a read by at most hook.Pause, and their clocks
// differ by hook.Slack.
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
	if h.earlier > now { // further hints do not postpone the first read
		earlier = h.earlier
	}
	if earlier < n.at { // a hint that is due earlier replaces it
		n.earlier = earlier
	}
	return n
}

func (h hint) due(line timeline, now moment) schedule.Due {
	switch {
	case h.at <= now:
		return schedule.Due{Last: line.time(h.at)}
	case h.earlier <= now:
		return schedule.Due{Last: line.time(h.earlier), Next: line.time(h.at)}
	default:
		return schedule.Due{Next: line.time(h.earlier)}
	}
}
