package accountsync

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const unsupportedRetry = 15 * time.Minute

// fetched is the data of one account, and what the status will say of it once it is written.
type fetched struct {
	entry v1alpha1.SyncedAccount
	data  output.Account
}

// fetch reads the data of the connected accounts of which there is news. It is all or nothing: an error leaves the
// last good data where it is, and the status with it.
func (v *visit) fetch(ctx context.Context, p *pass) (engine.Outcome, error) {
	sync := p.Object
	if isUnnamed(sync) {
		return engine.Unchanged, errUnnamedFields
	}
	if err := v.compare(ctx, sync); err != nil {
		return engine.Unchanged, err
	}
	if len(namesOf(sync.Status.Accounts, connected))+len(namesOf(sync.Status.Accounts, hasData)) == 0 {
		found := connectednessOf(sync.Status.Accounts)
		return engine.False(found.reason, found.message), nil
	}
	gathered, err := v.gathered(ctx, p)
	if err != nil {
		return engine.Unchanged, err
	}
	v.watchPromise(p)
	v.change(v.refreshDue(p))
	if err := v.tryToWrite(ctx, sync); err != nil {
		return engine.Unchanged, err
	}
	sync.Status.DataPending = v.changed // until it is written, whatever becomes of this pass and this process
	if v.changed {
		err = v.fetchChanged(ctx, p, gathered)
	}
	v.auditFetched(p)
	if err == nil && v.trouble == nil {
		v.trouble, err = v.unsupported(ctx, sync)
	}
	switch {
	case v.trouble != nil:
		return engine.Unchanged, err // conclude says what the trouble is, once what there is has been written
	case slices.ContainsFunc(sync.Status.Accounts, v.isExpired):
		p.Set(v1alpha1.ConditionDataSynced, engine.False(v1alpha1.ReasonDataExpired, dataExpired))
		return engine.Unchanged, err
	}
	return engine.Succeeded, err
}

// compare notes whether the output must be written again, and from which data. An output of somebody else is an error, before
// anything is fetched for it.
func (v *visit) compare(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	if _, wanted := targetOf(sync); !wanted {
		return nil
	}
	if err := v.checkOutput(ctx, sync); err != nil {
		return err
	}
	v.whole = v.whole || !v.asWritten && !v.moves(sync)
	v.change(!v.asWritten || !v.dressed)
	return nil
}

const dataExpired = "data was erased because spec.retention.ttl has passed: it comes back when Smile has newer data"

func (v *visit) isExpired(account v1alpha1.SyncedAccount) bool {
	return account.ErasedAt != nil && !disconnected(account) && !v.isFetched(account.ID)
}

// fetchChanged fetches what is new, and again if its assumptions turn out to be wrong.
func (v *visit) fetchChanged(ctx context.Context, p *pass, gathered map[string]tasksOf) error {
	err := v.fetchAll(v.urgently(ctx), p.Object, gathered, p.Now)
	switch {
	case errors.Is(err, errUnproven):
		return v.fetchUnhinted(ctx, p)
	case smile.IsNotFound(err):
		return v.fetchRest(ctx, p, gathered)
	default:
		return err
	}
}

// fetchRest fetches again if an account disappeared while it was read: without that account, whose data is erased.
func (v *visit) fetchRest(ctx context.Context, p *pass, gathered map[string]tasksOf) error {
	accounts, err := v.known.Accounts(ctx, "", v.user.Status.UserID, v.Clock.Now())
	if err != nil {
		return err
	}
	if err := v.takeIn(ctx, p, accounts); err != nil {
		return err
	}
	return v.fetchAgain(ctx, p, gathered)
}

// fetchUnhinted fetches again, after reading accounts and tasks, if a response did not prove what a hint said.
func (v *visit) fetchUnhinted(ctx context.Context, p *pass) error {
	v.distrust()
	accounts, err := v.accounts(ctx, p.Object)
	if err != nil {
		return err
	}
	if err := v.takeIn(ctx, p, accounts); err != nil {
		return err
	}
	gathered, err := v.gathered(ctx, p)
	if err != nil {
		return err
	}
	return v.fetchAgain(v.urgently(ctx), p, gathered)
}

