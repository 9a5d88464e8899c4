//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/secretuse"
)

const (
	// canary is in every personal field, link token and error message of the sandbox, and in the key pair.
	canary = "CanaryInTheMine"
	// apiSecretEnd is the rest of the API secret, of characters that encodings change.
	apiSecretEnd = "s3cr&t/+<x>=%7"
)

// secrets must occur only in the outputs that were requested: the canary, and what the sandbox does not mark with it.
var secrets = []string{canary, apiSecretEnd, "Palomero", "1970-08-24", "9559991234"}

// allowed reports whether a Secret, by its name, may hold some of them.
func allowed(name string) bool {
	return slices.Contains([]string{"smile-keys", "wrong-keys", "george-token", "george-data", "hook-secret", "subjects"}, name) ||
		strings.HasSuffix(name, hook.SecretName(""))
}

// TestCanary makes the operator process persons, keys, link tokens, events and failures of many kinds, with the most verbose log,
// and then searches for their contents in everything that the operator and the cluster show to others.
func TestCanary(t *testing.T) {
	t.Parallel()
	e := apart(t).environment(t, sandbox.Options{
		RateLimit: vendorLimit, Canary: canary, AllowHTTPWebhooks: true,
		Keys: []sandbox.KeyPair{{Key: canary + "-key", Secret: canary + "-" + apiSecretEnd}},
	}, v1alpha1.SmileConnectionSpec{})
	address := freeAddress(t)
	b := e.backend()
	opener := e.opener(b)
	api := b.server(append(
		[]string{"--zap-log-level=10", "--receiver-bind-address=" + address, "--receiver-base-url=http://" + address}, opener.flags()...)...)
	o := api.operator
	secretSender := e.secretSender(o, address)
	account := e.collectPersonalData()
	e.foundWhereAsked()
	b.askForTokens(api)
	opener.open(api.address, "george")
	secretSender.deliver(account.UserID)
	secretSender.foundWhereAsked()
	e.failInManyWays(account)
	e.failToRegister()
	private := slices.Concat(secretSender.secrets(), secrets, opener.private)

	sinks := map[string][]byte{
		"metrics": o.scrape(), "operator's audit log": e.read(api.auditLog), "hosted page": opener.public.Bytes(),
	}
	o.signal(syscall.SIGQUIT) // the Go runtime prints all goroutines and ends
	within(t, stopLimit, "the operator has printed its goroutines", func() (bool, string) { return !o.running(), "it runs" })
	sinks["log and goroutine dump"] = []byte(o.text())
	for sink, signs := range map[string][]string{
		"metrics":                {"smile_", `smile_operator_application_api_calls_total{call="CreateLinkToken",outcome="Succeeded"}`},
		"operator's audit log":   {`"actor":"ApplicationAPI"`, `"action":"Minted"`, `"problem":"Unauthenticated"`, `"consentRef":"consent-1"`},
		"log and goroutine dump": {`"level":"Level(-5)"`, "goroutine 1 gp=", `"msg":"request","status":204,"outcome":"accepted"`},
	} {
		for _, sign := range signs {
			if !strings.Contains(string(sinks[sink]), sign) {
				t.Errorf("nothing to search: %s without %q", sink, sign)
			}
		}
	}
	e.shown(sinks)
	e.stored(sinks)
	searched := 0
	for name, text := range sinks {
		searched += len(text)
		for _, secret := range private {
			for _, leak := range Search(text, secret) {
				t.Errorf("%s in the %s, as %s: ...%s...", secret, name, leak.Form, leak.Around)
			}
		}
	}
	t.Logf("searched %d sinks, %d KiB, for %d secrets", len(sinks), searched>>10, len(private))
}

