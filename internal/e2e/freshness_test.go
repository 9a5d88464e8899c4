//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// synced creates users with syncs, links an account of each, and returns the accounts by the names of the Secrets.
func (e *environment) synced(n int) map[string]sandbox.Account {
	e.t.Helper()
	e.create(e.crowd("person", n)...)
	e.allReady(n, 2*time.Minute)
	accounts := map[string]sandbox.Account{}
	for name, id := range e.ids() {
		accounts[name+"-data"] = e.link(id, "sss_ph")
		e.create(e.sync(name))
	}
	within(e.t, 2*time.Minute, "all have their data", func() (bool, string) {
		missing := 0
		for name := range accounts {
			if secret := (&corev1.Secret{ObjectMeta: e.named(name)}); !e.get(secret) || len(secret.Data["identities.json"]) == 0 {
				missing++
			}
		}
		return missing == 0, fmt.Sprintf("%d have none", missing)
	})
	return accounts
}

// TestEventToData measures how long it takes from an event at Smile until the data that it reports is in the Secret: of 50
// persons, 20 events a second, or 50 if E2E_FLOOD is set. An idle machine with two cores has a p99 of 0.04 s at the first rate,
// and 1.3 s at the second. The limits are for busy machines, as in CI: the bench has the targets.
func TestEventToData(t *testing.T) {
	const people = 50
	rate, span, limit := 20, 10*time.Second, 10*time.Second
	if flood() {
		rate, span, limit = eventsPerSecond, longFlood, 4*time.Second
	}
	e := newEnvironment(t, sandbox.Options{AllowHTTPWebhooks: true, WebhookWorkers: 64}, v1alpha1.SmileConnectionSpec{})
	e.asReleased()
	address, sub := freeAddress(t), e.hook("events")
	sub.Spec.SecretRef, sub.Spec.EventTypes = nil, []v1alpha1.EventType{"TASK_FINISHED", "ACCOUNT_SYNC_TASK_FINISHED", "ACCOUNT_DISCONNECTED"}
	e.create(sub)
	o := e.operator(t, e.only(), "--receiver-bind-address="+address, "--receiver-base-url=http://"+address, "--api-requests-per-second=0")
	e.becomes(sub, "True/Succeeded", time.Minute)
	accounts := e.synced(people)
	secrets, err := e.admin.Watch(t.Context(), &corev1.SecretList{}, client.InNamespace(e.namespace))
	if err != nil {
		t.Fatal(err)
	}
	defer secrets.Stop()

	place, before := e.end(), e.remote.mark()
	names := make([]string, 0, len(accounts))
	for name := range accounts {
		names = append(names, name)
	}
	slices.Sort(names)
	ctx, stop := context.WithTimeout(t.Context(), span)
	defer stop()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	happened, took, patience := map[string]time.Time{}, []time.Duration(nil), time.After(span+30*time.Second)
	for sent := 0; ctx.Err() == nil || len(happened) > 0; {
		select {
		case <-patience:
			t.Fatalf("the data of %d events never came; %s", len(happened), o.tail())
		case <-tick.C:
			name := names[sent%people]
			if _, waiting := happened[name]; waiting || ctx.Err() != nil {
				continue
			}
			sent++
			happened[name] = time.Now()
			if _, err := e.remote.Resync(accounts[name].ID); err != nil {
				t.Fatal(err)
			}
		case event := <-secrets.ResultChan():
			secret, ok := event.Object.(*corev1.Secret)
			if !ok || event.Type != watch.Modified {
				continue
			}
			if at, waiting := happened[secret.Name]; waiting {
				took = append(took, time.Since(at))
				delete(happened, secret.Name)
			}
		}
	}
	slices.Sort(took)
	t.Logf("%d events, %d a second: from Smile to the Secret in p50 %s, p99 %s, at most %s", len(took), rate, quantile(took, .5), quantile(took, .99), quantile(took, 1))
	e.logCosts(len(took), place, before)
	if p99 := quantile(took, .99); p99 > limit {
		t.Errorf("p99 is %s, want %s at most", p99, limit)
	}

	e.showsEvents(sub.Name)
	e.eraseSoon(names[:5], accounts)
}

// eraseSoon disconnects accounts one after the other, and asserts how soon their data is erased.
func (e *environment) eraseSoon(names []string, accounts map[string]sandbox.Account) {
	e.t.Helper()
	var took []time.Duration
	for _, name := range names {
		if _, err := e.remote.Disconnect(accounts[name].ID); err != nil {
			e.t.Fatal(err)
		}
		took = append(took, within(e.t, time.Minute, "the data of a disconnected account is erased", func() (bool, string) {
			data := e.secret(name).Data
			return len(data["identities.json"]) == 0, strings.Join(slices.Sorted(maps.Keys(data)), " ")
		}))
	}
	slices.Sort(took)
	e.t.Logf("from a disconnection to the erasure: p50 %s, at most %s", quantile(took, .5), quantile(took, 1))
	if last := quantile(took, 1); last > time.Second {
		e.t.Errorf("data was there %s after the disconnection, want %s at most", last, time.Second)
	}
}

// showsEvents asserts what kubectl prints for a subscription that receives events.
func (e *environment) showsEvents(name string) {
	e.t.Helper()
	printed := e.must("get", "smw", name)
	e.t.Logf("kubectl get smw:\n%s", printed)
	columns := regexp.MustCompile(`^NAME +READY +REASON +SUSPENDED +EVENTS +URL +LAST EVENT +AGE\n` + name + ` +True +Succeeded +\["TASK_FINISHED",.*\] +http://\S+ +\d+m?s? .*\d+s\n$`)
	if !columns.MatchString(printed) {
		e.t.Errorf("want %s", columns)
	}
}

// logCosts logs the operator's requests to the API server and to Smile since a place and a mark, per each of n things.
func (e *environment) logCosts(n int, place int64, mark int) {
	e.t.Helper()
	kube, smile := map[string]float64{}, map[string]float64{}
	for _, request := range e.asked(place) {
		kube[request.Verb+" "+request.Resource] += 1 / float64(n)
	}
	for _, entry := range e.remote.Journal(mark) {
		smile[entry.Operation] += 1 / float64(n)
	}
	e.t.Logf("for each: of the API server %s; of Smile %s", shares(kube), shares(smile))
}

func shares(of map[string]float64) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, fmt.Sprintf("%s %.2f", name, of[name]))
	}
	return strings.Join(all, ", ")
}
