package accountsync

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
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

// fetch reads the data of the accounts that have new data, after it has erased what must be erased. It is all or nothing:
// after an error, the last good data and the status stay as they are.
func (s *scope) fetch(ctx context.Context, run *run) error {
	sync := run.Object
	if err := s.eraseJudged(ctx, run); err != nil {
		return err
	}
	if isUnnamed(sync) {
		return errUnnamedFields
	}
	if err := s.compare(ctx, sync); err != nil {
		return err
	}
	if len(namesOf(sync.Status.Accounts, connected))+len(namesOf(sync.Status.Accounts, hasData)) == 0 {
		accounts := connectednessOf(sync.Status.Accounts)
		s.found.noData = &accounts
		return nil
	}
	gathered, err := s.gathered(ctx, run)
	if err != nil {
		return err
	}
	s.watchPromise(run)
	s.plan.writeIf(s.refreshDue(run))
	if err := s.tryToWrite(ctx, sync); err != nil {
		return err
	}
	sync.Status.DataPending = s.plan.write // until it is written, even if this reconcile or this process ends
	if s.plan.write {
		err = s.fetchChanged(ctx, run, gathered)
	}
	s.auditFetched(run)
	if err == nil && s.plan.problem == nil {
		s.plan.problem, err = s.unsupported(ctx, sync)
	}
	s.found.fetch = progressOf(s.plan.problem, err)
	return err
}

func progressOf(lacking *problem.Problem, err error) fetchProgress {
	switch {
	case lacking != nil:
		return fetchLacking
	case err != nil:
		return fetchFailed
	default:
		return fetchComplete
	}
}

// compare decides whether the output must be written again, and whether all data must be fetched for that. An output of another
// owner is an error, before anything is fetched for it.
func (s *scope) compare(ctx context.Context, sync *v1alpha1.SmileAccountSync) error {
	if _, wanted := targetOf(sync); !wanted {
		return nil
	}
	if err := s.checkOutput(ctx, sync); err != nil {
		return err
	}
	s.plan.refetch = s.plan.refetch || !s.asWritten && !s.moves(sync)
	s.plan.writeIf(!s.asWritten || !s.hasMetadata)
	return nil
}

func (s *scope) isExpired(account v1alpha1.SyncedAccount) bool {
	return account.ErasedAt != nil && !disconnected(account) && !s.isFetched(account.ID)
}

// fetchChanged fetches new data, and fetches again if an assumption turns out to be wrong.
func (s *scope) fetchChanged(ctx context.Context, run *run, gathered map[string]tasksOf) error {
	err := s.fetchAll(s.urgently(ctx), run.Object, gathered, run.Now)
	switch {
	case errors.Is(err, errUnproven):
		return s.fetchUnhinted(ctx, run)
	case smile.IsNotFound(err):
		return s.fetchRest(ctx, run, gathered)
	default:
		return err
	}
}

// fetchRest fetches again if an account disappeared while it was read: without that account, whose data is erased.
func (s *scope) fetchRest(ctx context.Context, run *run, gathered map[string]tasksOf) error {
	accounts, err := s.mirror.Accounts(ctx, "", s.user.Status.UserID, s.r.Clock.Now())
	if err != nil {
		return err
	}
	if err := s.applyListing(ctx, run, accounts); err != nil {
		return err
	}
	return s.fetchAgain(ctx, run, gathered)
}

// fetchUnhinted fetches again, after reading accounts and tasks, if a response did not prove what a hint said.
func (s *scope) fetchUnhinted(ctx context.Context, run *run) error {
	s.dropDataHints()
	accounts, err := s.accounts(ctx, run.Object)
	if err != nil {
		return err
	}
	if err := s.applyListing(ctx, run, accounts); err != nil {
		return err
	}
	gathered, err := s.gathered(ctx, run)
	if err != nil {
		return err
	}
	return s.fetchAgain(s.urgently(ctx), run, gathered)
}

func (s *scope) fetchAgain(ctx context.Context, run *run, gathered map[string]tasksOf) error {
	if err := s.erase(ctx, run); err != nil {
		return err
	}
	s.fetched = nil
	if err := s.compare(ctx, run.Object); err != nil {
		return err
	}
	return s.fetchAll(ctx, run.Object, gathered, run.Now)
}

func (s *scope) fetchAll(ctx context.Context, sync *v1alpha1.SmileAccountSync, gathered map[string]tasksOf, now time.Time) error {
	for _, entry := range sync.Status.Accounts {
		of, ok := gathered[entry.ID]
		if !ok || disconnected(entry) || !s.wants(sync, entry, of, now) {
			continue
		}
		one, err := s.fetchAccount(ctx, sync, entry, of, now)
		if err != nil {
			return err
		}
		s.fetched = append(s.fetched, one)
	}
	return nil
}

// wants reports whether the data of an account must be fetched. Data that was erased because of its ttl is fetched only if there
// is newer data.
func (s *scope) wants(sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount, of tasksOf, now time.Time) bool {
	switch {
	case s.isToFetch(entry):
		return true
	case entry.DataAsOf == nil || of.finished != entry.FinishedTasks || !of.last.Equal(entry.DataAsOf.Time):
		return true
	case entry.ErasedAt != nil:
		return false
	default:
		return s.plan.refetch || !isKept(entry) || refreshDueAt(sync, entry, now)
	}
}

