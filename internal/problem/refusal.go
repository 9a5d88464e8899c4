package problem

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const (
	// refusedRetry is when a request that the cluster refused is retried: nothing reports a change of its policies.
	refusedRetry = 5 * time.Minute
	// longestText is how many characters of the API server's message are shown.
	longestText = 256
	withheld    = "its message is withheld, because it quotes the content"
)

// Refusal is the problem of a request that the Kubernetes API refused: only a change in the cluster helps. It names
// the object, as in `the Secret "data"`, and the API server's reason and message, unless quotes reports that the message
// repeats what must not be shown; quotes may be nil. Refusal is nil for every other error, conflicts of versions included.
func Refusal(err error, object string, quotes func(text string) bool) *Problem {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return nil
	}
	status := answer.Status()
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return NewNotReady(v1alpha1.ReasonNamespaceTerminating,
			"the namespace is being deleted: nothing more is written into it").Because(err)
	case isTemporary(status):
		return nil
	}
	text := textOf(status)
	if quotes != nil && quotes(text) {
		text = withheld
	}
	message := fmt.Sprintf("the cluster refuses %s (%s): %s", object, reasonOf(status), text)
	if unauthorized.MatchString(status.Message) {
		return NewTransient(v1alpha1.ReasonClusterRefused, message).Because(err)
	}
	return NewInvalid(v1alpha1.ReasonClusterRefused, message).After(refusedRetry).Because(err)
}

// unauthorized matches a refusal by authorization. It may be permanent. But an API server that is starting refuses everything
// until it has read the roles, so it is retried soon, with backoff.
var unauthorized = regexp.MustCompile(` is forbidden: User "[^"]*" cannot `)

// clusterProblem is the problem of an error of the Kubernetes API; nil for every other error.
func clusterProblem(err error) *Problem {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		if unanswered := (*url.Error)(nil); errors.As(err, &unanswered) && unanswered.Op != "parse" {
			return noAnswer.Because(err)
		}
		return nil
	}
	if refusal := Refusal(err, objectOf(answer.Status().Details), nil); refusal != nil {
		return refusal
	}
	return noAnswer.Because(err)
}

var noAnswer = NewTransient(v1alpha1.ReasonClusterError,
	"the Kubernetes API server did not respond to a request, or cannot serve it at the moment: the operator retries with backoff")

// isTemporary reports whether a failed request may succeed later without a change in the cluster.
func isTemporary(status metav1.Status) bool {
	switch status.Code {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusGone, http.StatusTooManyRequests:
		return true
	case http.StatusConflict:
		return status.Reason != metav1.StatusReasonAlreadyExists
	default:
		return status.Code < http.StatusBadRequest || status.Code >= http.StatusInternalServerError
	}
}

func objectOf(details *metav1.StatusDetails) string {
	switch {
	case details == nil || details.Kind == "":
		return "a request"
	case details.Name == "":
		return details.Kind
	default:
		return fmt.Sprintf("%s %q", details.Kind, details.Name)
	}
}

func reasonOf(status metav1.Status) string {
	if status.Reason != "" && status.Reason != metav1.StatusReasonUnknown {
		return string(status.Reason)
	}
	return strings.ReplaceAll(http.StatusText(int(status.Code)), " ", "")
}

var (
	// repeated matches the start of a message that the text of a Refusal already contains.
	repeated = regexp.MustCompile(`^[a-z.]+ "[^"]*" is (?:forbidden|invalid): `)
	// valued matches the start of field errors that quote the value of the field.
	valued = regexp.MustCompile(`^(\w+ value): (?:"(?:[^"\\]|\\.)*": )?`)
	// changing matches what differs between equal failures: UUIDs, times, digests and long numbers.
	changing = regexp.MustCompile(
		`[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\d{4}-\d{2}-\d{2}(?:[T ][\d:.]+Z?)?|\d{2}:\d{2}(?::\d{2})?|\b[0-9a-fA-F]{16,}\b|\d{8,}`,
	)
)

// textOf is the API server's message as it may be shown: one line of bounded length, equal for equal failures, without the
// values of invalid fields.
func textOf(status metav1.Status) string {
	text := repeated.ReplaceAllString(status.Message, "")
	if fields := fieldErrors(status.Details); len(fields) > 0 {
		text = strings.Join(fields, "; ")
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	text = changing.ReplaceAllString(strings.Join(strings.Fields(text), " "), "…")
	if text == "" {
		return "it gives no message"
	}
	if characters := []rune(text); len(characters) > longestText {
		text = string(characters[:longestText-1]) + "…"
	}
	return text
}

// fieldErrors names the invalid fields, and what is wrong with each, without its value.
func fieldErrors(details *metav1.StatusDetails) []string {
	if details == nil {
		return nil
	}
	var fields []string
	for _, cause := range details.Causes {
		if cause.Field == "" {
			continue
		}
		words := cause.Message
		if quoted := valued.FindString(words); quoted != "" {
			words = strings.TrimPrefix(words, quoted)
			if !strings.HasSuffix(quoted, `": `) { // the end of a value without quotes is unknown
				words = string(cause.Type)
			}
		}
		fields = append(fields, cause.Field+": "+words)
	}
	return fields
}
