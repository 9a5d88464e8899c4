package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const (
	webhookUsers    = 1000
	eventsPerSecond = 50
	webhookRounds   = 2
	webhookFigure   = "news at Smile to data in the Secret, by webhook, p99"
)

var webhooks = scenario{
	name: "webhooks",
	title: func(o options) string {
		return fmt.Sprintf("news of %d accounts, %d a second, told by webhooks", webhookCrowd(o), eventsPerSecond)
	},
	smile: func(options) sandbox.Options { return sandbox.Options{AllowHTTPWebhooks: true} },
	limit: within(15*time.Minute, 0),
	run:   runWebhooks,
}

func webhookCrowd(o options) int { return min(o.users, webhookUsers) }

func runWebhooks(ctx context.Context, st *stage) ([]figure, error) {
	f := figure{
		Name: webhookFigure, Unit: "s", Target: atMost(1), Generic: "polling",
		How: "from the end of an account's task at the sandbox, which then sends its events, to the change of the Secret that a watch saw",
	}
	w := &newsroom{stage: st, names: names("user", webhookCrowd(st.options)), accounts: map[string]string{}, changes: map[string][]change{}}
	if err := w.prepare(ctx); err != nil {
		return nil, err
	}
	var waits []time.Duration
	for range webhookRounds {
		round, err := w.tell(ctx)
		if err != nil {
			return nil, err
		}
		waits = append(waits, round...)
	}
	st.say("half of %d pieces of news arrived within %.2f s; calls: %s", len(waits), percentile(waits, 50).Seconds(), tallyCalls(st.smile.Journal(0)))
	f.Measured = percentile(waits, 99).Seconds()
	return []figure{f}, nil
}

// newsroom is people whose data is kept in Secrets, and what a watch has seen of these.
type newsroom struct {
	*stage
	names    []string
	operator *operator

	mu       sync.Mutex
	accounts map[string]string   // by names of users
	changes  map[string][]change // by names of Secrets
}

// change is a Secret as it was seen: since when, and with how many contributions.
type change struct {
	at    time.Time
	items int
}

func dataOf(user string) string { return user + "-data" }

// prepare ends with everybody's data in a Secret.
func (w *newsroom) prepare(ctx context.Context) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	people := w.watchPeople(ctx)
	w.watchSecrets(ctx)
	if err := w.declare(ctx, w.names); err != nil {
		return err
	}
	if err := w.each(ctx, "declared syncs of", w.names, func(ctx context.Context, name string) error {
		return w.admin.Create(ctx, syncOf(name))
	}); err != nil {
		return err
	}
	if err := w.subscribe(ctx); err != nil {
		return err
	}
	if err := w.allAre(ctx, w.operator, people, "Ready", len(w.names), isReady, 3*time.Minute); err != nil {
		return err
	}
	if err := w.linkAll(ctx, people); err != nil {
		return err
	}
	err := w.until(ctx, "everybody's data is in a Secret", 3*time.Minute, func() (bool, string, error) {
		filled := w.filled()
		return filled == len(w.names), fmt.Sprintf("that of %d is", filled), w.operator.alive()
	})
	if err != nil {
		return err
	}
	return w.settle(ctx, w.operator)
}

// subscribe starts the operator with its receiver and waits until Smile sends to it.
func (w *newsroom) subscribe(ctx context.Context) error {
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	w.operator, err = w.operate(ctx, unlimited, "--receiver-bind-address="+address, "--receiver-base-url=http://"+address)
	if err != nil {
		return err
	}
	subscription := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       "SmileWebhookSubscription",
		"metadata":   map[string]any{"namespace": namespace, "name": "news"},
		"spec": map[string]any{
			"connectionRef": map[string]any{"name": connectionName},
			"eventTypes":    []any{"TASK_FINISHED", "ACCOUNT_SYNC_TASK_FINISHED", "ACCOUNT_DISCONNECTED"}, // as in config/samples
		},
	}}
	if err := w.admin.Create(ctx, subscription); err != nil {
		return err
	}
	return w.until(ctx, "the subscription is Ready", time.Minute, func() (bool, string, error) {
		if err := w.admin.Get(ctx, client.ObjectKeyFromObject(subscription), subscription); err != nil {
			return false, "", err
		}
		conditions, _, _ := unstructured.NestedSlice(subscription.Object, "status", "conditions")
		return hasReady(conditions), fmt.Sprintf("its conditions are %v", conditions), w.operator.alive()
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

func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// syncOf keeps data of which every refresh brings more.
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

func (w *newsroom) linkAll(ctx context.Context, people *people) error {
	return w.each(ctx, "linked", w.names, func(_ context.Context, name string) error {
		account, err := w.smile.Link(george(people.of(name).userID))
		w.mu.Lock()
		defer w.mu.Unlock()
		w.accounts[name] = account.ID
		return err
	})
}

// watchSecrets notes every change of a Secret until ctx ends.
func (w *newsroom) watchSecrets(ctx context.Context) {
	w.follow(ctx, &corev1.SecretList{}, func(event watch.Event, now time.Time) {
		if secret, ok := event.Object.(*corev1.Secret); ok {
			w.note(secret, now)
		}
	})
}

func (w *newsroom) note(secret *corev1.Secret, now time.Time) {
	var items []json.RawMessage
	if err := json.Unmarshal(secret.Data["contributions.json"], &items); err != nil || len(items) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes[secret.Name] = append(w.changes[secret.Name], change{now, len(items)})
}

func (w *newsroom) filled() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, name := range w.names {
		if len(w.changes[dataOf(name)]) > 0 {
			n++
		}
	}
	return n
}

// tell has something new happen in every account, so many a second, and gives how long each took to arrive.
func (w *newsroom) tell(ctx context.Context) ([]time.Duration, error) {
	had, happened := w.items(), map[string]time.Time{}
	tick := time.NewTicker(time.Second / eventsPerSecond)
	defer tick.Stop()
	for _, name := range w.names {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
		happened[name] = time.Now()
		if _, err := w.smile.Resync(w.accounts[name]); err != nil {
			return nil, err
		}
	}
	var waits []time.Duration
	err := w.until(ctx, "all news are in the Secrets", time.Minute, func() (bool, string, error) {
		waits = w.arrived(had, happened)
		return len(waits) == len(happened), fmt.Sprintf("%d of %d are", len(waits), len(happened)), w.operator.alive()
	})
	if err != nil {
		return nil, err
	}
	return waits, w.settle(ctx, w.operator)
}

// items counts the contributions in the Secret of each user.
func (w *newsroom) items() map[string]int {
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

// arrived gives, for each user whose Secret has more contributions than it had, how long that took.
func (w *newsroom) arrived(had map[string]int, happened map[string]time.Time) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var waits []time.Duration
	for name, at := range happened {
		changes := w.changes[dataOf(name)]
		if i := slices.IndexFunc(changes, func(c change) bool { return c.items > had[name] }); i >= 0 {
			waits = append(waits, changes[i].at.Sub(at))
		}
	}
	return waits
}
