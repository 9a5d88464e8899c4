package winkwidget_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// scene is a world with a connection that works, and a widget.
type scene struct {
	*testenv.World
	op     *testenv.Operator
	conn   *v1alpha1.SmileConnection
	widget *v1alpha1.SmileWinkWidget
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{World: testenv.New(t, testenv.Config{}), conn: testenv.Connection(testenv.ConnectionName)}
	s.op = s.Operator()
	s.widget = &v1alpha1.SmileWinkWidget{
		ObjectMeta: metav1.ObjectMeta{Name: "wink"},
		Spec: v1alpha1.SmileWinkWidgetSpec{
			ConnectionRef: v1alpha1.ConnectionReference{Name: testenv.ConnectionName}, TemplateID: "wtpl-1",
			Options: &v1alpha1.WidgetOptions{Providers: []string{"sss_ph"}},
			Output:  &v1alpha1.WidgetOutput{ConfigMap: v1alpha1.WidgetConfigMap{Name: "wink"}},
		},
	}
	s.Create(s.conn, testenv.Keys(testenv.KeysName, testenv.One), s.widget)
	return s
}

func (s *scene) configMap(name string) (*corev1.ConfigMap, bool) {
	found := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name}}
	return found, s.Exists(found)
}

func TestAWidgetIsWrittenAsDeclared(t *testing.T) {
	s := newScene(t)
	mark := s.Smile.Mark()
	s.op.Run(s.widget)
	if got := s.Outcome(s.widget); got.Ready == metav1.ConditionTrue {
		t.Errorf("before the connection is ready: %+v", got)
	}
	s.op.Run(s.conn, s.widget)
	if diff := cmp.Diff(testenv.Ready(v1alpha1.ReasonSucceeded), s.Outcome(s.widget)); diff != "" {
		t.Fatal(diff)
	}
	status := s.widget.Status
	if status.Mode != v1alpha1.ModeSandbox || status.ScriptURL != s.Smile.URL+"/v2/smile.v2.js" || status.APIHost != s.Smile.URL+"/v1" ||
		status.ConfigMapName != "wink" {
		t.Errorf("%+v", status)
	}
	written, ok := s.configMap("wink")
	if !ok || len(written.Data) != 3 || written.Data["index.html"] == "" || written.Data["wink.js"] == "" {
		t.Fatalf("%v %v", ok, written.Data)
	}
	var document map[string]any
	if err := json.Unmarshal([]byte(written.Data["wink.json"]), &document); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"scriptUrl": s.Smile.URL + "/v2/smile.v2.js", "apiHost": s.Smile.URL + "/v1", "mode": "SANDBOX", "templateId": "wtpl-1",
		"options": map[string]any{"providers": []any{"sss_ph"}},
	}
	if diff := cmp.Diff(want, document); diff != "" {
		t.Error(diff)
	}
	s.op.Quiet(s.widget)
	calls := s.Smile.Calls(mark)
	s.op.Run(s.widget)
	if now := s.Smile.Calls(mark); now != calls {
		t.Errorf("a widget cost %d calls", now-calls)
	}
}

func TestTheConfigMapFollowsTheSpec(t *testing.T) {
	s := newScene(t)
	s.op.Run(s.conn, s.widget)
	s.Change(s.widget, func() { s.widget.Spec.Output.ConfigMap.Name, s.widget.Spec.SDKVersion = "other", v1alpha1.SDKv1 })
	s.op.Run(s.widget)
	if _, kept := s.configMap("wink"); kept {
		t.Error("the ConfigMap of the former name is still there")
	}
	if written, ok := s.configMap("other"); !ok || s.widget.Status.ScriptURL != s.Smile.URL+"/v1/smile.v1.js" {
		t.Errorf("%v %v %s", ok, written, s.widget.Status.ScriptURL)
	}
	edited, _ := s.configMap("other")
	s.Change(edited, func() { edited.Data["wink.json"] = "{}" })
	s.op.Run(s.widget)
	if repaired, _ := s.configMap("other"); repaired.Data["wink.json"] == "{}" {
		t.Error("an edited ConfigMap was not repaired")
	}
	s.Change(s.widget, func() { s.widget.Spec.Output = nil })
	s.op.Run(s.widget)
	if _, kept := s.configMap("other"); kept || s.widget.Status.ConfigMapName != "" {
		t.Error("the ConfigMap is still there")
	}
}

func TestAConfigMapOfAnotherIsLeftAlone(t *testing.T) {
	s := newScene(t)
	foreign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "wink"}, Data: map[string]string{"mine": "1"}}
	s.Create(foreign)
	s.op.Run(s.conn, s.widget)
	if got := s.Outcome(s.widget); got.Reason != v1alpha1.ReasonOutputConflict {
		t.Errorf("%+v", got)
	}
	if kept, _ := s.configMap("wink"); kept.Data["mine"] != "1" || len(kept.Data) != 1 {
		t.Errorf("%v", kept.Data)
	}
}
