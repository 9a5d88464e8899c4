package problem

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

var secrets = schema.GroupResource{Resource: "secrets"}

func answered(code int32, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}}
}

// A refusal names the object, the reason, and who gave it. Only an error that a change in the cluster can end is a refusal.
func TestRefusalsNameTheObjectAndTheReason(t *testing.T) {
	t.Parallel()
	const before = `the cluster refuses the Secret "data" `
	invalid := func(errs ...*field.Error) error {
		return apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, "data", errs)
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a quota": {
			apierrors.NewForbidden(secrets, "data", errors.New("exceeded quota: few, requested: secrets=1, used: secrets=3, limited: secrets=3")),
			"(Forbidden): exceeded quota: few, requested: secrets=1, used: secrets=3, limited: secrets=3",
		},
		"no permission": {
			apierrors.NewForbidden(secrets, "data", errors.New(`User "x" cannot create resource "secrets"`)),
			`(Forbidden): User "x" cannot create resource "secrets"`,
		},
		"a webhook without a reason": {
			answered(403, "", "admission webhook \"a.example.com\" denied the request:\n\tno\x1b[31m"),
			`(Forbidden): admission webhook "a.example.com" denied the request: no [31m`,
		},
		"what differs each time": {
			answered(422, metav1.StatusReasonInvalid, "request 6f1c2f4e-8a53-4c59-9a6b-0d2f0a3c8a11 of 2026-11-27T22:00:00Z, trace 0123456789abcdef0123, was denied"),
			"(Invalid): request … of …, trace …, was denied",
		},
		"an invalid field": {
			invalid(field.Invalid(field.NewPath("metadata", "name"), `a..b"c`, "must be a DNS name"), field.TooLong(field.NewPath("data"), "", 5)),
			"(Invalid): metadata.name: must be a DNS name; data: Too long: may not be more than 5 bytes",
		},
		"an invalid field without quotes": {
			invalid(field.Invalid(field.NewPath("data"), map[string]string{"key": "secret: text"}, "not so")),
			"(Invalid): data: FieldValueInvalid",
		},
		"too large":         {apierrors.NewRequestEntityTooLargeError("limit is 3145728"), "(RequestEntityTooLarge): Request entity too large: limit is 3145728"},
		"no such namespace": {apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop"), `(NotFound): namespaces "shop" not found`},
		"exists":            {apierrors.NewAlreadyExists(secrets, "data"), `(AlreadyExists): secrets "data" already exists`},
		"no words":          {answered(405, metav1.StatusReasonMethodNotAllowed, ""), "(MethodNotAllowed): it gives no message"},
		"a conflict":        {apierrors.NewConflict(secrets, "data", errors.New("changed")), ""},
		"no answer":         {&url.Error{Op: "Put", URL: "https://api", Err: errors.New("refused")}, ""},
		"overload":          {apierrors.NewTooManyRequests("later", 3), ""},
		"time-out":          {apierrors.NewTimeoutError("slow", 3), ""},
		"its own failure":   {apierrors.NewInternalError(errors.New("etcd")), ""},
		"no credentials":    {apierrors.NewUnauthorized("who"), ""},
		"something else":    {errors.New("surprise"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, err := range []error{c.err, fmt.Errorf("updating: %w", c.err)} {
				problem := Refusal(err, `the Secret "data"`, nil)
				if c.want == "" {
					if problem != nil {
						t.Fatalf("it is reported as a refusal: %v", problem)
					}
					continue
				}
				if diff := cmp.Diff(before+c.want, problem.Message); diff != "" {
					t.Error(diff)
				}
				class, after := Invalid, refusedRetry
				if name == "no permission" { // an API server that starts has none to give
					class, after = Transient, 0
				}
				if problem.Class != class || problem.Reason != v1alpha1.ReasonClusterRefused || problem.RetryAfter != after || !errors.Is(problem, c.err) {
					t.Errorf("got %+v", problem)
				}
			}
		})
	}
}

func TestARefusalIsBoundedAndQuotesNothingWithheld(t *testing.T) {
	t.Parallel()
	problem := Refusal(answered(403, metav1.StatusReasonForbidden, strings.Repeat("é", 5000)), "a request", nil)
	if shown := []rune(problem.Message); len(shown) > longestText+60 || shown[len(shown)-1] != '…' {
		t.Errorf("%d characters: %q", len(shown), problem.Message)
	}
	problem = Refusal(answered(403, "", "the value is george"), "a request", func(text string) bool { return strings.Contains(text, "george") })
	if strings.Contains(problem.Message, "george") || !strings.Contains(problem.Message, "(Forbidden)") {
		t.Errorf("got %q", problem.Message)
	}
}

// What fails without an object in hand is named after what the API server says of it.
func TestErrorsOfTheKubernetesAPIAreNotUnexpected(t *testing.T) {
	t.Parallel()
	terminating := apierrors.NewForbidden(secrets, "data", errors.New("being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, c := range map[string]struct {
		err    error
		class  Class
		reason string
		says   string
	}{
		"forbidden": {apierrors.NewForbidden(secrets, "keys", errors.New("no")), Invalid, v1alpha1.ReasonClusterRefused, `secrets "keys" (Forbidden): no`},
		"no right": {
			apierrors.NewForbidden(secrets, "keys", errors.New(`User "operator" cannot get resource "secrets" in API group "" in the namespace "n"`)),
			Transient, v1alpha1.ReasonClusterRefused, `cannot get resource "secrets"`,
		},
		"a list":      {apierrors.NewForbidden(secrets, "", errors.New("no")), Invalid, v1alpha1.ReasonClusterRefused, "refuses secrets (Forbidden)"},
		"no details":  {answered(http.StatusBadRequest, "", "bad"), Invalid, v1alpha1.ReasonClusterRefused, "refuses a request (BadRequest): bad"},
		"terminating": {terminating, NotReady, v1alpha1.ReasonNamespaceTerminating, "being deleted"},
		"no answer":   {&url.Error{Op: "Get", Err: errors.New("refused")}, Transient, v1alpha1.ReasonClusterError, "did not respond"},
		"a 503":       {apierrors.NewServiceUnavailable("down"), Transient, v1alpha1.ReasonClusterError, "did not respond"},
		"no URL":      {&url.Error{Op: "parse", URL: ":", Err: errors.New("missing protocol scheme")}, Transient, v1alpha1.ReasonUnexpectedError, "unexpected"},
		"unknown":     {errors.New("surprise"), Transient, v1alpha1.ReasonUnexpectedError, "unexpected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Classify(c.err)
			if got.Class != c.class || got.Reason != c.reason || !strings.Contains(got.Message, c.says) || !errors.Is(got, c.err) {
				t.Errorf("got %+v", got)
			}
		})
	}
}
