package engine

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

func TestAnAnnotationIsEchoedAsFarAsAStatusHoldsIt(t *testing.T) {
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
