package accountsync

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/mirror"
)

// A hint names an account to ask about, and proves nothing, because every holder of the key pair can sign events. So its
// data is fetched at once only if the status already shows a connected account of this user, and used only if the response
// names the owner. For any other account Smile is first asked about the account itself.

// hintsOf are the hints about one account that this sync has not processed yet.
type hintsOf struct {
	// data reports that Smile may have gathered data, account that the account may have changed.
	data, account bool
	// since is the time from which a read shows what the hints were about.
	since time.Time
	// eventAt is when the event about the data was created, by Smile's clock; zero when it does not say.
	eventAt time.Time
}

// processedHints records, by sync, up to which time hints about accounts have been processed. Losing it costs a read for each.
type processedHints struct {
	mu     sync.Mutex
	byName map[types.NamespacedName]map[hintKey]time.Time
}

type hintKey struct {
	accountID string
	about     v1alpha1.HintSubject
}

func hintKeyOf(hint mirror.HintedAccount) hintKey { return hintKey{hint.ID, hint.About} }

// isDone reports whether a sync has processed a hint.
func (h *processedHints) isDone(name types.NamespacedName, hint mirror.HintedAccount) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	until, ok := h.byName[name][hintKeyOf(hint)]
	return ok && !until.Before(hint.Since)
}

// done records that a sync has processed all of these hints, and forgets any others.
func (h *processedHints) done(name types.NamespacedName, hints []mirror.HintedAccount) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(hints) == 0 {
		delete(h.byName, name)
		return
	}
	if h.byName == nil {
		h.byName = map[types.NamespacedName]map[hintKey]time.Time{}
	}
	h.byName[name] = map[hintKey]time.Time{}
	for _, hint := range hints {
		h.byName[name][hintKeyOf(hint)] = hint.Since
	}
}

func (h *processedHints) forget(name types.NamespacedName) { h.done(name, nil) }

// takeHints records what the hints about single accounts require, and for which of these accounts the data may be fetched at
// once.
func (s *scope) takeHints(sync *v1alpha1.SmileAccountSync, hints []mirror.HintedAccount) {
	s.processing, s.hinted, s.direct = hints, map[string]hintsOf{}, map[string]bool{}
	for _, hint := range hints {
		if s.r.processed.isDone(client.ObjectKeyFromObject(sync), hint) || isServed(sync, hint) || !s.mayCover(sync, hint.ID) {
			continue
		}
		of := s.hinted[hint.ID]
		if hint.Since.After(of.since) {
			of.since = hint.Since
		}
		if hint.About == v1alpha1.HintData {
			of.data, of.eventAt = true, hint.EventAt
		} else {
			of.account = true
		}
		s.hinted[hint.ID] = of
	}
	for id, of := range s.hinted {
		entry, ok := entryFor(sync, id)
		s.direct[id] = ok && of.data && !of.account && isPlain(entry)
	}
}

// isServed reports whether the status shows the data of a hint that the previous process may have processed.
func isServed(sync *v1alpha1.SmileAccountSync, hint mirror.HintedAccount) bool {
	entry, ok := entryFor(sync, hint.ID)
	return hint.Inherited && hint.About == v1alpha1.HintData && ok && isPlain(entry) &&
		!hint.EventAt.IsZero() && entry.DataAsOf != nil && !entry.DataAsOf.Time.Before(hint.EventAt)
}

// isPlain reports whether the data of an account may be fetched without asking about the account first: it is connected, and
// its data was neither erased nor is it being released.
func isPlain(entry v1alpha1.SyncedAccount) bool {
	return connected(entry) && entry.ErasedAt == nil && entry.ReleasedAt == nil
}

// mayCover reports whether a sync may cover an account, as far as that is known without a call. It never
// covers an account of another user, whatever the event says.
func (s *scope) mayCover(sync *v1alpha1.SmileAccountSync, accountID string) bool {
	userID := s.user.Status.UserID
	if !among(sync.Spec.AccountIDs, accountID) || s.mirror.IsForeign(userID, accountID) {
		return false
	}
	account, ok := s.mirror.CachedAccount(userID, accountID)
	return !ok || among(sync.Spec.Providers, account.ProviderID)
}

// askHinted asks Smile about the hinted accounts whose data cannot be fetched at once.
func (s *scope) askHinted(ctx context.Context, reader types.UID) error {
	for _, id := range slices.Sorted(maps.Keys(s.hinted)) {
		if s.direct[id] {
			continue
		}
		if err := s.mirror.RefreshAccount(ctx, reader, s.user.Status.UserID, id, s.hinted[id].since); err != nil {
			return err
		}
	}
	return nil
}

// isToFetch reports whether a hint says that there is data of an account to fetch. Data that a ttl has ended comes back only
// with newer data. An event does not prove that there is any, so the tasks are read.
func (s *scope) isToFetch(entry v1alpha1.SyncedAccount) bool {
	return s.hinted[entry.ID].data && connected(entry) && entry.ErasedAt == nil
}

// tasksSince is how fresh the tasks must be because of hints; zero when they need not be read. They are read if a hint says
// that there is data, and the hint alone is no reason to fetch it.
func (s *scope) tasksSince(sync *v1alpha1.SmileAccountSync) time.Time {
	since := s.notBefore
	for _, entry := range sync.Status.Accounts {
		of := s.hinted[entry.ID]
		if of.data && !disconnected(entry) && !s.isToFetch(entry) && of.since.After(since) {
			since = of.since
		}
	}
	return since
}

// dropDataHints drops the hints about data: accounts and tasks are read as if hints named no account.
func (s *scope) dropDataHints() {
	for _, of := range s.hinted {
		if of.since.After(s.notBefore) {
			s.notBefore = of.since
		}
	}
	s.hinted, s.direct = nil, nil
}

// baseline is the time up to which the tasks of an account count as known once its data was fetched because of an event. A task
// that finishes later is new. It uses Smile's clock alone: the time of the event, but not later than the response, because a task
// that finishes between them would be missed. If the response has no time, the next read of the tasks decides.
func baseline(former tasksOf, eventAt, respondedAt time.Time) tasksOf {
	at := eventAt
	if respondedAt.Before(at) {
		at = respondedAt
	}
	at = at.Truncate(time.Second)
	if eventAt.IsZero() || respondedAt.IsZero() || !at.After(former.last) {
		return former
	}
	return tasksOf{finished: 1, last: at}
}
