package app

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

func cachedUser(name string) *v1alpha1.SmileUser {
	return &v1alpha1.SmileUser{
		ObjectMeta: metav1.ObjectMeta{Namespace: strings.Clone("team"), Name: name, Annotations: map[string]string{}},
		Spec:       v1alpha1.SmileUserSpec{ConnectionRef: v1alpha1.ConnectionReference{Name: strings.Clone("smile")}},
		Status: v1alpha1.SmileUserStatus{CommonStatus: v1alpha1.CommonStatus{Conditions: []metav1.Condition{
			{Type: strings.Clone("Ready"), Reason: strings.Clone("Succeeded"), Message: strings.Clone("everything declared is in place")},
		}}},
	}
}

func TestTheCacheHoldsOnlyWhatIsRead(t *testing.T) {
	t.Parallel()
	var texts sharedTexts
	user := cachedUser("george")
	user.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	user.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}", v1alpha1.AnnotationRequestedAt: "now"}
	want := cachedUser("george")
	want.Annotations = map[string]string{v1alpha1.AnnotationRequestedAt: "now"}
	got, err := texts.trim(user)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}

	gone := toolscache.DeletedFinalStateUnknown{Key: "team/george"}
	if got, err := texts.trim(gone); err != nil || got != gone {
		t.Errorf("a DeletedFinalStateUnknown gives %v (%v)", got, err)
	}
}

func TestCachedObjectsShareTexts(t *testing.T) {
	t.Parallel()
	var texts sharedTexts
	var before, after [2]*v1alpha1.SmileUser
	for i := range after {
		user := cachedUser(fmt.Sprint(i))
		before[i] = user.DeepCopy()
		if _, err := texts.trim(user); err != nil {
			t.Fatal(err)
		}
		after[i] = user
		was, _ := json.Marshal(before[i])
		if is, _ := json.Marshal(user); string(was) != string(is) {
			t.Errorf("%s became %s", was, is)
		}
	}
	for name, text := range map[string]func(*v1alpha1.SmileUser) string{
		"namespace":  func(u *v1alpha1.SmileUser) string { return u.Namespace },
		"connection": func(u *v1alpha1.SmileUser) string { return u.Spec.ConnectionRef.Name },
		"type":       func(u *v1alpha1.SmileUser) string { return u.Status.Conditions[0].Type },
		"message":    func(u *v1alpha1.SmileUser) string { return u.Status.Conditions[0].Message },
	} {
		if unsafe.StringData(text(after[0])) != unsafe.StringData(text(after[1])) {
			t.Errorf("each of two objects has its own copy of the %s", name)
		}
	}
}

// readyUser is a SmileUser that is Ready, as the API server sends it.
const readyUser = `{"apiVersion":"smile-operator.io/v1alpha1","kind":"SmileUser","metadata":{"annotations":{
"kubectl.kubernetes.io/last-applied-configuration":"{\"apiVersion\":\"smile-operator.io/v1alpha1\",\"kind\":\"SmileUser\",\"metadata\":{\"annotations\":{},\"name\":\"user-%05[1]d\",\"namespace\":\"default\"},\"spec\":{\"connectionRef\":{\"name\":\"smile\"}}}\n"},
"creationTimestamp":"2026-01-02T03:04:05Z","generation":1,"name":"user-%05[1]d","namespace":"default","resourceVersion":"%[1]d",
"uid":"0b2a1a34-6f2f-4a1f-8f0e-%012[1]d","managedFields":[
{"apiVersion":"smile-operator.io/v1alpha1","fieldsType":"FieldsV1","manager":"kubectl","operation":"Update","time":"2026-01-02T03:04:05Z",
"fieldsV1":{"f:metadata":{"f:annotations":{".":{},"f:kubectl.kubernetes.io/last-applied-configuration":{}}},"f:spec":{".":{},"f:connectionRef":{".":{},"f:name":{}}}}},
{"apiVersion":"smile-operator.io/v1alpha1","fieldsType":"FieldsV1","manager":"smile-operator","operation":"Update","subresource":"status","time":"2026-01-02T03:04:06Z",
"fieldsV1":{"f:status":{"f:accounts":{".":{},"f:connected":{},"f:needsAction":{},"f:total":{}},"f:conditions":{".":{},
"k:{\"type\":\"ConnectionReady\"}":{".":{},"f:lastTransitionTime":{},"f:message":{},"f:observedGeneration":{},"f:reason":{},"f:status":{},"f:type":{}},
"k:{\"type\":\"Provisioned\"}":{".":{},"f:lastTransitionTime":{},"f:message":{},"f:observedGeneration":{},"f:reason":{},"f:status":{},"f:type":{}},
"k:{\"type\":\"Ready\"}":{".":{},"f:lastTransitionTime":{},"f:message":{},"f:observedGeneration":{},"f:reason":{},"f:status":{},"f:type":{}}},
"f:createdAt":{},"f:mode":{},"f:observedGeneration":{},"f:userID":{}}}}]},
"spec":{"connectionRef":{"name":"smile"}},
"status":{"accounts":{"connected":1,"needsAction":0,"total":1},"conditions":[
{"lastTransitionTime":"2026-01-02T03:04:06Z","message":"everything declared is in place","observedGeneration":1,"reason":"Succeeded","status":"True","type":"Ready"},
{"lastTransitionTime":"2026-01-02T03:04:06Z","message":"the connection can be used","observedGeneration":1,"reason":"Succeeded","status":"True","type":"ConnectionReady"},
{"lastTransitionTime":"2026-01-02T03:04:06Z","message":"the person is a user at Smile","observedGeneration":1,"reason":"Succeeded","status":"True","type":"Provisioned"}],
"createdAt":"2026-01-02T03:04:06Z","mode":"Sandbox","observedGeneration":1,"userID":"tenant-17bb3a9c-0f3a-4d0d-9c5e-%012[1]d"}}`

// TestACachedUserIsSmall measures the heap that 1,000 users take.
func TestACachedUserIsSmall(t *testing.T) {
	const users, most = 1000, 1250
	var texts sharedTexts
	cached := make([]any, users)
	before := heap()
	for i := range cached {
		user := &v1alpha1.SmileUser{}
		if err := json.Unmarshal(fmt.Appendf(nil, readyUser, i), user); err != nil {
			t.Fatal(err)
		}
		cached[i], _ = texts.trim(user)
	}
	each := (heap() - before) / users
	runtime.KeepAlive(cached)
	if t.Logf("%d bytes each", each); each > most {
		t.Errorf("a user takes %d bytes of the cache, more than %d", each, most)
	}
}

func heap() int {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return int(memory.HeapAlloc)
}

func TestSharedTextsAreBounded(t *testing.T) {
	t.Parallel()
	var texts sharedTexts
	for i := range 2 * mostTexts {
		if text := fmt.Sprint(i); texts.share(text) != text {
			t.Fatal("another text is shared")
		}
	}
	if len(texts.all) != mostTexts {
		t.Errorf("%d texts are held", len(texts.all))
	}
}
