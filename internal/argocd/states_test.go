package argocd_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// scene is a world with a connection that works.
type scene struct {
	*testenv.World
	op   *testenv.Operator
	conn *v1alpha1.SmileConnection
}

// state is one state of an object, and the health that it must have.
type state struct {
	name, health string
	// make returns the object in that state, as the operator left it.
	make func(*scene) engine.Object
}

// states of each kind. The object of the state healthy is also that of the actions.
func states() map[string][]state {
	return map[string][]state{
		"SmileConnection":          connectionStates(),
		"SmileUser":                userStates(),
		"SmileAccountSync":         syncStates(),
		"SmileWebhookSubscription": webhookStates(),
		"SmileWinkWidget":          widgetStates(),
	}
}

func connectionStates() []state {
	return []state{
		{"healthy", "Healthy", func(s *scene) engine.Object { return s.conn }},
		{"suspended", "Suspended", func(s *scene) engine.Object {
			s.Change(s.conn, func() { s.conn.Spec.Suspend = true })
			return s.reconciled(s.conn)
		}},
		{"new", "Progressing", func(s *scene) engine.Object {
			fresh := testenv.Connection("new")
			s.Create(fresh)
			return fresh
		}},
		{"changed", "Progressing", func(s *scene) engine.Object {
			s.Change(s.conn, func() { s.conn.Spec.RequestsPerSecond = 5 })
			return s.conn
		}},
		{"without-secret", "Degraded", func(s *scene) engine.Object {
			return s.created(testenv.Connection("lost", func(c *v1alpha1.SmileConnection) { c.Spec.CredentialsSecretRef.Name = "lost" }))
		}},
	}
}

func userStates() []state {
	return []state{
		{"healthy", "Healthy", func(s *scene) engine.Object { return s.created(testenv.User(testenv.UserName)) }},
		{"suspended", "Suspended", func(s *scene) engine.Object {
			user := testenv.User(testenv.UserName, func(u *v1alpha1.SmileUser) { u.Spec.Suspend = true })
			return s.created(user)
		}},
		{"connection-suspended", "Suspended", func(s *scene) engine.Object {
			s.Change(s.conn, func() { s.conn.Spec.Suspend = true })
			s.reconciled(s.conn)
			return s.created(testenv.User(testenv.UserName))
		}},
		{"without-connection", "Progressing", func(s *scene) engine.Object {
			user := testenv.User(testenv.UserName, func(u *v1alpha1.SmileUser) { u.Spec.ConnectionRef.Name = "another" })
			return s.created(user)
		}},
		{"not-owned", "Degraded", func(s *scene) engine.Object {
			remote := s.Smile.NewUser(testenv.One, nil)
			return s.created(testenv.User(testenv.UserName, testenv.WithUserID(remote.ID)))
		}},
		{"deletion-blocked", "Degraded", func(s *scene) engine.Object {
			user := testenv.User(testenv.UserName, testenv.Revoking)
			s.created(user)
			keys, _ := s.Secret(testenv.KeysName)
			s.Delete(keys)
			s.op = s.Operator() // which does not know the keys
			_, _ = s.op.Reconcile(s.conn)
			s.Delete(user)
			return s.reconciled(user)
		}},
	}
}

func syncStates() []state {
	return []state{
		{"healthy", "Healthy", func(s *scene) engine.Object {
			s.linked()
			return s.created(testenv.Sync(testenv.SyncName, testenv.UserName))
		}},
		{"waits-for-person", "Healthy", func(s *scene) engine.Object {
			s.created(testenv.User(testenv.UserName))
			return s.created(testenv.Sync(testenv.SyncName, testenv.UserName))
		}},
		{"suspended", "Suspended", func(s *scene) engine.Object {
			sync := testenv.Sync(testenv.SyncName, testenv.UserName, func(y *v1alpha1.SmileAccountSync) { y.Spec.Suspend = true })
			return s.created(sync)
		}},
		{"without-user", "Progressing", func(s *scene) engine.Object {
			return s.created(testenv.Sync(testenv.SyncName, "nobody"))
		}},
		{"output-conflict", "Degraded", func(s *scene) engine.Object {
			s.linked()
			s.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: testenv.DataName}, StringData: map[string]string{"other": "data"}})
			return s.created(testenv.Sync(testenv.SyncName, testenv.UserName))
		}},
	}
}