func (v *visit) fetchAgain(ctx context.Context, p *pass, gathered map[string]tasksOf) error {
	if err := v.eraseDoomed(ctx, p); err != nil {
		return err
	}
	v.fetched = nil
	if err := v.compare(ctx, p.Object); err != nil {
		return err
	}
	return v.fetchAll(ctx, p.Object, gathered, p.Now)
}

func (v *visit) fetchAll(ctx context.Context, sync *v1alpha1.SmileAccountSync, gathered map[string]tasksOf, now time.Time) error {
	for _, entry := range sync.Status.Accounts {
		of, ok := gathered[entry.ID]
		if !ok || disconnected(entry) || !v.wants(sync, entry, of, now) {
			continue
		}
		one, err := v.fetchAccount(ctx, sync, entry, of, now)
		if err != nil {
			return err
		}
		v.fetched = append(v.fetched, one)
	}
	return nil
}

// wants reports whether the data of an account must be fetched. Data that its ttl has ended is fetched only if there is newer
// data.
func (v *visit) wants(sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount, of tasksOf, now time.Time) bool {
	switch {
	case v.isToFetch(entry):
		return true
	case entry.DataAsOf == nil || of.finished != entry.FinishedTasks || !of.last.Equal(entry.DataAsOf.Time):
		return true
	case entry.ErasedAt != nil:
		return false
	default:
		return v.whole || !isKept(entry) || refreshDueAt(sync, entry, now)
	}
}

func (v *visit) isFetched(id string) bool {
	return slices.ContainsFunc(v.fetched, func(one fetched) bool { return one.entry.ID == id })
}

func refreshDueAt(sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount, now time.Time) bool {
	every := sync.Spec.RefreshInterval
	return every != nil && slices.ContainsFunc(entry.Datapoints, func(d v1alpha1.DatapointStatus) bool {
		return !d.FetchedAt.Add(every.Duration).After(now)
	})
}

// watchPromise tells when an account waits for its data for longer than Smile promises.
func (v *visit) watchPromise(p *pass) {
	for i := range p.Object.Status.Accounts {
		entry := &p.Object.Status.Accounts[i]
		waiting := connected(*entry) && entry.FinishedTasks == 0 && entry.ConnectedAt != nil
		if v.trouble != nil && waiting && p.Now.Sub(entry.ConnectedAt.Time) >= promise {
			v.trouble = problem.NewNotReady(v1alpha1.ReasonDataOverdue,
				"an account has been connected for more than five minutes and Smile has not gathered its data: it is looked at again, ask Smile if it lasts").
				After(untilNextLook(p, entry))
			return
		}
	}
}

// tasksOf is what the tasks of one account tell: when its data was last gathered, and how many tasks finished then.
type tasksOf struct {
	finished int32
	last     time.Time
}

// gathered tells of each account whose data Smile has gathered, and notes whether that is news. For connected
// accounts that are still being gathered there is trouble, but of the kind that passes. What the mirror does not tell
// of is as it was when the data was fetched: tasks do not come undone.
func (v *visit) gathered(ctx context.Context, p *pass) (map[string]tasksOf, error) {
	tasks, err := v.tasks(ctx, p.Object)
	if err != nil {
		return nil, err
	}
	gathered := map[string]tasksOf{}
	for i := range p.Object.Status.Accounts {
		entry := &p.Object.Status.Accounts[i]
		if !connected(*entry) && !hasData(*entry) {
			continue
		}
		of := fetchedOf(*entry)
		if found := tasks[entry.ID]; found.Newer(of.last, of.finished) {
			of = tasksOf{finished: found.Tasks, last: found.Last()}
			v.change(true)
		}
		toFetch := v.isToFetch(*entry)
		v.change(toFetch)
		if of.finished == 0 && !toFetch {
			v.trouble = problem.NewWaiting(v1alpha1.ReasonProgressing,
				"Smile is still gathering the data of a connected account").After(untilNextLook(p, entry))
			continue
		}
		gathered[entry.ID] = of
	}
	return gathered, nil
}

