package connection

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

const apiSecret = "very-secret-value"

func keys(name, key string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name},
		Data:       map[string][]byte{"apiKey": []byte(key), "apiSecret": []byte(apiSecret)},
	}
}

func connection(name, secret string, changes ...func(*v1alpha1.SmileConnection)) *v1alpha1.SmileConnection {
	conn := &v1alpha1.SmileConnection{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, UID: "uid", Generation: 1},
		Spec: v1alpha1.SmileConnectionSpec{
			Mode: v1alpha1.ModeSandbox, CredentialsSecretRef: v1alpha1.CredentialsSecretReference{Name: secret},
		},
	}
	for _, change := range changes {
		change(conn)
	}
	return conn
}

func ready(conn *v1alpha1.SmileConnection) {
	conn.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
}

// world is a registry, the objects that it reads, and a server that answers all calls with a status.
type world struct {
	*Registry

	kube   client.Client
	calls  *atomic.Int64
	status *atomic.Int64
	// fence is why nothing may be changed; nil if it may.
	fence error
	// check looks at each call; set it while none is under way.
	check func(*http.Request)
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{
		kube: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
			WithStatusSubresource(&v1alpha1.SmileConnection{}).Build(),
		calls: new(atomic.Int64), status: new(atomic.Int64),
	}
	w.status.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.calls.Add(1)
		if w.check != nil {
			w.check(r)
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(int(w.status.Load()))
		_, _ = rw.Write([]byte(`{"code":"","data":{"id":"user-1","items":[]}}`))
	}))
	t.Cleanup(server.Close)
	hosts, err := transport.NewHostPolicy(server.URL+"/v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := identity.NewKey()
	w.Registry = NewRegistry(Config{
		Connections: w.kube, Secrets: w.kube, Hosts: hosts, Budgets: transport.NewBudgetSet(0),
		Metrics: transport.NewMetrics(), Identity: key, Clock: clocktesting.NewFakeClock(time.Now()),
	}, func() error { return w.fence })
	t.Cleanup(func() {
		for _, held := range []map[types.NamespacedName]*Connection{w.connections, w.good} {
			for _, conn := range held {
				conn.session.transport.CloseIdleConnections()
			}
		}
	})
	return w
}

func (w *world) refresh(t *testing.T, conn *v1alpha1.SmileConnection) *Connection {
	t.Helper()
	made, err := w.Refresh(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestConnectionsShareWhatTheyShouldAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("one", "key-one"), keys("same", "key-one"), keys("two", "key-two"))
	one := w.refresh(t, connection("one", "one"))
	for name, test := range map[string]struct {
		other            *v1alpha1.SmileConnection
		session, account bool
	}{
		"the same Secret":   {connection("two", "one"), true, true},
		"the same pair":     {connection("three", "same"), true, true},
		"another pair":      {connection("four", "two"), false, false},
		"the other mode":    {connection("five", "one", func(c *v1alpha1.SmileConnection) { c.Spec.Mode = v1alpha1.ModeProduction }), false, false},
		"itself":            {connection("one", "one"), true, true},
		"itself, once more": {connection("one", "one", func(c *v1alpha1.SmileConnection) { c.Generation = 2 }), true, true},
	} {
		other := w.refresh(t, test.other)
		if (other.session == one.session) != test.session || (other.Account() == one.Account()) != test.account {
			t.Errorf("%s: session %v, account %v", name, other.session == one.session, other.Account() == one.Account())
		}
	}
	for _, shown := range []string{one.Account(), one.Fingerprint()} {
		if strings.Contains(shown, "key-one") || strings.Contains(shown, apiSecret) {
			t.Errorf("%q reveals the pair", shown)
		}
	}
}

// TestAliasesOfAHostAreOneAccount names the vendor's sandbox by both of its names, and another of the vendor's hosts.
func TestAliasesOfAHostAreOneAccount(t *testing.T) {
	t.Parallel()
	at := func(endpoint string) func(*v1alpha1.SmileConnection) {
		return func(c *v1alpha1.SmileConnection) { c.Spec.Endpoint = endpoint }
	}
	w := newWorld(t, keys("one", "key-one"))
	name := w.refresh(t, connection("name", "one", at("https://sandbox.smileapi.io/v1")))
	alias := w.refresh(t, connection("alias", "one", at("https://open-sandbox.smileapi.io/v1")))
	live := w.refresh(t, connection("live", "one", at("https://open.smileapi.io/v1")))
	if name.Account() != alias.Account() || name.Account() == live.Account() {
		t.Errorf("accounts %s, alias %s, live %s", name.Account(), alias.Account(), live.Account())
	}
	if alias.session == name.session || alias.Endpoint != "https://open-sandbox.smileapi.io/v1" {
		t.Errorf("the alias is not called where its connection says: %s", alias.Endpoint)
	}
	if got := testutil.CollectAndCount(w.config.Budgets, "smile_operator_api_budget_share"); got != 1 {
		t.Errorf("the vendor's hosts have %d budgets", got)
	}
}