func webhook(changes ...func(*v1alpha1.SmileWebhookSubscription)) *v1alpha1.SmileWebhookSubscription {
	hook := &v1alpha1.SmileWebhookSubscription{
		ObjectMeta: metav1.ObjectMeta{Name: "events"},
		Spec: v1alpha1.SmileWebhookSubscriptionSpec{
			ConnectionRef: v1alpha1.ConnectionReference{Name: testenv.ConnectionName}, EventTypes: []v1alpha1.EventType{"TASK_FINISHED"},
		},
	}
	for _, change := range changes {
		change(hook)
	}
	return hook
}

func webhookStates() []state {
	return []state{
		{"healthy", "Healthy", func(s *scene) engine.Object { return s.created(webhook()) }},
		{"suspended", "Suspended", func(s *scene) engine.Object {
			return s.created(webhook(func(h *v1alpha1.SmileWebhookSubscription) { h.Spec.Suspend = true }))
		}},
		{"without-connection", "Progressing", func(s *scene) engine.Object {
			return s.created(webhook(func(h *v1alpha1.SmileWebhookSubscription) { h.Spec.ConnectionRef.Name = "another" }))
		}},
		{"foreign-url", "Degraded", func(s *scene) engine.Object {
			return s.created(webhook(func(h *v1alpha1.SmileWebhookSubscription) { h.Spec.URL = "https://elsewhere.example.com" }))
		}},
	}
}

func widget(connection string, suspend bool) *v1alpha1.SmileWinkWidget {
	return &v1alpha1.SmileWinkWidget{
		ObjectMeta: metav1.ObjectMeta{Name: "wink"},
		Spec: v1alpha1.SmileWinkWidgetSpec{
			ConnectionRef: v1alpha1.ConnectionReference{Name: connection}, Suspend: suspend,
			Output: &v1alpha1.WidgetOutput{ConfigMap: v1alpha1.WidgetConfigMap{Name: "wink"}},
		},
	}
}

func widgetStates() []state {
	return []state{
		{"healthy", "Healthy", func(s *scene) engine.Object { return s.created(widget(testenv.ConnectionName, false)) }},
		{"suspended", "Suspended", func(s *scene) engine.Object { return s.created(widget(testenv.ConnectionName, true)) }},
		{"without-connection", "Progressing", func(s *scene) engine.Object { return s.created(widget("another", false)) }},
		{"output-conflict", "Degraded", func(s *scene) engine.Object {
			s.Create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "wink"}, Data: map[string]string{"other": "data"}})
			return s.created(widget(testenv.ConnectionName, false))
		}},
	}
}

// created creates an object and reconciles it.
func (s *scene) created(object engine.Object) engine.Object {
	s.Helper()
	s.Create(object)
	return s.reconciled(object)
}

func (s *scene) reconciled(object engine.Object) engine.Object {
	s.Helper()
	_, _ = s.op.Reconcile(object)
	s.Get(object)
	return object
}

// linked creates George, who has linked an account.
func (s *scene) linked() {
	s.Helper()
	george := testenv.User(testenv.UserName)
	s.created(george)
	s.Smile.LinkGeorge(george.Status.UserID, "sss_ph")
	s.Hint(george)
	s.reconciled(george)
}