func (s *scope) isFetched(id string) bool {
	return slices.ContainsFunc(s.fetched, func(one fetched) bool { return one.entry.ID == id })
}

func refreshDueAt(sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount, now time.Time) bool {
	every := sync.Spec.RefreshInterval
	return every != nil && slices.ContainsFunc(entry.Datapoints, func(d v1alpha1.DatapointStatus) bool {
		return !d.FetchedAt.Add(every.Duration).After(now)
	})
}

// watchPromise plans a report about an account that has waited for its data longer than Smile promises.
func (s *scope) watchPromise(run *run) {
	for i := range run.Object.Status.Accounts {
		entry := &run.Object.Status.Accounts[i]
		waiting := connected(*entry) && entry.FinishedTasks == 0 && entry.ConnectedAt != nil
		if s.plan.problem != nil && waiting && run.Now.Sub(entry.ConnectedAt.Time) >= promise {
			s.plan.problem = problem.NewNotReady(v1alpha1.ReasonDataOverdue,
				"an account has been connected for more than five minutes, but Smile has not gathered its data yet: "+
					"if this persists, contact Smile's support").
				After(untilNextRefresh(run, entry))
			return
		}
	}
}

// tasksOf summarizes the tasks of one account: when its data was last gathered, and how many tasks finished then.
type tasksOf struct {
	finished int32
	last     time.Time
}

// gathered returns the tasks of each account whose data Smile has gathered, and plans to write if there is new data. A
// connected account whose data is still being gathered is a problem that ends by itself. If the mirror has no tasks of an
// account, those in the status count, because finished tasks stay finished.
func (s *scope) gathered(ctx context.Context, run *run) (map[string]tasksOf, error) {
	tasks, err := s.tasks(ctx, run.Object)
	if err != nil {
		return nil, err
	}
	gathered := map[string]tasksOf{}
	for i := range run.Object.Status.Accounts {
		entry := &run.Object.Status.Accounts[i]
		if !connected(*entry) && !hasData(*entry) {
			continue
		}
		of := fetchedOf(*entry)
		if found := tasks[entry.ID]; found.Newer(of.last, of.finished) {
			of = tasksOf{finished: found.Tasks, last: found.Last()}
			s.plan.writeIf(true)
		}
		toFetch := s.isToFetch(*entry)
		s.plan.writeIf(toFetch)
		if of.finished == 0 && !toFetch {
			s.plan.problem = problem.NewWaiting(v1alpha1.ReasonProgressing,
				"Smile is still gathering the data of a connected account").After(untilNextRefresh(run, entry))
			continue
		}
		gathered[entry.ID] = of
	}
	return gathered, nil
}

// tasks reads the tasks if something hints at new data, or if an account's data was never fetched. If the data is fetched again
// in any case, they are not needed.
func (s *scope) tasks(ctx context.Context, sync *v1alpha1.SmileAccountSync) (map[string]mirror.Gathered, error) {
	userID := s.user.Status.UserID
	gathered := s.mirror.CachedGathered(userID)
	since := s.tasksSince(sync)
	ask := !since.IsZero() && !s.plan.refetch
	for _, entry := range sync.Status.Accounts {
		ask = ask || connected(entry) && gathered[entry.ID].Tasks == 0 && entry.FinishedTasks == 0 && !s.isToFetch(entry)
	}
	if !ask {
		return gathered, nil
	}
	return s.mirror.Gathered(s.urgently(ctx), sync.UID, userID, since)
}

func fetchedOf(entry v1alpha1.SyncedAccount) tasksOf {
	if entry.DataAsOf == nil {
		return tasksOf{}
	}
	return tasksOf{finished: entry.FinishedTasks, last: entry.DataAsOf.Time}
}

// refreshDue reports whether the spec requires that the data is fetched again although there is nothing new.
func (s *scope) refreshDue(run *run) bool {
	next, due := nextRefresh(run.Object, run.Now)
	run.WakeAt(next)
	return due
}

// nextRefresh reports whether data is due to be fetched again now, and when it will be due after that. The time is zero if it
// never will be. Smile no longer has the data of disconnected accounts.
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

// fetchAccount reads the datapoints of the spec for one account, in one call if possible.
func (s *scope) fetchAccount(
	ctx context.Context, sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount, of tasksOf, now time.Time,
) (fetched, error) {
	read, err := s.contentOf(ctx, sync, entry.ID)
	if err != nil {
		return fetched{}, err
	}
	if of, err = s.prove(entry, of, read); err != nil {
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

// prove returns the tasks of an account that the fetched content proves. It fails if the data belongs to another user. If a
// hint is the only reason to use the data, it also fails if the data does not name its owner, or if a first fetch is empty
// or has no date.
func (s *scope) prove(entry v1alpha1.SyncedAccount, of tasksOf, read content) (tasksOf, error) {
	if s.direct[entry.ID] && read.owner != ownershipProven {
		return of, errUnproven
	}
	if read.owner == ownershipForeign {
		return of, errForeign
	}
	if !s.isToFetch(entry) {
		return of, nil
	}
	hadTasks := of.finished > 0
	of = baseline(of, s.hinted[entry.ID].eventAt, read.at)
	if of.finished == 0 || !hadTasks && read.isEmpty() {
		return of, errUnproven
	}
	return of, nil
}