// tasks reads the tasks if something hints at new data, or if an account's data was never fetched. If the data is fetched again
// in any case, they are not needed.
func (v *visit) tasks(ctx context.Context, sync *v1alpha1.SmileAccountSync) (map[string]mirror.Gathered, error) {
	userID := v.user.Status.UserID
	known := v.known.CachedGathered(userID)
	since := v.tasksSince(sync)
	ask := !since.IsZero() && !v.whole
	for _, entry := range sync.Status.Accounts {
		ask = ask || connected(entry) && known[entry.ID].Tasks == 0 && entry.FinishedTasks == 0 && !v.isToFetch(entry)
	}
	if !ask {
		return known, nil
	}
	return v.known.Gathered(v.urgently(ctx), sync.UID, userID, since)
}

func fetchedOf(entry v1alpha1.SyncedAccount) tasksOf {
	if entry.DataAsOf == nil {
		return tasksOf{}
	}
	return tasksOf{finished: entry.FinishedTasks, last: entry.DataAsOf.Time}
}

// refreshDue reports whether the spec requires that the data is fetched again although there is nothing new.
func (v *visit) refreshDue(p *pass) bool {
	next, due := nextRefresh(p.Object, p.Now)
	p.WakeAt(next)
	return due
}

// nextRefresh reports whether data is due to be fetched again, and when it is due next, always after now, provided that what is
// due is fetched now. The time is zero if there is none. Smile no longer has the data of disconnected accounts.
func nextRefresh(sync *v1alpha1.SmileAccountSync, now time.Time) (next time.Time, due bool) {
	every := sync.Spec.RefreshInterval
	if every == nil {
		return time.Time{}, false
	}
	for _, account := range sync.Status.Accounts {
		if disconnected(account) {
			continue
		}
		for _, datapoint := range account.Datapoints {
			at := datapoint.FetchedAt.Add(every.Duration)
			if !at.After(now) {
				at, due = now.Add(every.Duration), true
			}
			if next.IsZero() || at.Before(next) {
				next = at
			}
		}
	}
	return next, due
}

// fetchAccount reads what the spec asks for of one account: in one call where one brings it all.
func (v *visit) fetchAccount(
	ctx context.Context, sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount, of tasksOf, now time.Time,
) (fetched, error) {
	read, err := v.contentOf(ctx, sync, entry.ID)
	if err != nil {
		return fetched{}, err
	}
	if of, err = v.prove(entry, of, read); err != nil {
		return fetched{}, err
	}
	data := output.Account{
		ID: entry.ID, ProviderID: entry.ProviderID, DataAsOf: of.last,
		Items: map[v1alpha1.DatapointType][]json.RawMessage{},
	}
	entry.Datapoints = nil
	for _, datapoint := range sync.Spec.Datapoints {
		for _, item := range read.items[smile.Datapoint(datapoint.Type)] {
			data.Items[datapoint.Type] = append(data.Items[datapoint.Type], item.Content.Reveal())
		}
		entry.Datapoints = append(entry.Datapoints, v1alpha1.DatapointStatus{
			Type: datapoint.Type, Items: int32(len(data.Items[datapoint.Type])), FetchedAt: metav1.NewTime(now),
		})
	}
	entry.DataAsOf, entry.FinishedTasks, entry.ErasedAt = &metav1.Time{Time: of.last}, of.finished, nil
	return fetched{entry, data}, nil
}

// prove returns what is known of the tasks of an account now that this was fetched. It fails if the data is another user's. It
// also fails if a hint is the only reason to use the data, and the data does not name its owner or, in a first fetch, is empty or
// undated.
func (v *visit) prove(entry v1alpha1.SyncedAccount, of tasksOf, read content) (tasksOf, error) {
	if v.direct[entry.ID] && read.owner != ownershipProven {
		return of, errUnproven
	}
	if read.owner == ownershipForeign {
		return of, errForeign
	}
	if !v.isToFetch(entry) {
		return of, nil
	}
	known := of.finished > 0
	of = baseline(of, v.hinted[entry.ID].eventAt, read.at)
	if of.finished == 0 || !known && read.isEmpty() {
		return of, errUnproven
	}
	return of, nil
}
