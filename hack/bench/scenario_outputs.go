package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/audit"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// damagedEach is the largest number of outputs that are damaged in each way.
const damagedEach = 10

var outputs = scenario{
	name: "outputs",
	title: func(o options) string {
		return fmt.Sprintf("%d syncs whose outputs are checked every %s: at rest, damaged, through a restart", o.users, o.outputInterval)
	},
	smile:    withoutLimit,
	workload: synced(everybody, nil),
	limit: func(o options) time.Duration {
		return 30*time.Minute + time.Duration(o.users)*300*time.Millisecond + 6*o.outputInterval
	},
	run: func(ctx context.Context, st *stage) ([]figure, error) {
		g := &outputsRun{syncedUsers{
			stage: st, names: names("user", st.users), accounts: map[string]string{}, changes: map[string][]change{},
		}}
		if err := g.prepare(ctx, g.start, g.requestAll); err != nil {
			return nil, err
		}
		var figures []figure
		for _, part := range []func(context.Context) ([]figure, error){g.rest, g.damage, g.throughRestart} {
			measured, err := part(ctx)
			figures = append(figures, measured...)
			if err != nil {
				return figures, err
			}
		}
		return figures, nil
	},
}

// outputsRun is one operator with users whose data is in Secrets that are damaged.
type outputsRun struct{ syncedUsers }

// damages are the ways in which an output is damaged.
var damages = map[string]func(context.Context, client.Client, *corev1.Secret) error{
	"deleted":           func(ctx context.Context, c client.Client, secret *corev1.Secret) error { return c.Delete(ctx, secret) },
	"edited":            patched(`{"data":{"identities.json":"e30="}}`),
	"stripped of a key": patched(`{"data":{"contributions.json":null}}`),
	"orphaned":          patched(`{"metadata":{"ownerReferences":null}}`),
}

func patched(patch string) func(context.Context, client.Client, *corev1.Secret) error {
	return func(ctx context.Context, c client.Client, secret *corev1.Secret) error {
		return c.Patch(ctx, secret, client.RawPatch(types.MergePatchType, []byte(patch)))
	}
}

// damaged is an output that was damaged, with its former content, and the time.
type damaged struct {
	kind   string
	user   string
	before *corev1.Secret
	at     time.Time
	took   time.Duration // until it was repaired or the sync not Ready; 0 while neither
}

func (g *outputsRun) start(ctx context.Context) (err error) {
	g.operator, err = g.operate(ctx, unlimited, g.flag())
	return err
}

func (g *outputsRun) flag() string { return "--output-check-interval=" + g.outputInterval.String() }

