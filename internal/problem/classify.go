package problem

import (
	"errors"
	"fmt"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// rules turn an error of the Smile client into a problem; the first that matches wins.
var rules = []struct {
	matches func(error) bool
	problem Problem
}{
	{is[*smile.RedirectError], Problem{
		Class: Invalid, Reason: v1alpha1.ReasonRedirectRefused, RetryAfter: slowRetry,
		Message: "Smile responded with a redirect, which is never followed: check the endpoint of the connection",
	}},
	{is[*smile.HostError], Problem{
		Class: Invalid, Reason: v1alpha1.ReasonEndpointNotAllowed, RetryAfter: slowRetry,
		Message: "the endpoint's host is not allowed, or resolves to an address that is not: see --allowed-api-hosts",
	}},
	{smile.IsForbidden, Problem{
		Class: Invalid, Reason: v1alpha1.ReasonAccessForbidden, RetryAfter: slowRetry,
		Message: "Smile does not permit this key pair to use what the object names",
	}},
	{smile.IsDenied, Problem{
		Class: Denied, Reason: v1alpha1.ReasonInvalidCredentials,
		Message: "Smile refuses the key pair of the connection: fix its credentials Secret",
	}},
	{smile.IsInvalid, Problem{
		Class: Invalid, Reason: v1alpha1.ReasonInvalidSpec, RetryAfter: slowRetry,
		Message: "Smile refuses the request as invalid: check the spec",
	}},
	{endless, Problem{
		Class: NotReady, Reason: v1alpha1.ReasonListingTooLong, RetryAfter: slowRetry,
		Message: "a listing at Smile does not end, or has more data than an output holds: reading was aborted and is retried later",
	}},
	{is[*smile.ResponseError], Problem{
		Class: Transient, Reason: v1alpha1.ReasonInvalidResponse,
		Message: "Smile's responses cannot be read: they are truncated, not JSON, too large, or without required fields",
	}},
	{untrusted, Problem{
		Class: Transient, Reason: v1alpha1.ReasonSmileUnavailable,
		Message: "the certificate of Smile's host is not trusted: if a proxy intercepts TLS, name its certificate authority in the operator's " +
			"flag --api-ca-file, or under ca.crt in the credentials Secret",
	}},
	{is[*smile.APIError], Problem{Class: Transient, Reason: v1alpha1.ReasonSmileUnavailable, Message: unavailable}},
	{is[*smile.TransportError], Problem{Class: Transient, Reason: v1alpha1.ReasonSmileUnavailable, Message: unavailable}},
	{is[*smile.UnsentError], Problem{Class: Transient, Reason: v1alpha1.ReasonSmileUnavailable, Message: unavailable}},
}

const (
	unavailable = "Smile cannot be reached or responds with errors: the operator retries with backoff"
	slowRetry   = 15 * time.Minute
)

// Classify returns the problem of an error: the one that it wraps, the one that the table above gives an error of the Smile
// client, or the one of an error of the Kubernetes API (refusal.go). Any other error is unexpected, and transient.
func Classify(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	if wait, ok := smile.ThrottledFor(err); ok {
		return &Problem{
			Class: Throttled, Reason: v1alpha1.ReasonThrottled, RetryAfter: wait,
			Message: "the call budget is used up: the operator waits", Cause: err,
		}
	}
	for _, rule := range rules {
		if rule.matches(err) {
			found := rule.problem
			found.Cause = err
			return &found
		}
	}
	if problem := clusterProblem(err); problem != nil {
		return problem
	}
	return &Problem{
		Class: Transient, Reason: v1alpha1.ReasonUnexpectedError, Cause: err,
		Message: "an unexpected error, see the operator's log: the operator retries with backoff",
	}
}

// Unexpected returns the error that nothing classifies, if that is what err is or wraps, else nil.
func Unexpected(err error) error {
	for p := (*Problem)(nil); errors.As(err, &p); err = p.Cause {
		if p.Reason == v1alpha1.ReasonUnexpectedError {
			return p.Cause
		}
	}
	return nil
}

// TypeOf names the type of the error at the root of an error, and of the first of several that are joined.
func TypeOf(err error) string {
	for {
		switch wrapper := err.(type) { //nolint:errorlint // it unwraps step by step
		case interface{ Unwrap() error }:
			if wrapper.Unwrap() == nil {
				return fmt.Sprintf("%T", err)
			}
			err = wrapper.Unwrap()
		case interface{ Unwrap() []error }:
			if len(wrapper.Unwrap()) == 0 {
				return fmt.Sprintf("%T", err)
			}
			err = wrapper.Unwrap()[0]
		default:
			return fmt.Sprintf("%T", err)
		}
	}
}

func endless(err error) bool {
	return errors.Is(err, smile.ProblemTooManyPages) || errors.Is(err, smile.ProblemTooMuchData)
}

func untrusted(err error) bool { return errors.Is(err, smile.FailureCertificate) }

func is[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}
