package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/controlplane"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const (
	webhookUsers    = 1000
	eventsPerSecond = 50
	webhookRounds   = 2
	// subscriptionName is the SmileWebhookSubscription of a scenario.
	subscriptionName = "news"
	// leaverShare: one in so many users has the account disconnected at the end. More at a time would be held as a mass
	// disappearance, unless they are fewLeavers at most.
	leaverShare = 20
	fewLeavers  = 9
)

var webhooks = scenario{
	name: "webhooks",
	title: func(o options) string {
		return fmt.Sprintf(
			"new data and disconnections of %d accounts, %d a second, reported by webhooks",
			webhookUserCount(o),
			eventsPerSecond,
		)
	},
	smile:    func(options) sandbox.Options { return sandbox.Options{AllowHTTPWebhooks: true} },
	workload: synced(webhookUserCount, map[string]float64{"events a second": eventsPerSecond}),
	limit:    within(15*time.Minute, 0),
	run:      runWebhooks,
}

func leavers(users int) int { return min(users, max(fewLeavers, users/leaverShare)) }

func webhookUserCount(o options) int { return min(o.users, webhookUsers) }

func runWebhooks(ctx context.Context, st *stage) ([]figure, error) {
	w := &syncedUsers{
		stage:    st,
		names:    names("user", webhookUserCount(st.options)),
		accounts: map[string]string{},
		changes:  map[string][]change{},
	}
	if err := w.prepare(ctx, w.subscribe, func(context.Context) error { return nil }); err != nil {
		return nil, err
	}
	var news []time.Duration
	for range webhookRounds {
		delays, err := w.changeAccounts(ctx, w.names, accountChange{st.smile.Resync, func(had, has int) bool { return has > had }})
		if err != nil {
			return nil, err
		}
		news = append(news, delays...)
	}
	erased := accountChange{st.smile.Disconnect, func(_, has int) bool { return has == 0 }}
	ends, err := w.changeAccounts(ctx, w.names[:leavers(len(w.names))], erased)
	if err != nil {
		return nil, err
	}
	st.say("half of %d pieces of news arrived within %.2f s, half of %d erasures were made within %.2f s; calls: %s",
		len(news), percentile(news, 50).Seconds(), len(ends), percentile(ends, 50).Seconds(), tallyCalls(st.smile.Journal(0)))
	return []figure{
		{
			Name: "news at Smile to data in the Secret, by webhook, p99", Unit: "s", Target: atMost(1), Generic: "polling",
			Measured: percentile(news, 99).Seconds(),
			How:      "from the end of an account's task at the sandbox, which then sends its events, to the change of the Secret that a watch saw",
		},
		{
			Name: "disconnection at Smile to data erased from the Secret, by webhook, p99", Unit: "s", Target: atMost(1),
			Measured: percentile(ends, 99).Seconds(),
			How:      "from an account's disconnection at the sandbox, which then sends its event, to the Secret without data that a watch saw",
		},
	}, nil
}

// syncedUsers is a set of users whose data is in Secrets, and what a watch has shown of these.
type syncedUsers struct {
	*stage
	names    []string
	operator *operator
	// address of the operator's receiver.
	address string
	people  *people

	mu       sync.Mutex
	accounts map[string]string   // by names of users
	changes  map[string][]change // by names of Secrets
}

// change is a state of a Secret: since when, and with how many items of data.
type change struct {
	at    time.Time
	items int
}

func dataOf(user string) string { return user + "-data" }

// prepare starts the operator, links the accounts, and returns when the data of all users is in its Secret.
func (w *syncedUsers) prepare(ctx context.Context, start, fetch func(context.Context) error) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	w.people = w.watchPeople(ctx)
	w.watchSecrets(ctx)
	if err := w.declare(ctx, w.names); err != nil {
		return err
	}
	if err := w.each(ctx, "created syncs for", w.names, func(ctx context.Context, name string) error {
		return w.admin.Create(ctx, syncOf(name))
	}); err != nil {
		return err
	}
	if err := start(ctx); err != nil {
		return err
	}
	if err := w.allAre(ctx, w.operator, w.people, "Ready", len(w.names), isReady, w.patience()); err != nil {
		return err
	}
	if err := w.linkAll(ctx); err != nil {
		return err
	}
	if err := fetch(ctx); err != nil {
		return err
	}
	err := w.until(ctx, "everybody's data is in a Secret", w.patience(), func() (bool, string, error) {
		filled := w.filled()
		return filled == len(w.names), fmt.Sprintf("that of %d is", filled), w.operator.alive()
	})
	if err != nil {
		return err
	}
	return w.settle(ctx, w.operator)
}

// patience is how long to wait for something that concerns all users.
func (w *syncedUsers) patience() time.Duration {
	return 3*time.Minute + time.Duration(len(w.names))*100*time.Millisecond
}

// subscribe starts the operator with its receiver and waits until Smile sends to it.
func (w *syncedUsers) subscribe(ctx context.Context) error {
	var err error
	if w.address, err = controlplane.FreeAddress(ctx); err != nil {
		return err
	}
	if w.operator, err = w.operate(ctx, unlimited, receiving(w.address)...); err != nil {
		return err
	}
	return w.subscribed(ctx, w.operator)
}

