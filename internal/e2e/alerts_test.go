//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const (
	scrapeInterval = 300 * time.Millisecond
	// alertsFaster is how many times faster the alerts fire here than they are declared: 5 minutes are a second.
	alertsFaster = "300"
)

// TestEachAlertFires provokes each alert of config/prometheus by a fault of Smile or of the cluster, scrapes the operator, and
// evaluates the alerts, and the queries of the dashboard, with the engine of Prometheus.
func TestEachAlertFires(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, sandbox.Options{AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
	w := newWatcher(e)
	e.ownNamespace()
	e.create(w.lease())
	receiver := freeAddress(t)
	o := e.operator(t, e.only(), "--leader-elect", "--operator-namespace="+e.namespace,
		"--receiver-bind-address="+receiver, "--receiver-base-url=http://"+receiver, "--application-api-bind-address="+freeAddress(t))
	w.watch(o)

	w.fires("SmileOperatorNoLeader")
	e.patch(w.lease(), `{"spec":{"holderIdentity":""}}`)
	e.connect("slow", v1alpha1.SmileConnectionSpec{RequestsPerSecond: 1})
	e.connect("wrong", v1alpha1.SmileConnectionSpec{})
	e.connect("limited", v1alpha1.SmileConnectionSpec{Revokes: &v1alpha1.DeclaredRevokes{PerDay: 1}})
	sub := e.subscription("events")
	e.create(sub, e.user("george"), e.user("twin"), e.of("limited", "ann"), e.of("limited", "ben"))
	e.becomes(sub, "True/Succeeded", time.Minute)
	e.allReady(4, time.Minute)

	w.forgeries = e.registered()[0].URL
	e.delete(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: output.IdentitySecret}})
	e.patch(&corev1.Secret{ObjectMeta: e.named("wrong")}, `{"stringData":{"apiSecret":"revoked-at-smile"}}`)
	for i := range 20 {
		e.create(e.of("slow", fmt.Sprintf("slow-%d", i)))
	}
	e.fail(sandbox.Fault{Operation: "list-employments", Count: -1, Action: "hang"})
	for name, datapoint := range map[string]v1alpha1.DatapointType{"george": "EMPLOYMENTS", "ann": "IDENTITIES", "ben": "IDENTITIES"} {
		e.link(e.ids()[name], "sss_ph")
		sync := e.sync(name)
		sync.Annotations = map[string]string{v1alpha1.AnnotationRequestedAt: "linked"}
		sync.Spec.Datapoints = []v1alpha1.Datapoint{{Type: datapoint}}
		sync.Spec.RevokeAfterFetch = name != "george"
		e.create(sync)
	}
	w.fires("SmileOperatorIdentitySecretLost", "SmileOperatorObjectsOverdue", "SmileOperatorObjectsNotReady", "SmileOperatorCredentialsRefused",
		"SmileOperatorBreakerOpen", "SmileOperatorRevokesWaiting", "SmileOperatorBudgetExhausted", "SmileOperatorReceiverRefusing")

	e.fail(sandbox.Fault{Operation: "*", Count: -1, Action: "status:503"})
	w.refresh = "george"
	w.fires("SmileOperatorAPIFailing")
	w.refresh = ""
	e.fail()

	e.copyUser("twin")
	w.restoreIdentity()
	o.stop()
	w.fires("SmileOperatorDown")
	o.start()
	e.create(e.user("newcomer")) // before which all users are listed
	w.refresh = "twin"
	w.fires("SmileOperatorDuplicateUsers")
	w.allFired()
}

// ownNamespace permits the operator to have its own objects in the namespace of the environment.
func (e *environment) ownNamespace() {
	meta := e.named("operator")
	e.create(
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"create", "get", "update"},
		}}},
		&rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}},
		},
	)
}

// connect declares another connection, with a Secret of its own.
func (e *environment) connect(name string, spec v1alpha1.SmileConnectionSpec) {
	e.t.Helper()
	spec.Mode, spec.CredentialsSecretRef.Name = v1alpha1.ModeSandbox, name
	e.create(
		&corev1.Secret{ObjectMeta: e.named(name), StringData: map[string]string{"apiKey": e.key.Key, "apiSecret": e.key.Secret}},
		&v1alpha1.SmileConnection{ObjectMeta: e.named(name), Spec: spec},
	)
}

// of is a user of another connection.
func (e *environment) of(connection, name string) *v1alpha1.SmileUser {
	user := e.user(name)
	user.Spec.ConnectionRef.Name = connection
	return user
}

// copyUser creates a second user at Smile with the metadata of a user.
func (e *environment) copyUser(name string) {
	e.t.Helper()
	var user struct {
		Data struct {
			ExternalMetadata json.RawMessage `json:"externalMetadata"`
		} `json:"data"`
	}
	if err := json.Unmarshal(e.elsewhere(http.MethodGet, "/v1/users/"+e.ids()[name], nil), &user); err != nil {
		e.t.Fatal(err)
	}
	e.elsewhere(http.MethodPost, "/v1/users", fmt.Appendf(nil, `{"externalMetadata":%s}`, user.Data.ExternalMetadata))
}

