package app

import (
	"encoding/json"
	"fmt"
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
		t.Errorf("a notice becomes %v (%v)", got, err)
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
			t.Errorf("two objects have a %s each", name)
		}
	}
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