// TestTheSecretSaysWhetherExemptAddressesAreCalled: two Secrets with one pair may say different things, and one may change.
func TestTheSecretSaysWhetherExemptAddressesAreCalled(t *testing.T) {
	t.Parallel()
	agreed := keys("agreed", "key-one")
	agreed.Annotations = map[string]string{v1alpha1.AnnotationAllowVendorAddresses: "true"}
	w := newWorld(t, agreed, keys("silent", "key-one"))
	exempt, plain := w.refresh(t, connection("exempt", "agreed")), w.refresh(t, connection("plain", "silent"))
	if !exempt.session.trust.exempt || plain.session.trust.exempt {
		t.Errorf("exempt: %v, %v", exempt.session.trust.exempt, plain.session.trust.exempt)
	}
	agreed.Annotations[v1alpha1.AnnotationAllowVendorAddresses] = "false"
	if err := w.kube.Update(t.Context(), agreed); err != nil {
		t.Fatal(err)
	}
	if again := w.refresh(t, connection("exempt", "agreed")); again.session != plain.session {
		t.Error("the withdrawn permission is still in effect")
	}
}

func TestWhichConnectionAnObjectGets(t *testing.T) {
	t.Parallel()
	proven := func(conn *v1alpha1.SmileConnection) { ready(conn) }
	broken := func(conn *v1alpha1.SmileConnection) {
		ready(conn)
		conn.Status.Conditions[0].Status = metav1.ConditionFalse
	}
	for name, test := range map[string]struct {
		conn   *v1alpha1.SmileConnection
		prove  bool
		reason string
	}{
		"none":           {nil, false, v1alpha1.ReasonConnectionNotFound},
		"not checked":    {connection("smile", "keys"), true, v1alpha1.ReasonThrottled},
		"not ready":      {connection("smile", "keys", broken), true, v1alpha1.ReasonConnectionNotReady},
		"suspended":      {connection("smile", "keys", ready, func(c *v1alpha1.SmileConnection) { c.Spec.Suspend = true }), true, v1alpha1.ReasonSuspended},
		"ready":          {connection("smile", "keys", proven), true, ""},
		"not proven yet": {connection("smile", "keys", proven), false, v1alpha1.ReasonThrottled},
		"without keys":   {connection("smile", "none", proven), false, v1alpha1.ReasonSecretNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, keys("keys", "key-one"))
			if test.conn != nil {
				if err := w.kube.Create(t.Context(), test.conn); err != nil {
					t.Fatal(err)
				}
			}
			if test.prove {
				if err := w.refresh(t, test.conn).Prove(t.Context(), ""); err != nil {
					t.Fatal(err)
				}
			}
			conn, err := w.For(t.Context(), "n", v1alpha1.ConnectionReference{Name: "smile"})
			if got := reasonOf(err); got != test.reason || (conn == nil) != (test.reason != "") {
				t.Errorf("got %v, %v", conn, err)
			}
			undo, err := w.ForUndo(t.Context(), "n", v1alpha1.ConnectionReference{Name: "smile"})
			if (undo != nil) != test.prove || (err == nil) != test.prove {
				t.Errorf("for a deletion: %v, %v", undo, err)
			}
		})
	}
}

