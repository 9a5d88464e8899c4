package smile_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// classes is what every predicate says of an error.
type classes struct {
	NotFound, Denied, Forbidden, Invalid, Throttled, NotCreated bool
}

func classesOf(err error) classes {
	_, throttled := smile.ThrottledFor(err)
	return classes{
		NotFound:   smile.IsNotFound(err),
		Denied:     smile.IsDenied(err),
		Forbidden:  smile.IsForbidden(err),
		Invalid:    smile.IsInvalid(err),
		Throttled:  throttled,
		NotCreated: smile.NotCreated(err),
	}
}

func refusal(status int, code smile.Code) error {
	return &smile.APIError{Operation: "create-user", StatusCode: status, Code: code}
}

func TestClasses(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want classes
	}{
		{"nothing", nil, classes{}},
		{"something else", errors.New("other"), classes{}},

		{"wrong pair", refusal(400, smile.CodeInvalidCredentials), classes{Denied: true, NotCreated: true}},
		{"wrong pair as 401", refusal(401, smile.CodeInvalidCredentials), classes{Denied: true, NotCreated: true}},
		{"bad token", refusal(401, smile.CodeInvalidToken), classes{Denied: true, NotCreated: true}},
		{"bad token as 400", refusal(400, smile.CodeInvalidToken), classes{Denied: true, NotCreated: true}},
		{"bare 401", refusal(401, ""), classes{Denied: true, NotCreated: true}},
		{"forbidden", refusal(403, smile.CodeUnauthorizedAccess), classes{Denied: true, Forbidden: true, NotCreated: true}},
		{"bare 403", refusal(403, ""), classes{Denied: true, Forbidden: true, NotCreated: true}},

		{"bad parameters", refusal(400, smile.CodeInvalidParameters), classes{Invalid: true, NotCreated: true}},
		{"bare 400", refusal(400, ""), classes{Invalid: true, NotCreated: true}},
		{"unknown 400", refusal(400, "NEW_CODE"), classes{Invalid: true, NotCreated: true}},
		{"415", refusal(415, smile.CodeUnsupportedType), classes{Invalid: true, NotCreated: true}},
		{"501", refusal(501, smile.CodeUnsupportedMethod), classes{Invalid: true}},
		{"422", refusal(422, smile.CodeInvalidParameters), classes{Invalid: true}},

		{"missing", refusal(404, smile.CodeMissingResource), classes{NotFound: true, NotCreated: true}},
		{"missing as 400", refusal(400, smile.CodeMissingResource), classes{NotFound: true, NotCreated: true}},
		{"missing, new code", refusal(404, "GONE"), classes{NotFound: true, NotCreated: true}},
		{"a proxy's 404", refusal(404, ""), classes{NotCreated: true}},

		{"429", refusal(429, smile.CodeRequestLimitExceeded), classes{Throttled: true, NotCreated: true}},
		{"bare 429", refusal(429, ""), classes{Throttled: true, NotCreated: true}},

		{"408", refusal(408, ""), classes{}},
		{"409", refusal(409, ""), classes{}},
		{"500", refusal(500, smile.CodeServerError), classes{}},
		{"502", refusal(502, ""), classes{}},
		{"503", refusal(503, smile.CodeServerUnavailable), classes{}},
		{"504", refusal(504, smile.CodeTimeLimitExceeded), classes{}},

		{"unsent", &smile.UnsentError{Cause: smile.FailureRefused}, classes{NotCreated: true}},
		{"paused", &smile.UnsentError{Cause: &smile.PausedError{}}, classes{Throttled: true, NotCreated: true}},
		{"bad argument", &smile.UnsentError{Cause: &smile.ArgumentError{}}, classes{Invalid: true, NotCreated: true}},
		{"refused host", &smile.UnsentError{Cause: &smile.HostError{}}, classes{NotCreated: true}},
		{"no answer", &smile.TransportError{Cause: context.DeadlineExceeded}, classes{}},
		{"bad answer", &smile.ResponseError{Problem: smile.ProblemTruncated}, classes{}},
		{"redirect", &smile.RedirectError{}, classes{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, classesOf(test.err)); diff != "" {
				t.Errorf("classes (-want +got):\n%s", diff)
			}
			if test.err == nil {
				return
			}
			if diff := cmp.Diff(test.want, classesOf(fmt.Errorf("wrapped: %w", test.err))); diff != "" {
				t.Errorf("classes when wrapped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestThrottledFor(t *testing.T) {
	for _, err := range []error{
		&smile.APIError{StatusCode: 429, RetryAfter: 7 * time.Second},
		&smile.UnsentError{Cause: &smile.PausedError{RetryAfter: 7 * time.Second}},
	} {
		if wait, ok := smile.ThrottledFor(err); !ok || wait != 7*time.Second {
			t.Errorf("ThrottledFor(%v) = %v, %v", err, wait, ok)
		}
	}
}

// quoting is an error whose text comes from the remote side.
type quoting struct{ error }

func TestClassify(t *testing.T) {
	remote := "CNRY remote text"
	tests := []struct {
		err  error
		want error
	}{
		{context.Canceled, context.Canceled},
		{context.DeadlineExceeded, context.DeadlineExceeded},
		{&net.OpError{Op: remote, Err: syscall.ETIMEDOUT}, context.DeadlineExceeded},
		{&net.DNSError{Err: remote, Name: remote}, smile.FailureNameUnknown},
		{&net.DNSError{Err: remote, Name: remote, IsTimeout: true}, context.DeadlineExceeded},
		{&net.OpError{Op: remote, Err: syscall.ECONNREFUSED}, smile.FailureRefused},
		{&net.OpError{Op: remote, Err: syscall.EHOSTUNREACH}, smile.FailureUnreachable},
		{&net.OpError{Op: remote, Err: syscall.ENETUNREACH}, smile.FailureUnreachable},
		{&net.OpError{Op: remote, Err: syscall.ECONNRESET}, smile.FailureReset},
		{&net.OpError{Op: remote, Err: syscall.EPIPE}, smile.FailureReset},
		{x509.HostnameError{Host: remote, Certificate: &x509.Certificate{DNSNames: []string{remote}}}, smile.FailureCertificate},
		{x509.UnknownAuthorityError{}, smile.FailureCertificate},
		{x509.CertificateInvalidError{Detail: remote}, smile.FailureCertificate},
		{io.EOF, smile.FailureClosed},
		{fmt.Errorf("%s: %w", remote, io.ErrUnexpectedEOF), smile.FailureClosed},
		{net.ErrClosed, smile.FailureClosed},
		{smile.FailureTLS, smile.FailureTLS},
		{errors.New(remote), smile.FailureNetwork},
		{quoting{errors.New(remote)}, smile.FailureNetwork},
	}
	for _, test := range tests {
		for _, err := range []error{test.err, &url.Error{Op: "Get", URL: "https://" + remote, Err: test.err}} {
			got := smile.Classify(err)
			if !errors.Is(got, test.want) {
				t.Errorf("Classify(%v) = %v, want %v", err, got, test.want)
			}
			if strings.Contains(got.Error(), remote) {
				t.Errorf("Classify(%v) quotes the remote text", err)
			}
		}
	}
}

func TestErrorTexts(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{refusal(400, smile.CodeInvalidParameters), "smile: create-user: refused with status 400 INVALID_PARAMETERS"},
		{refusal(502, ""), "smile: create-user: refused with status 502"},
		{refusal(400, "SECRET_IN_CODE"), "smile: create-user: refused with status 400"},
		{&smile.ResponseError{Operation: "get-user", Problem: smile.ProblemNotJSON}, "smile: get-user: unusable answer: not JSON"},
		{&smile.TransportError{Operation: "get-user", Cause: context.DeadlineExceeded}, "smile: get-user: no answer: context deadline exceeded"},
		{&smile.RedirectError{Operation: "get-user"}, "smile: get-user: redirect refused"},
		{&smile.UnsentError{Cause: smile.FailureRefused}, "smile: request not sent: connection refused"},
		{&smile.UnsentError{Cause: &smile.PausedError{RetryAfter: time.Second}}, "smile: request not sent: the API has asked for a pause"},
		{&smile.UnsentError{Cause: &smile.ArgumentError{Argument: "id", Problem: smile.ProblemBadID}}, "smile: request not sent: argument id: an id of the wrong form"},
		{&smile.HostError{Field: "endpoint", Reason: "reason", Remedy: "remedy"}, "endpoint: reason; remedy"},
	}
	for _, test := range tests {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name, value, date string
		want              time.Duration
	}{
		{"absent", "", "", 0},
		{"zero", "0", "", 0},
		{"seconds", "7", "", 7 * time.Second},
		{"blanks", " 7 ", "", 7 * time.Second},
		{"leading zeros", "007", "", 7 * time.Second},
		{"at the cap", "600", "", 10 * time.Minute},
		{"above the cap", "601", "", 10 * time.Minute},
		{"beyond int64", strings.Repeat("9", 400), "", 10 * time.Minute},
		{"negative", "-7", "", 0},
		{"fraction", "1.5", "", 0},
		{"unit", "7s", "", 0},
		{"garbage", "soon", "", 0},
		{"date", "Sun, 01 Mar 2026 12:00:09 GMT", "", 9 * time.Second},
		{"past date", "Sun, 01 Mar 2026 11:59:00 GMT", "", 0},
		{"far date", "Sun, 01 Mar 9999 12:00:00 GMT", "", 10 * time.Minute},
		{"other spelling", "Sunday, 01-Mar-26 12:00:09 GMT", "", 9 * time.Second},
		{"skewed server", "Sun, 01 Mar 2026 15:00:09 GMT", "Sun, 01 Mar 2026 15:00:00 GMT", 9 * time.Second},
		{"garbled server date", "Sun, 01 Mar 2026 12:00:09 GMT", "today", 9 * time.Second},
	}
	for _, test := range tests {
		header := http.Header{"Retry-After": {test.value}, "Date": {test.date}}
		if got := smile.RetryAfter(header, now); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
