package accountsync

import (
	"context"
	"encoding/json"
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

// fetch reads the data of all connected accounts when any of it is news. It is all or nothing: an error leaves the
// last good data where it is.
func (v *visit) fetch(ctx context.Context, p *pass) error {
	sync := p.Object
	if err := v.checkOutput(ctx, sync); err != nil {
		return err
	}
	if len(namesOf(sync.Status.Accounts, connected))+len(namesOf(sync.Status.Accounts, hasData)) == 0 {
		p.Set(metav1.ConditionFalse, v1alpha1.ReasonAwaitingEndUser, "no account is connected")
		return nil
	}
	gathered, err := v.gathered(ctx, p)
	if err != nil {
		return err
	}
	v.change(sync, v.refreshDue(p))
	if v.changed {
		err = v.fetchAll(ctx, sync, gathered, p.Now)
	}
	if err != nil {
		return err
	}
	if v.trouble == nil {
		v.trouble, err = v.unsupported(ctx, sync)
	}
	if v.trouble != nil {
		p.Keep() // conclude says what the trouble is, once what there is has been written
	}
	return err
}

func (v *visit) fetchAll(ctx context.Context, sync *v1alpha1.SmileAccountSync, gathered map[string]tasksOf, now time.Time) error {
	for i := range sync.Status.Accounts {
		entry := &sync.Status.Accounts[i]
		finished, ok := gathered[entry.ID]
		if !ok {
			continue
		}
		if err := v.fetchAccount(ctx, sync, entry, finished, now); err != nil {
			return err
		}
	}
	return nil
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
			v.change(p.Object, true)
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
	ask := !v.notBefore.IsZero() && !v.changed
	for _, entry := range sync.Status.Accounts {
		ask = ask || connected(entry) && known[entry.ID].Tasks == 0 && entry.FinishedTasks == 0
	}
	if !ask {
		return known, nil
	}
	return v.known.Gathered(ctx, v.conn.Client, userID, v.notBefore)
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
func (v *visit) fetchAccount(ctx context.Context, sync *v1alpha1.SmileAccountSync, entry *v1alpha1.SyncedAccount, of tasksOf, now time.Time) error {
	items, err := v.itemsOf(ctx, entry.ID, sync.Spec.Datapoints)
	if smile.IsNotFound(err) {
		return engine.NewTransient(v1alpha1.ReasonSmileUnavailable,
			"the data of an account went away while it was read: the account is looked at again").Because(err)
	}
	if err != nil {
		return err
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
	entry.DataAsOf, entry.FinishedTasks = &metav1.Time{Time: of.last}, of.finished
	v.data = append(v.data, data)
	return nil
}

// itemsOf reads datapoints of an account: the list when only one is wanted, else everything at once, and again the
// list of whatever that cut short.
func (v *visit) itemsOf(ctx context.Context, accountID string, wanted []v1alpha1.Datapoint) (map[smile.Datapoint][]smile.Item, error) {
	listed := []smile.Datapoint{smile.Datapoint(wanted[0].Type)}
	items := map[smile.Datapoint][]smile.Item{}
	if len(wanted) > 1 {
		payload, err := v.conn.Client.AccountPayload(ctx, accountID)
		if err != nil {
			return nil, err
		}
		items, listed = payload.Items, cut(payload, wanted)
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

func cut(payload smile.AccountPayload, wanted []v1alpha1.Datapoint) []smile.Datapoint {
	var short []smile.Datapoint
	for _, datapoint := range wanted {
		if payload.Cut[smile.Datapoint(datapoint.Type)] {
			short = append(short, smile.Datapoint(datapoint.Type))
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
		if !hasData(account) {
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
