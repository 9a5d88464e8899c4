package accountsync

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
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
func (v *visit) fetch(ctx context.Context, p *pass) error {
	sync := p.Object
	if err := v.compare(ctx, sync); err != nil {
		return err
	}
	if len(namesOf(sync.Status.Accounts, connected))+len(namesOf(sync.Status.Accounts, hasData)) == 0 {
		found := connectednessOf(sync.Status.Accounts)
		p.Set(metav1.ConditionFalse, found.reason, found.message)
		return nil
	}
	gathered, err := v.gathered(ctx, p)
	if err != nil {
		return err
	}
	v.watchPromise(p)
	v.change(v.refreshDue(p))
	if err := v.tryToWrite(ctx, sync); err != nil {
		return err
	}
	sync.Status.DataPending = v.changed // until it is written, whatever becomes of this pass and this process
	if v.changed {
		err = v.fetchAll(v.urgently(ctx), sync, gathered, p.Now)
	}
	if smile.IsNotFound(err) {
		err = v.fetchRest(ctx, p, gathered)
	}
	v.auditFetched(p)
	if err == nil && v.trouble == nil {
		v.trouble, err = v.unsupported(ctx, sync)
	}
	switch {
	case v.trouble != nil:
		p.Keep() // conclude says what the trouble is, once what there is has been written
	case slices.ContainsFunc(sync.Status.Accounts, v.isExpired):
		p.Set(metav1.ConditionFalse, v1alpha1.ReasonDataExpired, dataExpired)
	}
	return err
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

// fetchRest fetches again when an account went away while it was read: without that account, whose data is erased.
func (v *visit) fetchRest(ctx context.Context, p *pass, gathered map[string]tasksOf) error {
	accounts, err := v.known.Accounts(ctx, v.conn.Client, v.user.Status.UserID, v.Clock.Now())
	if err != nil {
		return err
	}
	if err := v.takeIn(ctx, p, accounts); err != nil {
		return err
	}
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

// wants tells whether the data of an account must be fetched. What its ttl has ended is fetched for news only.
func (v *visit) wants(sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount, of tasksOf, now time.Time) bool {
	switch {
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
			v.trouble = engine.NewNotReady(v1alpha1.ReasonDataOverdue,
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
		if of.finished == 0 {
			v.trouble = engine.NewWaiting(v1alpha1.ReasonProgressing,
				"Smile is still gathering the data of a connected account").After(untilNextLook(p, entry))
			continue
		}
		gathered[entry.ID] = of
	}
	return gathered, nil
}

// tasks asks for the tasks when something hints at news, or when an account's data has never been seen. Who wants the
// data anew in any case need not know.
func (v *visit) tasks(ctx context.Context, sync *v1alpha1.SmileAccountSync) (map[string]mirror.Gathered, error) {
	userID := v.user.Status.UserID
	known := v.known.KnownGathered(userID)
	ask := !v.notBefore.IsZero() && !v.whole
	for _, entry := range sync.Status.Accounts {
		ask = ask || connected(entry) && known[entry.ID].Tasks == 0 && entry.FinishedTasks == 0
	}
	if !ask {
		return known, nil
	}
	return v.known.Gathered(mirror.WithReader(v.urgently(ctx), sync.UID), v.conn.Client, userID, v.notBefore)
}

func fetchedOf(entry v1alpha1.SyncedAccount) tasksOf {
	if entry.DataAsOf == nil {
		return tasksOf{}
	}
	return tasksOf{finished: entry.FinishedTasks, last: entry.DataAsOf.Time}
}

// refreshDue tells whether the spec asks for the data to be fetched again though there is no news.
func (v *visit) refreshDue(p *pass) bool {
	if p.Object.Spec.RefreshInterval == nil {
		return false
	}
	due := false
	for _, account := range p.Object.Status.Accounts {
		for _, datapoint := range account.Datapoints {
			at := datapoint.FetchedAt.Add(p.Object.Spec.RefreshInterval.Duration)
			p.WakeAt(at)
			due = due || !at.After(p.Now)
		}
	}
	return due
}

// fetchAccount reads what the spec asks for of one account: in one call where one brings it all.
func (v *visit) fetchAccount(ctx context.Context, sync *v1alpha1.SmileAccountSync, entry v1alpha1.SyncedAccount, of tasksOf, now time.Time) (fetched, error) {
	items, err := v.itemsOf(ctx, entry.ID, sync.Spec.Datapoints)
	if err != nil {
		return fetched{}, err
	}
	data := output.Account{
		ID: entry.ID, ProviderID: entry.ProviderID, DataAsOf: of.last,
		Items: map[v1alpha1.DatapointType][]json.RawMessage{},
	}
	entry.Datapoints = nil
	for _, datapoint := range sync.Spec.Datapoints {
		for _, item := range items[smile.Datapoint(datapoint.Type)] {
			data.Items[datapoint.Type] = append(data.Items[datapoint.Type], item.Content.Reveal())
		}
		entry.Datapoints = append(entry.Datapoints, v1alpha1.DatapointStatus{
			Type: datapoint.Type, Items: int32(len(data.Items[datapoint.Type])), FetchedAt: metav1.NewTime(now),
		})
	}
	entry.DataAsOf, entry.FinishedTasks, entry.ErasedAt = &metav1.Time{Time: of.last}, of.finished, nil
	return fetched{entry, data}, nil
}

// itemsOf reads datapoints of an account: the list when only one is wanted, else everything at once, and again the
// list of whatever that cut short.
func (v *visit) itemsOf(ctx context.Context, accountID string, wanted []v1alpha1.Datapoint) (map[smile.Datapoint][]smile.Item, error) {
	listed := []smile.Datapoint{smile.Datapoint(wanted[0].Type)}
	items := map[smile.Datapoint][]smile.Item{}
	if len(wanted) > 1 {
		payload, err := v.conn.Client.AccountPayload(ctx, accountID)
		tooLarge := errors.Is(err, smile.ProblemTooLarge)
		if err != nil && !tooLarge {
			return nil, err
		}
		if !tooLarge {
			items = payload.Items
		}
		listed = cut(payload, wanted, tooLarge)
	}
	for _, datapoint := range listed {
		complete, err := collect(v.conn.Client.Items(ctx, datapoint, smile.ItemFilter{SourceID: accountID}), accountID)
		if err != nil {
			return nil, err
		}
		items[datapoint] = complete
	}
	return items, nil
}

// fullList is how many items of a list Smile sends at once: one with as many may be cut.
const fullList = 300

func cut(payload smile.AccountPayload, wanted []v1alpha1.Datapoint, all bool) []smile.Datapoint {
	var short []smile.Datapoint
	for _, datapoint := range wanted {
		name := smile.Datapoint(datapoint.Type)
		if all || payload.Cut[name] || len(payload.Items[name]) >= fullList {
			short = append(short, name)
		}
	}
	return short
}

// collect reads a listing to its end, and leaves out what is not of the account that was asked for.
func collect(listing iter.Seq2[smile.Item, error], accountID string) ([]smile.Item, error) {
	var items []smile.Item
	for item, err := range listing {
		if err != nil {
			return nil, err
		}
		if item.Source.SourceID == "" || item.Source.SourceID == accountID {
			items = append(items, item)
		}
	}
	return items, nil
}

// unsupported tells which datapoints none of the linked accounts' providers offers.
func (v *visit) unsupported(ctx context.Context, sync *v1alpha1.SmileAccountSync) (*engine.Problem, error) {
	offered, providers := map[smile.Datapoint]bool{}, []string{}
	for _, account := range sync.Status.Accounts {
		if !hasData(account) && !v.isFetched(account.ID) {
			continue
		}
		provider, err := v.known.Provider(ctx, v.conn.Client, account.ProviderID)
		if smile.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		providers = append(providers, provider.ID)
		for _, datapoint := range provider.Supported {
			offered[datapoint] = true
		}
	}
	var missing []string
	for _, datapoint := range sync.Spec.Datapoints {
		if !offered[smile.Datapoint(datapoint.Type)] {
			missing = append(missing, string(datapoint.Type))
		}
	}
	if len(missing) == 0 || len(providers) == 0 {
		return nil, nil
	}
	slices.Sort(providers)
	return engine.NewInvalid(v1alpha1.ReasonDatapointUnsupported,
		"spec.datapoints: "+strings.Join(missing, ", ")+" is offered by none of the linked providers ("+
			strings.Join(slices.Compact(providers), ", ")+"): remove it, or wait for an account that has it; the rest is synced").
		After(unsupportedRetry), nil
}