// TestStates checks the health of each state, and that the test data of the scripts are objects in these states.
func TestStates(t *testing.T) {
	script := read(t, filepath.Join(customizations, original, "health.lua"))
	for kind, list := range states() {
		expected := healthTests{}
		for _, state := range list {
			t.Run(kind+" "+state.name, func(t *testing.T) {
				s := &scene{World: testenv.New(t, testenv.Config{ReceiverBaseURL: "https://hooks.example.com"})}
				s.op, s.conn = s.Operator(), testenv.Connection(testenv.ConnectionName)
				s.Create(testenv.Keys(testenv.KeysName, testenv.One))
				s.created(s.conn)
				object := s.plain(state.make(s))
				result := healthOf(t, script, object, false)
				if result.Status != state.health {
					t.Errorf("it is %s, want %s: %s\n%s", result.Status, state.health, result.Message, encode(t, object["status"]))
				}
				expected.Tests = append(expected.Tests, healthTest{result, "testdata/" + state.name + ".yaml"})
				path := filepath.Join(customizations, kind, "testdata", state.name+".yaml")
				if *write {
					generated(t, path, encode(t, object))
				}
				if diff := cmp.Diff(lasting(parse(t, read(t, path))), lasting(object)); diff != "" {
					t.Errorf("%s is no longer what the operator writes: see doc.go\n%s", path, diff)
				}
				if *write && state.name == "healthy" {
					s.writeActions(t, kind, object)
				}
			})
		}
		generated(t, filepath.Join(customizations, kind, "health_test.yaml"), encode(t, expected))
	}
}

// plain returns an object without what differs from run to run for no reason of its own.
func (s *scene) plain(object client.Object) map[string]any {
	s.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		s.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kindOf(object)))
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp"} {
		unstructured.RemoveNestedField(u.Object, "metadata", field)
	}
	text, err := json.Marshal(u.Object)
	if err != nil {
		s.Fatal(err)
	}
	plain := strings.NewReplacer(s.Namespace, "team-a", s.Smile.URL, "https://sandbox.smileapi.io").Replace(string(text))
	var result map[string]any
	if err := json.Unmarshal([]byte(plain), &result); err != nil {
		s.Fatal(err)
	}
	return result
}

func kindOf(object client.Object) string {
	switch object.(type) {
	case *v1alpha1.SmileConnection:
		return "SmileConnection"
	case *v1alpha1.SmileUser:
		return "SmileUser"
	case *v1alpha1.SmileAccountSync:
		return "SmileAccountSync"
	case *v1alpha1.SmileWebhookSubscription:
		return "SmileWebhookSubscription"
	default:
		return "SmileWinkWidget"
	}
}

// lasting is what the scripts read: generation, whether the object is being deleted, spec and conditions, without times and ids.
func lasting(object map[string]any) map[string]any {
	meta, status := object["metadata"].(map[string]any), object["status"].(map[string]any)
	spec := runtime.DeepCopyJSON(object["spec"].(map[string]any))
	delete(spec, "userID")
	written, _ := status["conditions"].([]any)
	var conditions []any
	for _, condition := range written {
		stable := runtime.DeepCopyJSON(condition.(map[string]any))
		delete(stable, "lastTransitionTime")
		conditions = append(conditions, stable)
	}
	return map[string]any{
		"generation": meta["generation"], "deleted": meta["deletionTimestamp"] != nil, "spec": spec, "conditions": conditions,
	}
}

// writeActions writes what the actions make of an object.
func (s *scene) writeActions(t *testing.T, kind string, object map[string]any) {
	t.Helper()
	dir := filepath.Join(customizations, kind, "actions", "testdata")
	suspended := runtime.DeepCopyJSON(object)
	suspended["spec"].(map[string]any)["suspend"] = true
	generated(t, filepath.Join(dir, "suspended.yaml"), encode(t, suspended))
	if kind == "SmileConnection" || kind == "SmileWinkWidget" {
		return
	}
	refreshed := runtime.DeepCopyJSON(object)
	refreshed["metadata"].(map[string]any)["annotations"] = map[string]any{v1alpha1.AnnotationRequestedAt: "0001-01-01T00:00:00Z"}
	generated(t, filepath.Join(dir, "refreshed.yaml"), encode(t, refreshed))
}