// requestAll requests a refresh of the data of each user, without a webhook, because events are due again after a restart.
func (g *outputsRun) requestAll(ctx context.Context) error {
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"now"}}}`, v1alpha1.AnnotationRequestedAt)
	return g.each(ctx, "requested the data of", g.names, func(ctx context.Context, name string) error {
		return g.admin.Patch(ctx, syncOf(name), client.RawPatch(types.MergePatchType, patch))
	})
}

// damage damages some outputs in each way, and measures the time until each is repaired or its SmileAccountSync is
// not Ready.
func (g *outputsRun) damage(ctx context.Context) ([]figure, error) {
	mark, began := g.mark(), time.Now()
	all, err := g.damageSome(ctx)
	if err != nil {
		return nil, err
	}
	err = g.until(ctx, "all damaged outputs are repaired or their syncs not Ready", 2*g.outputInterval+time.Minute,
		func() (bool, string, error) {
			left, err := g.unrepaired(ctx, all)
			return left == 0, fmt.Sprintf("%d of %d are not", left, len(all)), err
		})
	if err != nil {
		return nil, err
	}
	calls := g.smile.Journal(mark)
	g.say("%d damaged outputs after %s; calls: %s", len(all), time.Since(began).Round(time.Second), tallyCalls(calls))
	var figures []figure
	for _, kind := range slices.Sorted(maps.Keys(damages)) {
		longest, most := time.Duration(0), 0
		for _, one := range all {
			if one.kind == kind {
				longest = max(longest, one.took)
				most = max(most, g.callsFor(one.user, calls))
			}
		}
		figures = append(figures,
			figure{
				Name: fmt.Sprintf("output %s, %d syncs: to repaired or not Ready, at most", kind, len(g.names)), Unit: "s",
				Target: atMost(g.outputInterval.Seconds()), Measured: longest.Seconds(),
				How: "from before the damage to the read of the Secret or the sync by which it was over, about a second apart",
			},
			figure{
				Name: "Smile calls for one output " + kind + ", at most", Target: atMost(1), Measured: float64(most),
				How: "calls that name the person or the account in the sandbox's journal, until all are repaired",
			})
	}
	return append(figures, figure{
		Name: "Smile calls per damaged output", Target: atMost(1), Measured: perUser(len(calls), len(all)),
		How: "the sandbox's journal",
	}), nil
}

// callsFor counts the calls that are about a person.
func (g *outputsRun) callsFor(user string, calls []sandbox.JournalEntry) int {
	return len(only(calls, func(c sandbox.JournalEntry) bool {
		return c.UserID == g.people.of(user).userID || strings.Contains(c.Path, g.accounts[user])
	}))
}

func (g *outputsRun) damageSome(ctx context.Context) ([]*damaged, error) {
	var all []*damaged
	kinds := slices.Sorted(maps.Keys(damages))
	each := min(damagedEach, max(1, len(g.names)/len(kinds)))
	for i := range each * len(kinds) {
		kind, user := kinds[i%len(kinds)], g.names[i*len(g.names)/(each*len(kinds))]
		secret := &corev1.Secret{}
		if err := g.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: dataOf(user)}, secret); err != nil {
			return nil, err
		}
		one := &damaged{kind: kind, user: user, before: secret.DeepCopy(), at: time.Now()}
		if err := damages[kind](ctx, g.admin, secret); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// unrepaired checks the damaged outputs once a second, and returns how many are neither repaired nor reported.
func (g *outputsRun) unrepaired(ctx context.Context, all []*damaged) (int, error) {
	left := 0
	for _, one := range all {
		if one.took > 0 {
			continue
		}
		over, err := g.over(ctx, one)
		if err != nil {
			return 0, err
		}
		if over {
			one.took = time.Since(one.at)
			continue
		}
		left++
	}
	if left > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return left, g.operator.alive()
}

func (g *outputsRun) over(ctx context.Context, one *damaged) (bool, error) {
	before, now := one.before, &corev1.Secret{}
	key := client.ObjectKeyFromObject(before)
	err := g.admin.Get(ctx, key, now)
	if client.IgnoreNotFound(err) != nil {
		return false, err
	}
	controller := metav1.GetControllerOf(now)
	if err == nil && controller != nil && controller.UID == metav1.GetControllerOf(before).UID &&
		maps.EqualFunc(now.Data, before.Data, slices.Equal) {
		return true, nil
	}
	sync := &v1alpha1.SmileAccountSync{}
	err = g.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: one.user}, sync)
	return err == nil && !meta.IsStatusConditionTrue(sync.Status.Conditions, v1alpha1.ConditionReady), err
}

// rest measures the cost of the checks while nothing is damaged.
func (g *outputsRun) rest(ctx context.Context) ([]figure, error) {
	if err := g.settle(ctx, g.operator); err != nil {
		return nil, err
	}
	place, err := g.audit.End()
	if err != nil {
		return nil, err
	}
	before, err := g.secretBytes(ctx)
	if err != nil {
		return nil, err
	}
	mark := g.mark()
	if err := g.waitFor(ctx, g.operator, g.outputInterval, "one interval at rest has passed"); err != nil {
		return nil, err
	}
	requests, err := g.requests(place)
	if err != nil {
		return nil, err
	}
	after, err := g.secretBytes(ctx)
	if err != nil {
		return nil, err
	}
	now, most, err := g.operator.memory()
	if err != nil {
		return nil, err
	}
	n, calls := len(g.names), g.smile.Journal(mark)
	checks := only(requests, isCheck)
	g.say("requests: %s; calls: %s; RSS %.0f MiB, %.0f MiB at most", tallyRequests(requests), tallyCalls(calls), now, most)
	return []figure{
		{
			Name: fmt.Sprintf("reads of outputs an interval at rest, over %d outputs", n), Target: atMost(1.2),
			Measured: perUser(len(checks), n), How: "gets of data Secrets by the operator in the audit log",
		},
		{
			Name:     "largest one-second window of reads of outputs, over the even pace",
			Measured: float64(peak(arrivals(checks))) * g.outputInterval.Seconds() / float64(n),
			How:      "times in the audit log; the pace is outputs / interval",
		},
		{
			Name: "bytes a read of an output", Unit: "B", Measured: (after.sum - before.sum) / max(1, after.count-before.count),
			How: "apiserver_response_sizes of the API server: all gets of Secrets in the interval, their sum over their number",
		},
		{
			Name: fmt.Sprintf("MiB an interval at rest, %d outputs", n), Unit: "MiB", Measured: (after.sum - before.sum) / (1 << 20),
			How: "the same sum",
		},
		{
			Name: "API-server writes an interval at rest, lease aside", Target: atMost(0), Measured: float64(len(writes(requests))),
			How: "the audit log",
		},
		{
			Name: "Smile calls an interval at rest", Target: atMost(0), Measured: float64(len(calls)), How: "the sandbox's journal",
		},
		{
			Name: fmt.Sprintf("RSS with %d users and syncs, at rest", n), Unit: "MiB", Measured: now,
			How: "VmRSS of the process, which has " + memoryLimit,
		},
	}, nil
}

// isCheck selects the reads of data Secrets.
func isCheck(r audit.Request) bool {
	return r.Verb == "get" && r.Resource == "secrets" && strings.HasSuffix(r.Name, dataOf(""))
}

// throughRestart measures the cost of checking all outputs after a start.
func (g *outputsRun) throughRestart(ctx context.Context) ([]figure, error) {
	mark := g.mark()
	place, err := g.audit.End()
	if err != nil {
		return nil, err
	}
	if g.operator, err = g.restart(ctx, g.operator, unlimited, g.flag()); err != nil {
		return nil, err
	}
	const passed = "the first interval after a restart has passed"
	if err := g.waitFor(ctx, g.operator, g.outputInterval+30*time.Second, passed); err != nil {
		return nil, err
	}
	requests, err := g.requests(place)
	if err != nil {
		return nil, err
	}
	calls, reads := g.smile.Journal(mark), only(requests, isCheck)
	seen := map[string]bool{}
	for _, read := range reads {
		seen[read.Name] = true
	}
	g.say("requests: %s; calls: %s", tallyRequests(requests), tallyCalls(calls))
	return []figure{
		{
			Name: "Smile calls in the first interval after a restart", Target: atMost(0), Measured: float64(len(calls)),
			How: "the sandbox's journal",
		},
		{
			Name: "API-server writes in it, lease aside", Target: atMost(0), Measured: float64(len(writes(requests))),
			How: "the audit log",
		},
		{
			Name: "outputs not read in it", Target: atMost(0), Measured: float64(len(g.names) - len(seen)), How: "names in the audit log",
		},
		{
			Name: "largest one-second window of reads of outputs after a restart", Measured: float64(peak(arrivals(reads))),
			How: "times in the audit log",
		},
	}, nil
}
