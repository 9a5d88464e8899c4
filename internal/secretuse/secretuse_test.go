package secretuse_test

import (
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/secretuse"
)

func TestPermitted(t *testing.T) {
	t.Parallel()
	for annotation, permitted := range map[string][]secretuse.Use{
		"":                             nil,
		"credentials":                  {secretuse.Credentials},
		"webhook-secret":               {secretuse.WebhookSecret},
		"subjects":                     {secretuse.Subjects},
		"credentials,subjects":         {secretuse.Credentials, secretuse.Subjects},
		" subjects , webhook-secret\n": {secretuse.Subjects, secretuse.WebhookSecret},
		"credential":                   nil,
		"Credentials":                  nil,
		"credentials subjects":         nil,
		"*":                            nil,
		"true":                         nil,
		",,":                           nil,
	} {
		annotations := map[string]string{v1alpha1.AnnotationUse: annotation}
		for _, use := range []secretuse.Use{secretuse.Credentials, secretuse.WebhookSecret, secretuse.Subjects} {
			want := false
			for _, one := range permitted {
				want = want || one == use
			}
			if got := secretuse.Permitted(annotations, use); got != want {
				t.Errorf("annotation %q, use %q: permitted is %t, want %t", annotation, use, got, want)
			}
		}
	}
	if secretuse.Permitted(nil, secretuse.Subjects) || secretuse.Permitted(map[string]string{v1alpha1.AnnotationUse: ""}, "") {
		t.Error("a Secret without the annotation permits a use")
	}
}

// Messages fit a condition even with the longest name of a Secret.
func TestMessagesAreShortAndNameTheRemedy(t *testing.T) {
	t.Parallel()
	ref := secretuse.Reference{Name: strings.Repeat("n", 253), Field: "spec.credentialsSecretRef", Use: secretuse.WebhookSecret}
	for _, message := range []string{ref.Refusal().Message, ref.Warning()} {
		if len(message) > 512 {
			t.Errorf("%d characters: %s", len(message), message)
		}
		for _, part := range []string{ref.Field, ref.Name, "smile-operator.io/use: webhook-secret"} {
			if !strings.Contains(message, part) {
				t.Errorf("the message does not name %s: %s", part, message)
			}
		}
	}
}