// The keys that a deletion needs are kept after a change to keys that do not work.
func TestTheLastGoodPairIsKeptForUndoing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("good", "key-one"), keys("bad", "key-two"), keys("worse", "key-three"))
	conn := connection("smile", "good")
	good := w.refresh(t, conn)
	if err := good.Prove(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	w.status.Store(http.StatusUnauthorized)
	for _, name := range []string{"bad", "worse"} {
		conn.Spec.CredentialsSecretRef.Name = name
		if err := w.refresh(t, conn).Prove(t.Context(), ""); !errors.Is(err, errRefused) && reasonOf(err) != errRefused.Reason {
			t.Fatalf("%s: %v", name, err)
		}
		undo, err := w.ForUndo(t.Context(), "n", v1alpha1.ConnectionReference{Name: "smile"})
		if err != nil || undo.Fingerprint() != good.Fingerprint() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// However many calls wait for their turn when the pair is refused, only few are sent.
func TestAmongManyCallsARefusedPairIsUsedThreeTimesAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("keys", "key-one"))
	conn := w.refresh(t, connection("smile", "keys", func(c *v1alpha1.SmileConnection) { c.Spec.RequestsPerSecond = 5 }))
	w.status.Store(http.StatusUnauthorized)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			_, err := conn.Client.User(t.Context(), "user-1")
			if class := problem.Classify(err).Class; class != problem.NotReady && class != problem.Throttled && class != problem.Transient {
				t.Errorf("a call gets %v", err)
			}
		})
	}
	group.Wait()
	if got := w.calls.Load(); got > 3 {
		t.Errorf("%d calls", got)
	}
	if !conn.session.breaker.denied() {
		t.Error("the breaker is closed")
	}
	want := `# HELP smile_operator_api_breakers_open Key pairs that are not used, except for a probe every 15 minutes: refused, because Smile refuses them, or wrong_mode.
# TYPE smile_operator_api_breakers_open gauge
smile_operator_api_breakers_open{reason="refused"} 1
smile_operator_api_breakers_open{reason="wrong_mode"} 0
`
	if err := testutil.CollectAndCompare(w.Registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestErrorsAboutSecretsQuoteNoValues(t *testing.T) {
	t.Parallel()
	ref := v1alpha1.CredentialsSecretReference{Name: "keys", APIKeyKey: "id"}
	for name, test := range map[string]struct {
		data map[string]string
		want string
	}{
		"good":         {map[string]string{"id": "a", "apiSecret": "b"}, ""},
		"longest":      {map[string]string{"id": "a", "apiSecret": strings.Repeat("~", 1024)}, ""},
		"missing":      {map[string]string{"apiKey": "a", "apiSecret": "b"}, `the Secret "keys": key "id" is missing`},
		"empty":        {map[string]string{"id": "a", "apiSecret": ""}, `key "apiSecret" is empty`},
		"too long":     {map[string]string{"id": "a", "apiSecret": strings.Repeat("~", 1025)}, "longer than 1024 bytes"},
		"with a space": {map[string]string{"id": "very secret", "apiSecret": "b"}, "contains characters that no Smile key has"},
		"with a tab":   {map[string]string{"id": "very\tsecret", "apiSecret": "b"}, "contains characters that no Smile key has"},
		"not ASCII":    {map[string]string{"id": "very-sécret", "apiSecret": "b"}, "contains characters that no Smile key has"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "keys"}, Data: map[string][]byte{}}
			for key, value := range test.data {
				secret.Data[key] = []byte(value)
			}
			pair, err := pairFrom(secret, ref)
			if test.want == "" {
				if err != nil || pair.Key.Reveal() != test.data["id"] || pair.Secret.Reveal() != test.data["apiSecret"] {
					t.Errorf("got %v", err)
				}
				return
			}
			if reasonOf(err) != v1alpha1.ReasonSecretInvalid || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			for _, value := range test.data {
				if len(value) > 1 && strings.Contains(err.Error(), value) {
					t.Errorf("the error reveals a value: %v", err)
				}
			}
		})
	}
}

// While 200 calls are under way the Secret changes. Each call carries both halves of one pair, and none fails as long as
// both pairs are valid.
func TestARotationMidFlightFailsNoCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("keys", "key-one"))
	obj := connection("smile", "keys", ready)
	if err := w.kube.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	if err := w.refresh(t, obj).Prove(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	pairs := map[string]string{"key-one": apiSecret, "key-two": "another-secret"}
	var seen sync.Map
	w.check = func(r *http.Request) {
		key, secret, _ := r.BasicAuth()
		if pairs[key] != secret || secret == "" {
			t.Errorf("a call with halves of two pairs")
		}
		seen.Store(key, true)
	}
	half := make(chan struct{}, 200)
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			for range 4 {
				conn, err := w.For(t.Context(), "n", v1alpha1.ConnectionReference{Name: "smile"})
				if err == nil {
					_, err = conn.Client.User(t.Context(), "user-1")
				}
				if err != nil {
					t.Errorf("a call failed: %v", err)
				}
				select {
				case half <- struct{}{}:
				default:
				}
			}
		})
	}
	for range cap(half) / 2 {
		<-half
	}
	rotated := keys("keys", "key-two")
	rotated.Data["apiSecret"] = []byte("another-secret")
	if err := w.kube.Update(t.Context(), rotated); err != nil {
		t.Fatal(err)
	}
	if err := w.refresh(t, obj).Prove(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	conn, err := w.For(t.Context(), "n", v1alpha1.ConnectionReference{Name: "smile"})
	if err == nil {
		_, err = conn.Client.User(t.Context(), "user-1")
	}
	if err != nil {
		t.Error(err)
	}
	group.Wait()
	for key := range pairs {
		if _, ok := seen.Load(key); !ok {
			t.Errorf("no call with %s", key)
		}
	}
}
