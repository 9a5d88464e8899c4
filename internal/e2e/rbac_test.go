//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/audit"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TestRBAC uses everything that the operator can do, with the flags of the manifests, and holds what the operator's
// account asked of the API server against what config/rbac grants it: nothing it asked for was forbidden, and
// nothing is granted that it never needs.
func TestRBAC(t *testing.T) {
	t.Parallel()
	e := apart(t).environment(t, sandbox.Options{RateLimit: vendorLimit, AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
	files, err := filepath.Glob(filepath.Join(e.root, "config", "rbac", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var roles []byte
	for _, file := range files {
		roles = append(append(roles, "\n---\n"...), e.read(file)...)
	}
	granted, err := ReadPermissions(roles)
	if err != nil {
		t.Fatal(err)
	}
	hooks := freeAddress(t)
	o := e.operator(t, "--lease-name="+defaultLease, "--leader-elect", "--receiver-bind-address="+hooks, "--receiver-base-url=http://"+hooks)
	e.useWebhooks()
	e.useOutputs()
	e.useUsers()
	o.stop()
	e.useMetrics()
	e.checkSecrets(account)

	needless, forbidden := e.compare(granted)
	for _, permission := range needless {
		if !spare[permission] {
			t.Errorf("granted and never used: %s", permission)
		}
	}
	for _, request := range forbidden {
		t.Errorf("the operator asked for what its role does not grant: %s", request)
	}
	t.Logf("%d permissions granted, %d of them not used here: %v; no request forbidden", len(granted), len(needless), needless)
}

// defaultLease is the one that config/rbac names.
const defaultLease = "smile-operator.smile-operator.io"

// spare are permissions that the operator need not use here: an event is patched if it occurs again.
var spare = Permissions{{"", "patch", "events.k8s.io", "events", ""}: true}

// compare waits for the last events to be written, and compares what was granted with all that was asked for.
func (e *environment) compare(granted Permissions) ([]Permission, []audit.Request) {
	e.t.Helper()
	e.settled()
	return granted.Compare(e.requests(0, accountUser, ""))
}

// useOutputs makes the operator create, change and delete a Secret and a ConfigMap, and record an event twice.
func (e *environment) useOutputs() {
	e.t.Helper()
	george := e.user("george")
	george.Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: "george-token"}
	data := e.sync("george")
	e.create(george, data)
	e.becomes(george, "True/Succeeded", time.Minute)
	account := e.link(george.Status.UserID, "sss_ph")
	e.becomes(data, "True/Succeeded", time.Minute)

	for i := range 2 {
		before := e.secret("george-data").ResourceVersion
		if _, err := e.remote.Resync(account.ID); err != nil {
			e.t.Fatal(err)
		}
		e.annotate(data, v1alpha1.AnnotationRequestedAt, fmt.Sprint(i))
		within(e.t, time.Minute, "new data is written", func() (bool, string) {
			return e.secret("george-data").ResourceVersion != before, e.calls(0)
		})
	}
	e.patch(data, `{"spec":{"datapoints":[{"type":"IDENTITIES","fields":["gender"]}],"output":{"secret":null,"configMap":{"name":"shape"}}}}`)
	e.keys("shape", "identities.json index.json")
	e.patch(data, `{"spec":{"datapoints":[{"type":"EMPLOYMENTS","fields":["status"]}]}}`)
	e.keys("shape", "employments.json index.json")
	e.patch(data, `{"spec":{"output":{"secret":{"name":"george-data"},"configMap":null}}}`)
	e.gone(&corev1.ConfigMap{ObjectMeta: e.named("shape")}, time.Minute)
	e.patch(george, `{"spec":{"linkToken":null}}`)
	e.gone(&corev1.Secret{ObjectMeta: e.named("george-token")}, time.Minute)
}

// useWebhooks makes the operator create, use and delete a webhook.
func (e *environment) useWebhooks() {
	e.t.Helper()
	hook, person := e.subscription("events"), e.user("hinted")
	e.create(hook, person)
	e.becomes(hook, "True/Succeeded", time.Minute)
	e.becomes(person, "True/Succeeded", time.Minute)
	e.link(person.Status.UserID, "sss_ph")
	within(e.t, time.Minute, "an event is kept", func() (bool, string) {
		return e.get(person) && person.Status.HintedAt != nil, e.calls(0)
	})
	e.retire(hook)
}

// retire deletes an object whose deletion changes something at Smile. Where the operator may not read CustomResourceDefinitions, the
// deletion waits until an annotation releases it.
func (e *environment) retire(object engine.Object) {
	e.t.Helper()
	e.delete(object)
	if e.withoutDefinitions {
		e.becomes(object, "False/"+v1alpha1.ReasonDeletionBlocked, time.Minute)
		e.annotate(object, v1alpha1.AnnotationForceOrphan, string(object.GetUID()))
	}
	e.gone(object, time.Minute)
}

// useLedger makes the operator enter two erasures of withdrawn consent into the erasure ledger.
func (e *environment) useLedger() {
	e.t.Helper()
	for _, name := range []string{"withdraws", "withdraws-too"} {
		person, data := e.user(name), e.sync(name)
		e.create(person, data)
		e.becomes(person, "True/Succeeded", time.Minute)
		account := e.link(person.Status.UserID, "sss_ph")
		e.annotate(data, v1alpha1.AnnotationRequestedAt, "linked")
		e.becomes(data, "True/Succeeded", time.Minute)
		if _, err := e.remote.Disconnect(account.ID); err != nil {
			e.t.Fatal(err)
		}
		e.annotate(data, v1alpha1.AnnotationRequestedAt, "disconnected")
		e.erased([]string{name}, time.Minute)
	}
}

// keys waits until a ConfigMap has these keys.
func (e *environment) keys(name, want string) {
	e.t.Helper()
	within(e.t, time.Minute, fmt.Sprintf("ConfigMap %s holds %s", name, want), func() (bool, string) {
		shape := &corev1.ConfigMap{ObjectMeta: e.named(name)}
		if !e.get(shape) {
			return false, "it does not exist"
		}
		got := strings.Join(slices.Sorted(maps.Keys(shape.Data)), " ")
		return got == want, "it holds " + got
	})
}

// useUsers makes the operator set and remove a finalizer, and re-creates a user.
func (e *environment) useUsers() {
	e.t.Helper()
	widget := &v1alpha1.SmileWinkWidget{ObjectMeta: e.named("wink")}
	widget.Spec.ConnectionRef.Name = "smile"
	e.create(widget)
	e.becomes(widget, "True/Succeeded", time.Minute)
	e.retire(e.linked("revoked"))
	for range 2 {
		again := e.user("again")
		e.create(again)
		e.becomes(again, "True/Succeeded", time.Minute)
		e.delete(again)
		e.gone(again, time.Minute)
	}
}

// useMetrics reads the metrics as they are served to others than this machine. The address is loopback all the
// same, only spelled so that the operator does not take it for that. The operator lists what it watches, as it does
// where the API server is too old to begin a watch with what there is.
func (e *environment) useMetrics() {
	e.t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(e.t))
	if err != nil {
		e.t.Fatal(err)
	}
	o := e.newOperator(e.t, "--metrics-bind-address=LOCALHOST:"+port)
	o.environment = append(o.environment, "KUBE_FEATURE_WatchListClient=false")
	o.start()

	may := types.NamespacedName{Namespace: e.namespace, Name: "may-read-metrics"}
	mayNot := types.NamespacedName{Namespace: e.namespace, Name: "may-not"}
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: e.namespace},
		Rules:      []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: e.namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: e.namespace},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: may.Name, Namespace: may.Namespace}},
	}
	e.create(&corev1.ServiceAccount{ObjectMeta: e.named(may.Name)}, &corev1.ServiceAccount{ObjectMeta: e.named(mayNot.Name)}, role, binding)
	e.t.Cleanup(func() {
		for _, object := range []client.Object{role, binding} {
			_ = e.admin.Delete(context.Background(), object)
		}
	})

	url := "https://localhost:" + port + "/metrics"
	within(e.t, time.Minute, "metrics are served to authorized callers", func() (bool, string) {
		status := e.statusOf(url, may)
		return status == http.StatusOK, fmt.Sprint(status)
	})
	if status := e.statusOf(url, mayNot); status != http.StatusForbidden {
		e.t.Errorf("an unauthorized caller got %d", status)
	}
	if status := e.statusOf(url, types.NamespacedName{}); status != http.StatusUnauthorized {
		e.t.Errorf("an anonymous caller got %d", status)
	}
}

// statusOf is the status of a server's response to a service account; 0 if there is none.
func (e *environment) statusOf(url string, as types.NamespacedName) int {
	e.t.Helper()
	request, err := http.NewRequestWithContext(e.t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		e.t.Fatal(err)
	}
	if as.Name != "" {
		access, err := e.plane.ConfigFor(e.t.Context(), as)
		if err != nil {
			e.t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+access.BearerToken)
	}
	trusting := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the operator made its certificate itself
		DisableKeepAlives: true,
	}
	answer, err := trusting.RoundTrip(request)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}