// watcher scrapes an operator, and evaluates the alerts on what it got.
type watcher struct {
	*environment
	operator  *operator
	dir       string
	evaluator string
	identity  *corev1.Secret
	// forgeries is the URL to which a forged event is sent at each scrape, and refresh the user of whom a refresh is requested.
	forgeries, refresh string
	scrapes            int
}

func newWatcher(e *environment) *watcher {
	e.t.Helper()
	w := &watcher{environment: e, dir: e.t.TempDir(), evaluator: filepath.Join(e.t.TempDir(), "prometheus")}
	build := exec.CommandContext(e.t.Context(), "go", "build", "-o", w.evaluator, ".")
	build.Dir = filepath.Join(e.root, "hack", "prometheus")
	if out, err := build.CombinedOutput(); err != nil {
		e.t.Fatalf("building hack/prometheus: %v\n%s", err, out)
	}
	return w
}

// lease is the one of the leader, held by somebody who is gone.
func (w *watcher) lease() *coordinationv1.Lease {
	now := metav1.NewMicroTime(time.Now())
	return &coordinationv1.Lease{
		ObjectMeta: w.named(w.namespace),
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: new("gone"), LeaseDurationSeconds: new(int32(600)), AcquireTime: &now, RenewTime: &now},
	}
}

func (w *watcher) watch(o *operator) {
	w.operator = o
	within(w.t, time.Minute, "the metrics are served", func() (bool, string) { return o.scrape() != nil, o.alive() })
}

// step scrapes once, and does what goes on meanwhile.
func (w *watcher) step() {
	w.t.Helper()
	text := w.operator.scrape()
	if err := os.WriteFile(filepath.Join(w.dir, fmt.Sprintf("%d.prom", time.Now().UnixMilli())), text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.scrapes++
	if w.forgeries != "" {
		w.forge()
	}
	if w.refresh != "" {
		w.annotate(w.user(w.refresh), v1alpha1.AnnotationRequestedAt, fmt.Sprint(w.scrapes))
	}
	if w.identity == nil {
		stored := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: output.IdentitySecret}}
		if w.get(stored) {
			w.identity = stored
		}
	}
}

// forge sends an event with a signature that is not genuine.
func (w *watcher) forge() {
	target, err := url.Parse(w.forgeries)
	if err != nil {
		w.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, target.String(), strings.NewReader(`{"type":"TASK_FINISHED"}`))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Smile-Signature", strings.Repeat("0", 128))
	if answer, err := http.DefaultClient.Do(request); err == nil {
		answer.Body.Close()
	}
}

func (w *watcher) restoreIdentity() {
	w.t.Helper()
	w.identity.ResourceVersion, w.identity.UID = "", ""
	w.create(w.identity)
	w.forgeries = ""
}

// evaluation is what hack/prometheus prints.
type evaluation struct {
	// Fired is when each alert fired for the first time.
	Fired map[string]time.Time
	// Answered is whether each query of the dashboard has returned a series.
	Answered map[string]bool
}

// evaluate evaluates the alerts and the queries of the dashboard on all scrapes so far.
func (w *watcher) evaluate() (result evaluation) {
	w.t.Helper()
	command := exec.CommandContext(w.t.Context(), w.evaluator, "-faster="+alertsFaster,
		"-alerts="+filepath.Join(w.root, "config", "prometheus", "alerts.yaml"),
		"-dashboard="+filepath.Join(w.root, "config", "grafana", "smile-operator.json"), w.dir)
	out, err := command.Output()
	if err != nil {
		failed, _ := errors.AsType[*exec.ExitError](err)
		w.t.Fatalf("evaluating the alerts: %v\n%s", err, failed.Stderr)
	}
	if err := json.Unmarshal(out, &result); err != nil {
		w.t.Fatal(err)
	}
	return result
}

// fires scrapes until alerts have fired.
func (w *watcher) fires(names ...string) {
	w.t.Helper()
	const evaluateEach = 8
	took := within(w.t, 2*time.Minute, strings.Join(names, ", ")+" fire", func() (bool, string) {
		for range evaluateEach {
			w.step()
			<-time.After(scrapeInterval)
		}
		fired := w.evaluate().Fired
		missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !fired[name].IsZero() })
		return len(missing) == 0, fmt.Sprintf("%d scrapes, and these have not: %v", w.scrapes, missing)
	})
	w.t.Logf("%v fired after %s", names, seconds(took))
}

// allFired asserts that every alert has fired, and that every query of the dashboard has returned a series.
func (w *watcher) allFired() {
	w.t.Helper()
	result := w.evaluate()
	for _, name := range slices.Sorted(maps.Keys(result.Fired)) {
		if result.Fired[name].IsZero() {
			w.t.Errorf("%s was not provoked", name)
		}
	}
	for _, query := range slices.Sorted(maps.Keys(result.Answered)) {
		if !result.Answered[query] {
			w.t.Errorf("the dashboard's query returns nothing: %s", query)
		}
	}
	w.t.Logf("%d alerts fired, %d queries returned series", len(result.Fired), len(result.Answered))
}
