package engine

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

func TestEchoIsWhatAStatusHolds(t *testing.T) {
	for asked, want := range map[string]string{
		"":                              "",
		"now":                           "now",
		strings.Repeat("x", 256):        strings.Repeat("x", 256),
		strings.Repeat("x", 257):        strings.Repeat("x", 256),
		strings.Repeat("ñ", 256):        strings.Repeat("ñ", 256),
		strings.Repeat("ñ", 255) + "日本": strings.Repeat("ñ", 255) + "日",
	} {
		user := &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"asked": asked}}}
		if got := Echo(user, "asked"); got != want {
			t.Errorf("%q is echoed as %q, want %q", asked, got, want)
		}
	}
}

func TestEchoOfAnApprovalOfRevokes(t *testing.T) {
	conn := &v1alpha1.SmileConnection{}
	conn.Annotations = map[string]string{v1alpha1.AnnotationApproveRevokes: strings.Repeat("ñ", 65)}
	if got := Echo(conn, v1alpha1.AnnotationApproveRevokes); got != strings.Repeat("ñ", 64) {
		t.Errorf("got %q", got)
	}
}

func TestNewValue(t *testing.T) {
	for _, tt := range []struct {
		value, handled string
		isNew          bool
	}{
		{"", "", false},
		{"", "a", false},
		{"a", "", true},
		{"a", "a", false},
		{"b", "a", true},
		{strings.Repeat("x", 300), strings.Repeat("x", 256), false},
	} {
		user := &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"approve": tt.value}}}
		if _, isNew := NewValue(user, "approve", tt.handled); isNew != tt.isNew {
			t.Errorf("%.3q after %.3q is new: %v", tt.value, tt.handled, isNew)
		}
	}
}