// collectPersonalData links an account, and keeps its data in a Secret, and harmless fields of it in a ConfigMap.
func (e *environment) collectPersonalData() sandbox.Account {
	e.t.Helper()
	george := e.user("george")
	george.Spec.DeletionPolicy = v1alpha1.UserRevokeAccounts
	george.Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: "george-token"}
	george.Spec.SubjectFrom = &v1alpha1.SubjectSource{SecretKeyRef: v1alpha1.SecretKeyReference{Name: "subjects", Key: "george"}}
	e.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: e.namespace, Name: "subjects", Annotations: map[string]string{v1alpha1.AnnotationUse: string(secretuse.Subjects)},
		},
		StringData: map[string]string{"george": canary + "-subject"},
	})
	data, shape := e.sync("george"), e.sync("george")
	shape.Name = "shape"
	shape.Spec.Datapoints = []v1alpha1.Datapoint{{Type: "IDENTITIES", Fields: []v1alpha1.FieldPath{"gender", "countryResidence"}}}
	shape.Spec.Output = &v1alpha1.SyncOutput{ConfigMap: &v1alpha1.OutputReference{Name: "shape"}}
	e.create(george, data, shape)
	e.becomes(george, "True/Succeeded", time.Minute)
	account := e.link(george.Status.UserID, "sss_ph")
	e.becomes(data, "True/Succeeded", time.Minute)
	e.becomes(shape, "True/Succeeded", time.Minute)
	return account
}

// foundWhereAsked proves that there is something to find, and that the search finds it.
func (e *environment) foundWhereAsked() {
	e.t.Helper()
	output := fmt.Sprintf("%s", e.secret("george-data").Data)
	found := slices.DeleteFunc(e.remote.Canaries(), func(mark string) bool { return !strings.Contains(output, mark) })
	if len(found) < 30 {
		e.t.Errorf("the output holds %d canaries, want those of 30 fields at least", len(found))
	}
	if token := e.secret("george-token").Data["accessToken"]; !strings.Contains(string(token), canary) {
		e.t.Error("the link token has no canary")
	}
	for _, name := range []string{"george-data", "george-token", "smile-keys"} {
		if len(Search(e.encode(e.secret(name)), canary)) == 0 {
			e.t.Errorf("the search does not find what is in Secret %s", name)
		}
	}
	e.t.Logf("%d canaries made, %d of them in the output", len(e.remote.Canaries()), len(found))
}

// askForTokens makes calls of the application API that succeed, are refused and fail. The contents of their headers are secret.
func (b *backend) askForTokens(s *server) {
	b.e.t.Helper()
	if got := b.mint(s, "george"); got.status != http.StatusCreated || !strings.Contains(got.AccessToken, canary) {
		b.e.t.Errorf("no token with a canary: %d %s", got.status, got.Reason)
	}
	for _, action := range failures {
		b.e.fail(sandbox.Fault{Operation: "create-token", Action: action, Phase: "before", Count: 1})
		if got := b.mint(s, "george"); got.AccessToken != "" {
			b.e.t.Errorf("a token although Smile failed with %s", action)
		}
		b.e.fail()
	}
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+canary+"-forged") },
		func(r *http.Request) { r.Header.Set("Authorization", "Basic "+canary) },
		func(r *http.Request) { r.URL.RawQuery = "token=" + canary },
		func(r *http.Request) { r.URL.Path = "/v1/namespaces/" + canary + "/smileusers/george/token" },
		func(r *http.Request) { r.URL.Path = "/" + canary },
		func(r *http.Request) { r.Header.Set("Cookie", canary) },
		func(r *http.Request) { r.Header.Set("Smile-Consent-Ref", "consent-1") },
		func(r *http.Request) { r.Header.Set("Smile-Purpose", canary+"\u00e9") },
	} {
		b.mint(s, "george", change)
	}
}

// failures are responses. The first ones contain text that must not be quoted.
var failures = []string{"status:400", "status:401", "status:403", "status:404", "status:500", "truncate:300", "garbage", "empty"}

// failInManyWays makes every kind of call fail. account is one that can be read.
func (e *environment) failInManyWays(account sandbox.Account) {
	e.t.Helper()
	ask := func(value string) {
		for _, object := range []string{"george", "shape"} {
			e.annotate(&v1alpha1.SmileAccountSync{ObjectMeta: e.named(object)}, v1alpha1.AnnotationRequestedAt, value)
		}
	}
	e.failAlways("list-accounts", ask)
	e.failAlways("get-account-payload", ask)
	e.failAlways("list-tasks", func(string) { // a requested refresh lists no tasks, but an event does
		if _, err := e.remote.Resync(account.ID); err != nil {
			e.t.Fatal(err)
		}
	})
	for i, action := range []string{"status:400", "status:500", "truncate:300", "garbage"} {
		e.failOnce("create-user", action, "after", func() { e.create(e.user(fmt.Sprintf("unlucky-%d", i))) })
	}
	e.wrongKeys()
	george := e.user("george")
	e.get(george)
	account = e.link(george.Status.UserID, "sss_ph")
	if _, err := e.remote.Fail(account.ID, "ACCOUNT_LOCKED"); err != nil {
		e.t.Fatal(err)
	}
	e.failOnce("delete-account", "status:500", "before", func() { e.delete(george) })
	e.gone(george, time.Minute)
}

