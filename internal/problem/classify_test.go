package problem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	refused := func(status int, code smile.Code) error {
		return &smile.APIError{Operation: "get-user", StatusCode: status, Code: code, RequestID: "0b1f747d-0ac7"}
	}
	unsent := func(cause error) error { return &smile.UnsentError{Cause: cause} }
	type verdict struct {
		Class  Class
		Reason string
		Retry  time.Duration
	}
	unavailable := verdict{Class: Transient, Reason: v1alpha1.ReasonSmileUnavailable}
	unreadable := verdict{Class: Transient, Reason: v1alpha1.ReasonInvalidResponse}
	cluster := verdict{Class: Transient, Reason: v1alpha1.ReasonClusterError}
	denied := verdict{Class: Denied, Reason: v1alpha1.ReasonInvalidCredentials}
	invalid := verdict{Invalid, v1alpha1.ReasonInvalidSpec, slowRetry}
	for name, test := range map[string]struct {
		err  error
		want verdict
	}{
		"400, invalid parameters":  {refused(400, smile.CodeInvalidParameters), invalid},
		"400, without words":       {refused(400, ""), invalid},
		"400, invalid credentials": {refused(400, smile.CodeInvalidCredentials), denied},
		"401":                      {refused(401, smile.CodeInvalidToken), denied},
		"401, without words":       {refused(401, ""), denied},
		"403":                      {refused(403, smile.CodeUnauthorizedAccess), verdict{Invalid, v1alpha1.ReasonAccessForbidden, slowRetry}},
		"404":                      {refused(404, smile.CodeMissingResource), unavailable},
		"404, without words":       {refused(404, ""), unavailable},
		"415":                      {refused(415, smile.CodeUnsupportedType), invalid},
		"429":                      {refused(429, smile.CodeRequestLimitExceeded), verdict{Class: Throttled, Reason: v1alpha1.ReasonThrottled}},
		"429, for a minute": {
			&smile.APIError{StatusCode: 429, RetryAfter: time.Minute}, verdict{Throttled, v1alpha1.ReasonThrottled, time.Minute},
		},
		"paused":                {unsent(&smile.PausedError{RetryAfter: time.Hour}), verdict{Throttled, v1alpha1.ReasonThrottled, time.Hour}},
		"500":                   {refused(500, smile.CodeServerError), unavailable},
		"501":                   {refused(501, smile.CodeUnsupportedMethod), invalid},
		"502":                   {refused(502, ""), unavailable},
		"503":                   {refused(503, smile.CodeServerUnavailable), unavailable},
		"504":                   {refused(504, smile.CodeTimeLimitExceeded), unavailable},
		"a code of the future":  {refused(418, "TEAPOT"), unavailable},
		"truncated":             {&smile.ResponseError{Problem: smile.ProblemTruncated}, unreadable},
		"a page":                {&smile.ResponseError{Problem: smile.ProblemContentType}, unreadable},
		"too large":             {&smile.ResponseError{Problem: smile.ProblemTooLarge}, unreadable},
		"of another object":     {&smile.ResponseError{Problem: smile.ProblemWrongObject}, unreadable},
		"too many pages":        {&smile.ResponseError{Problem: smile.ProblemTooManyPages}, verdict{NotReady, v1alpha1.ReasonListingTooLong, slowRetry}},
		"too much data":         {&smile.ResponseError{Problem: smile.ProblemTooMuchData}, verdict{NotReady, v1alpha1.ReasonListingTooLong, slowRetry}},
		"no room in memory":     {&smile.ResponseError{Problem: smile.ProblemNoRoom}, unreadable},
		"a redirect":            {&smile.RedirectError{}, verdict{Invalid, v1alpha1.ReasonRedirectRefused, slowRetry}},
		"a host":                {unsent(&smile.HostError{Field: "endpoint"}), verdict{Invalid, v1alpha1.ReasonEndpointNotAllowed, slowRetry}},
		"an argument":           {unsent(&smile.ArgumentError{Argument: "id"}), invalid},
		"an unknown name":       {unsent(smile.FailureNameUnknown), unavailable},
		"no connection":         {unsent(smile.FailureRefused), unavailable},
		"an untrusted server":   {unsent(smile.FailureCertificate), unavailable},
		"a broken connection":   {&smile.TransportError{Cause: smile.FailureReset}, unavailable},
		"no answer":             {&smile.TransportError{Cause: context.DeadlineExceeded}, unavailable},
		"a fence":               {unsent(errors.New("not the leader")), unavailable},
		"a problem":             {NewInvalid(v1alpha1.ReasonUserNotOwned, "not yours").After(time.Minute), verdict{Invalid, v1alpha1.ReasonUserNotOwned, time.Minute}},
		"a problem of a fence":  {unsent(NewNotReady(v1alpha1.ReasonConnectionNotReady, "no")), verdict{Class: NotReady, Reason: v1alpha1.ReasonConnectionNotReady}},
		"the API server":        {apierrors.NewInternalError(errors.New("etcd")), cluster},
		"a forbidden Secret":    {apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "keys", nil), verdict{Invalid, v1alpha1.ReasonClusterRefused, refusedRetry}},
		"something nobody knew": {errors.New("surprise"), verdict{Class: Transient, Reason: v1alpha1.ReasonUnexpectedError}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, err := range []error{test.err, fmt.Errorf("reading: %w", test.err), errors.Join(errors.New("also"), test.err)} {
				got := Classify(err)
				if diff := cmp.Diff(test.want, verdict{got.Class, got.Reason, got.RetryAfter}); diff != "" {
					t.Errorf("%v: %s", err, diff)
				}
				if got.Message == "" || !errors.Is(err, test.err) {
					t.Errorf("%v: %+v", err, got)
				}
			}
		})
	}
}