// receiving returns the flags of an operator that receives webhooks at an address.
func receiving(address string) []string {
	return []string{"--receiver-bind-address=" + address, "--receiver-base-url=http://" + address}
}

// subscribed creates the SmileWebhookSubscription, and waits until it is Ready.
func (st *stage) subscribed(ctx context.Context, o *operator) error {
	subscription := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       "SmileWebhookSubscription",
		"metadata":   map[string]any{"namespace": namespace, "name": subscriptionName},
		"spec": map[string]any{
			"connectionRef": map[string]any{"name": connectionName},
			"eventTypes":    []any{"TASK_FINISHED", "ACCOUNT_SYNC_TASK_FINISHED", "ACCOUNT_DISCONNECTED"}, // as in config/samples
		},
	}}
	if err := st.admin.Create(ctx, subscription); err != nil {
		return err
	}
	return st.until(ctx, "the subscription is Ready", time.Minute, func() (bool, string, error) {
		if err := st.admin.Get(ctx, client.ObjectKeyFromObject(subscription), subscription); err != nil {
			return false, "", err
		}
		conditions, _, _ := unstructured.NestedSlice(subscription.Object, "status", "conditions")
		return hasReady(conditions), fmt.Sprintf("its conditions are %v", conditions), o.alive()
	})
}

func hasReady(conditions []any) bool {
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if condition["type"] == v1alpha1.ConditionReady && condition["status"] == "True" {
			return true
		}
	}
	return false
}

// syncOf is a SmileAccountSync of data that grows with every refresh.
func syncOf(user string) *v1alpha1.SmileAccountSync {
	return &v1alpha1.SmileAccountSync{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user},
		Spec: v1alpha1.SmileAccountSyncSpec{
			UserRef:    v1alpha1.UserReference{Name: user},
			Datapoints: []v1alpha1.Datapoint{{Type: "IDENTITIES"}, {Type: "CONTRIBUTIONS"}},
			Output:     &v1alpha1.SyncOutput{Secret: &v1alpha1.OutputReference{Name: dataOf(user)}},
		},
	}
}

func (w *syncedUsers) linkAll(ctx context.Context) error {
	return w.each(ctx, "linked", w.names, func(_ context.Context, name string) error {
		account, err := w.smile.Link(george(w.people.of(name).userID))
		w.mu.Lock()
		defer w.mu.Unlock()
		w.accounts[name] = account.ID
		return err
	})
}

// watchSecrets records every change of a Secret until ctx ends.
func (w *syncedUsers) watchSecrets(ctx context.Context) {
	w.follow(ctx, &corev1.SecretList{}, func(event watch.Event, now time.Time) {
		if secret, ok := event.Object.(*corev1.Secret); ok {
			w.note(secret, now)
		}
	})
}

func (w *syncedUsers) note(secret *corev1.Secret, now time.Time) {
	seen := change{at: now}
	for _, key := range []string{"identities.json", "contributions.json"} {
		var items []json.RawMessage
		if json.Unmarshal(secret.Data[key], &items) == nil {
			seen.items += len(items)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes[secret.Name] = append(w.changes[secret.Name], seen)
}

func (w *syncedUsers) filled() int {
	n := 0
	for _, items := range w.items() {
		if items > 0 {
			n++
		}
	}
	return n
}

// accountChange is a change of an account, and how a Secret shows it: by the number of items before and after.
type accountChange struct {
	apply func(accountID string) (sandbox.Account, error)
	shows func(had, has int) bool
}

// changeAccounts changes the accounts of users, at a rate, and returns the delay of each change.
func (w *syncedUsers) changeAccounts(ctx context.Context, names []string, s accountChange) ([]time.Duration, error) {
	had, happened := w.items(), map[string]time.Time{}
	tick := time.NewTicker(time.Second / eventsPerSecond)
	defer tick.Stop()
	for _, name := range names {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
		happened[name] = time.Now()
		if _, err := s.apply(w.accounts[name]); err != nil {
			return nil, err
		}
	}
	var waits []time.Duration
	err := w.until(ctx, "all of it shows in the Secrets", time.Minute, func() (bool, string, error) {
		waits = w.arrived(had, happened, s)
		return len(waits) == len(happened), fmt.Sprintf("%d of %d do", len(waits), len(happened)), w.operator.alive()
	})
	if err != nil {
		return nil, err
	}
	return waits, w.settle(ctx, w.operator)
}

// items counts the items of data in the Secret of each user.
func (w *syncedUsers) items() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := map[string]int{}
	for _, name := range w.names {
		if changes := w.changes[dataOf(name)]; len(changes) > 0 {
			counts[name] = changes[len(changes)-1].items
		}
	}
	return counts
}

// arrived returns the delay for each user whose Secret shows what happened.
func (w *syncedUsers) arrived(had map[string]int, happened map[string]time.Time, s accountChange) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var waits []time.Duration
	for name, at := range happened {
		changes := w.changes[dataOf(name)]
		if i := slices.IndexFunc(changes, func(c change) bool { return c.at.After(at) && s.shows(had[name], c.items) }); i >= 0 {
			waits = append(waits, changes[i].at.Sub(at))
		}
	}
	return waits
}