// failAlways has calls of an operation fail in each way, before and after they are done. provoke leads to one, and is given
// a name that is not used twice.
func (e *environment) failAlways(operation string, provoke func(name string)) {
	e.t.Helper()
	for i, action := range failures {
		for _, phase := range []string{"before", "after"} {
			e.failOnce(operation, action, phase, func() { provoke(fmt.Sprintf("%s-%d-%s", operation, i, phase)) })
		}
	}
}

// failOnce sets a fault, does something, and waits until the fault has hit a call.
func (e *environment) failOnce(operation, action, phase string, do func()) {
	e.t.Helper()
	e.fail(sandbox.Fault{Operation: operation, Action: action, Phase: phase})
	mark := e.remote.mark()
	do()
	within(e.t, time.Minute, fmt.Sprintf("a call of %s fails with %s %s", operation, action, phase), func() (bool, string) {
		called := slices.ContainsFunc(e.remote.Journal(mark), func(call sandbox.JournalEntry) bool { return call.Operation == operation })
		return called, e.calls(mark)
	})
	e.fail()
}

func (e *environment) wrongKeys() {
	e.t.Helper()
	connection := &v1alpha1.SmileConnection{ObjectMeta: e.named("wrong"), Spec: v1alpha1.SmileConnectionSpec{Mode: v1alpha1.ModeSandbox}}
	connection.Spec.CredentialsSecretRef.Name = "wrong-keys"
	e.create(&corev1.Secret{
		ObjectMeta: e.named("wrong-keys"),
		StringData: map[string]string{"apiKey": canary + "-wrong", "apiSecret": canary + apiSecretEnd},
	}, connection)
	e.becomes(connection, "False/"+v1alpha1.ReasonInvalidCredentials, time.Minute)
}

// shown adds what kubectl prints.
func (e *environment) shown(sinks map[string][]byte) {
	e.t.Helper()
	const kinds = "smileconnections,smileusers,smileaccountsyncs,smilewebhooksubscriptions,smilewinkwidgets,secrets,configmaps,events"
	sinks["kubectl describe"] = []byte(e.must("describe", kinds))
	sinks["kubectl get"] = []byte(e.must("get", kinds, "-o", "wide"))
}

// stored adds every object of the cluster, the contents of the allowed Secrets aside, and the logs of the cluster.
func (e *environment) stored(sinks map[string][]byte) {
	e.t.Helper()
	for _, component := range e.plane.Components() {
		sinks["log of "+component.Name] = e.read(component.Log)
	}
	sinks["audit log"] = e.read(e.audit.Path)
	access := e.plane.Config()
	access.WarningHandler = rest.NoWarnings{}
	finder, err := discovery.NewDiscoveryClientForConfig(access)
	if err != nil {
		e.t.Fatal(err)
	}
	reader, err := dynamic.NewForConfig(access)
	if err != nil {
		e.t.Fatal(err)
	}
	kinds, err := finder.ServerPreferredResources()
	if err != nil {
		e.t.Fatal(err)
	}
	for _, group := range kinds {
		version, err := schema.ParseGroupVersion(group.GroupVersion)
		if err != nil {
			e.t.Fatal(err)
		}
		for _, kind := range group.APIResources {
			if !slices.Contains(kind.Verbs, "list") {
				continue
			}
			list, err := reader.Resource(version.WithResource(kind.Name)).List(e.t.Context(), metav1.ListOptions{})
			if err != nil {
				e.t.Fatal(err)
			}
			sinks["objects of "+kind.Name] = e.objects(list)
		}
	}
}

func (e *environment) objects(list *unstructured.UnstructuredList) []byte {
	e.t.Helper()
	for _, object := range list.Items {
		if object.GetKind() == "Secret" && object.GetNamespace() == e.namespace && allowed(object.GetName()) {
			delete(object.Object, "data")
		}
	}
	return e.encode(list)
}

func (e *environment) encode(value any) []byte {
	e.t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		e.t.Fatal(err)
	}
	return text
}

func (e *environment) read(path string) []byte {
	e.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		e.t.Fatal(err)
	}
	return text
}