func TestClassifyLeavesTheTableAsItIs(t *testing.T) {
	t.Parallel()
	first := &smile.APIError{StatusCode: http.StatusInternalServerError}
	if got := Classify(first); !errors.Is(got, first) {
		t.Errorf("the cause is %v", got.Cause)
	}
	for i, rule := range rules {
		if rule.problem.Cause != nil {
			t.Errorf("rule %d of the table got a cause", i)
		}
	}
}

func TestProblemsAreCopiedWhenChanged(t *testing.T) {
	t.Parallel()
	original := NewNotReady(v1alpha1.ReasonUserNotReady, "not yet")
	before := *original
	changed := original.After(time.Minute).On(v1alpha1.ConditionUserReady).Because(context.Canceled)
	if diff := cmp.Diff(before, *original, cmp.Comparer(errors.Is)); diff != "" {
		t.Error(diff)
	}
	if changed.RetryAfter != time.Minute || changed.Condition != v1alpha1.ConditionUserReady || !errors.Is(changed, context.Canceled) {
		t.Errorf("got %+v", changed)
	}
	if !Is(fmt.Errorf("so: %w", changed), v1alpha1.ReasonUserNotReady) || Is(changed, v1alpha1.ReasonUserNotFound) {
		t.Error("a problem is not found by its reason")
	}
	if got, want := changed.Error(), "UserNotReady: not yet: context canceled"; got != want {
		t.Errorf("the error reads %q", got)
	}
}

func TestTheTypeOfAnErrorIsThatOfItsRoot(t *testing.T) {
	t.Parallel()
	root := &smile.HostError{Field: "endpoint"}
	for name, err := range map[string]error{
		"itself": root, "wrapped": fmt.Errorf("a: %w", fmt.Errorf("b: %w", root)), "joined": errors.Join(root, errors.New("other")),
	} {
		if got := TypeOf(err); got != "*smile.HostError" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := TypeOf(NewTransient(v1alpha1.ReasonClusterError, "m")); got != "*problem.Problem" {
		t.Errorf("without a cause: %s", got)
	}
}

func TestUnexpectedErrorsAreFoundBehindOtherProblems(t *testing.T) {
	t.Parallel()
	surprise := errors.New("surprise")
	behind := NewInvalid(v1alpha1.ReasonOutputDamaged, "it cannot be repaired").Because(Classify(surprise))
	for name, err := range map[string]error{"itself": Classify(surprise), "behind": behind, "wrapped": fmt.Errorf("so: %w", behind)} {
		if got := Unexpected(err); !errors.Is(got, surprise) {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, err := range map[string]error{"expected": NewInvalid(v1alpha1.ReasonOutputDamaged, "m"), "no problem": surprise, "none": nil} {
		if got := Unexpected(err); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}
