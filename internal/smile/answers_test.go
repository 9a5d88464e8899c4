package smile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// always returns the same response to every request.
func always(answer func() (*http.Response, error)) smile.Doer {
	return doerFunc(func(*http.Request) (*http.Response, error) { return answer() })
}

func answering(response func() *http.Response) smile.Doer {
	return always(func() (*http.Response, error) { return response(), nil })
}

func typed(status int, contentType, body string) func() *http.Response {
	return func() *http.Response {
		response := reply(status, body)
		response.Header.Set("Content-Type", contentType)
		return response
	}
}

// breaking is a body that ends with an error.
func breaking(text string, err error) func() *http.Response {
	return func() *http.Response {
		response := reply(http.StatusOK, "")
		response.Body = io.NopCloser(io.MultiReader(strings.NewReader(text), failingReader{err}))
		return response
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

const goldenUser = `{"code":"OK","message":"Success","requestId":"r-1","data":` + userJSON + `}`

func TestUnusableAnswers(t *testing.T) {
	const mediaType = "application/json"
	tests := []struct {
		name   string
		answer func() *http.Response
		want   smile.Problem
	}{
		{"HTML", typed(200, "text/html", "<html>CNRY</html>"), smile.ProblemContentType},
		{"HTML called JSON", typed(200, mediaType, "<html>CNRY</html>"), smile.ProblemNotJSON},
		{"JSON called HTML", typed(200, "text/html", goldenUser), smile.ProblemContentType},
		{"no content type", typed(200, "", goldenUser), smile.ProblemContentType},
		{"garbled content type", typed(200, "application/json; =", goldenUser), smile.ProblemContentType},
		{"related content type", typed(200, "application/json-seq", goldenUser), smile.ProblemContentType},
		{"empty", typed(201, mediaType, ""), smile.ProblemEmpty},
		{"blank", typed(201, mediaType, " \n"), smile.ProblemEmpty},
		{"no content", typed(204, mediaType, ""), "missing field data"},
		{"null", typed(200, mediaType, "null"), "missing field data"},
		{"array", typed(200, mediaType, "[]"), smile.ProblemWrongType},
		{"no envelope", typed(200, mediaType, userJSON), "missing field data"},
		{"null data", typed(200, mediaType, `{"code":"OK","data":null}`), "missing field data"},
		{"the same key twice", typed(200, mediaType, `{"data":{"id":"t-1","id":"t-2"}}`), smile.ProblemDuplicateKey},
		{"two envelopes", typed(200, mediaType, goldenUser+goldenUser), smile.ProblemNotJSON},
		{"nested deeply", typed(200, mediaType, strings.Repeat(`{"data":`, 1000)), smile.ProblemTooDeep},
		{"cut by the connection", breaking(goldenUser[:40], io.ErrUnexpectedEOF), smile.ProblemTruncated},
		{"cut after its end", breaking(goldenUser, io.ErrUnexpectedEOF), smile.ProblemTruncated},
		{"too large", breaking(goldenUser, smile.ProblemTooLarge), smile.ProblemTooLarge},
		{"badly compressed", breaking("", smile.ProblemEncoding), smile.ProblemEncoding},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for call, makeCall := range map[string]func(*testing.T, *smile.Mutator) error{"get-user": getUser, "create-user": createUser} {
				err := makeCall(t, clientOf(answering(test.answer)))
				var got *smile.ResponseError
				if !errors.As(err, &got) || got.Operation != call || got.Problem != test.want {
					t.Errorf("%s: got %v, want %s", call, err, test.want)
				}
				if smile.NotCreated(err) {
					t.Errorf("%s: the outcome of the call counts as known", call)
				}
			}
		})
	}
}

// TestTruncatedAtEveryByte truncates a valid response at every byte.
func TestTruncatedAtEveryByte(t *testing.T) {
	created := `{"code":"OK","message":"Success","requestId":"r-1","data":{"user":` + userJSON + `,"token":` + tokenJSON + `}}`
	for cut := range created {
		err := createUser(t, clientOf(answering(typed(201, "application/json", created[:cut]))))
		want := smile.ProblemTruncated
		if cut == 0 {
			want = smile.ProblemEmpty
		}
		if !errors.Is(err, want) || smile.NotCreated(err) {
			t.Errorf("cut at byte %d: %v, want %s", cut, err, want)
		}
	}
	if err := createUser(t, clientOf(answering(typed(201, "application/json", created)))); err != nil {
		t.Errorf("uncut: %v", err)
	}
}

func TestAnySuccessIsGood(t *testing.T) {
	for _, answer := range []func() *http.Response{
		typed(200, "application/json", goldenUser),
		typed(201, "application/json; charset=utf-8", goldenUser),
		typed(202, "Application/JSON", goldenUser),
		typed(299, "application/json", `{"code":"SERVER_ERROR","message":7,"requestId":[],"data":`+userJSON+`}`),
		typed(200, "application/json", "\ufeff"[:0]+" "+goldenUser+"\n"),
	} {
		if err := getUser(t, clientOf(answering(answer))); err != nil {
			t.Errorf("%+v: %v", answer(), err)
		}
	}
	if err := revokeAccount(t, clientOf(answering(typed(204, "", "")))); err != nil {
		t.Errorf("204 without a body: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	envelope := `{"code":"INVALID_PARAMETERS","message":"CNRY","requestId":"5b79399a-6852","data":{"field":"CNRY"}}`
	tests := []struct {
		name string
		body string
		want smile.APIError
	}{
		{"envelope", envelope, smile.APIError{Code: smile.CodeInvalidParameters, RequestID: "5b79399a-6852"}},
		{"without request id", `{"code":"INVALID_PARAMETERS"}`, smile.APIError{Code: smile.CodeInvalidParameters}},
		{"with bad request id", `{"code":"INVALID_PARAMETERS","requestId":"CNRY text"}`, smile.APIError{Code: smile.CodeInvalidParameters}},
		{"new code", `{"code":"NEW_CODE"}`, smile.APIError{Code: "NEW_CODE"}},
		{"text as code", `{"code":"CNRY: text"}`, smile.APIError{Code: smile.Unrecognized}},
		{"number as code", `{"code":7,"requestId":"r"}`, smile.APIError{Code: smile.Unrecognized, RequestID: "r"}},
		{"HTML", "<html>CNRY</html>", smile.APIError{}},
		{"empty", "", smile.APIError{}},
		{"array", `["CNRY"]`, smile.APIError{}},
		{"truncated", envelope[:30], smile.APIError{}},
	}
	for _, test := range tests {
		for _, status := range []int{400, 401, 403, 404, 415, 418, 429, 500, 501, 599, 999} {
			err := createUser(t, clientOf(answering(typed(status, "text/plain", test.body))))
			want := test.want
			want.Operation, want.StatusCode = "create-user", status
			var got *smile.APIError
			if !errors.As(err, &got) {
				t.Errorf("%s %d: %v", test.name, status, err)
				continue
			}
			if diff := cmp.Diff(want, *got); diff != "" {
				t.Errorf("%s %d (-want +got):\n%s", test.name, status, diff)
			}
		}
	}
}

// TestRefusalsBelieveTheStatus shows that the status counts even if the body is
// incomplete.
func TestRefusalsBelieveTheStatus(t *testing.T) {
	answer := func() *http.Response {
		response := breaking(`{"co`, syscall.ECONNRESET)()
		response.StatusCode = http.StatusTooManyRequests
		response.Header.Set("Retry-After", "3")
		return response
	}
	err := createUser(t, clientOf(answering(answer)))
	if wait, ok := smile.ThrottledFor(err); !ok || wait != 3*time.Second || !smile.NotCreated(err) {
		t.Errorf("%v: throttled for %v, %v", err, wait, ok)
	}
}

func TestRedirectsAreRefused(t *testing.T) {
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308, 399} {
		answer := func() *http.Response {
			response := reply(status, goldenUser)
			response.Header.Set("Location", "https://CNRY.test/")
			return response
		}
		for _, call := range []func(*testing.T, *smile.Mutator) error{getUser, createUser} {
			err := call(t, clientOf(answering(answer)))
			var redirect *smile.RedirectError
			if !errors.As(err, &redirect) || smile.NotCreated(err) {
				t.Errorf("%d: %v", status, err)
			}
		}
	}
}

func TestLostAnswers(t *testing.T) {
	tests := []struct {
		err  error
		want error
	}{
		{context.DeadlineExceeded, context.DeadlineExceeded},
		{context.Canceled, context.Canceled},
		{syscall.ECONNRESET, smile.FailureReset},
		{io.EOF, smile.FailureClosed},
		{errors.New("CNRY"), smile.FailureNetwork},
	}
	for _, test := range tests {
		doers := map[string]smile.Doer{
			"no answer":   always(func() (*http.Response, error) { return nil, fmt.Errorf("CNRY: %w", test.err) }),
			"half a body": answering(breaking(goldenUser[:20], fmt.Errorf("CNRY: %w", test.err))),
		}
		for name, doer := range doers {
			err := createUser(t, clientOf(doer))
			var lost *smile.TransportError
			if errors.Is(test.err, io.EOF) && name == "half a body" {
				continue // an ordinary end
			}
			if !errors.As(err, &lost) || !errors.Is(err, test.want) || smile.NotCreated(err) {
				t.Errorf("%s, %v: got %v", name, test.err, err)
			}
			if strings.Contains(err.Error(), "CNRY") {
				t.Errorf("%s, %v: quotes %v", name, test.err, err)
			}
		}
	}
}

// TestSecondTries counts the calls while all responses are unusable.
func TestSecondTries(t *testing.T) {
	status := func(code int, retryAfter string) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			response := reply(code, `{}`)
			response.Header.Set("Retry-After", retryAfter)
			return response, nil
		}
	}
	failure := func(err error) func() (*http.Response, error) {
		return func() (*http.Response, error) { return nil, err }
	}
	tests := []struct {
		name   string
		answer func() (*http.Response, error)
		reads  int
	}{
		{"reset", failure(syscall.ECONNRESET), 2},
		{"closed", failure(io.EOF), 2},
		{"truncated", func() (*http.Response, error) { return typed(200, "application/json", goldenUser[:30])(), nil }, 2},
		{"502", status(502, ""), 2},
		{"503", status(503, ""), 2},
		{"504", status(504, ""), 2},
		{"503 with a wish", status(503, "5"), 1},
		{"500", status(500, ""), 1},
		{"429", status(429, ""), 1},
		{"400", status(400, ""), 1},
		{"404", status(404, ""), 1},
		{"redirect", status(302, ""), 1},
		{"HTML", func() (*http.Response, error) { return typed(200, "text/html", "x")(), nil }, 1},
		{"timeout", failure(context.DeadlineExceeded), 1},
		{"canceled", failure(context.Canceled), 1},
		{"unsent", failure(&smile.UnsentError{Cause: smile.FailureRefused}), 1},
		{"refused host", failure(&smile.HostError{}), 1},
	}
	for _, test := range tests {
		count := 0
		doer := doerFunc(func(*http.Request) (*http.Response, error) { count++; return test.answer() })
		for _, call := range []struct {
			make func(*testing.T, *smile.Mutator) error
			want int
		}{{getUser, test.reads}, {listAccounts, test.reads}, {createUser, 1}, {createToken, 1}, {revokeAccount, 1}} {
			count = 0
			if err := call.make(t, clientOf(doer)); err == nil || count != call.want {
				t.Errorf("%s: %d calls, want %d (%v)", test.name, count, call.want, err)
			}
		}
	}
}

func TestSecondTrySucceeds(t *testing.T) {
	doer := &script{t: t, answers: []func() (*http.Response, error){
		func() (*http.Response, error) { return nil, syscall.ECONNRESET },
		func() (*http.Response, error) { return success(userJSON), nil },
	}}
	if err := getUser(t, clientOf(doer)); err != nil {
		t.Error(err)
	}
}

func TestNoSecondTryAfterCancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	count := 0
	doer := doerFunc(func(*http.Request) (*http.Response, error) {
		count++
		cancel()
		return nil, syscall.ECONNRESET
	})
	if _, err := clientOf(doer).User(ctx, "t-1"); err == nil || count != 1 {
		t.Errorf("%d calls, %v", count, err)
	}
}

func TestObserved(t *testing.T) {
	closed := errors.New("the connection's keys are known to be wrong")
	var seen []error
	refusing := clientOf(answering(typed(401, "application/json", `{"code":"INVALID_TOKEN"}`)))
	client := refusing.Observed(func(ctx context.Context, err error) error {
		if ctx != t.Context() {
			t.Error("the context is not that of the caller")
		}
		seen = append(seen, err)
		return closed
	})
	for _, call := range []func(*testing.T, *smile.Mutator) error{getUser, createUser, listAccounts, revokeAccount} {
		if err := call(t, client); !errors.Is(err, closed) {
			t.Errorf("got %v", err)
		}
		if err := call(t, refusing); !smile.IsDenied(err) {
			t.Errorf("without Observed: %v", err)
		}
	}
	if len(seen) != 4 || !smile.IsDenied(seen[0]) {
		t.Errorf("observed %v", seen)
	}
	seen = nil
	if err := getUser(t, clientOf(scripted(t, userJSON)).Observed(func(_ context.Context, err error) error { seen = append(seen, err); return err })); err != nil || seen != nil {
		t.Errorf("a success: %v, observed %v", err, seen)
	}
}

func TestChecks(t *testing.T) {
	first, last := errors.New("added first"), errors.New("added last")
	ctx := smile.WithCheck(t.Context(), func() error { return first })
	if err := smile.Check(ctx); !errors.Is(err, first) {
		t.Errorf("one check: %v", err)
	}
	if err := smile.Check(smile.WithCheck(ctx, func() error { return last })); !errors.Is(err, last) {
		t.Errorf("two checks that fail: %v", err)
	}
	if err := smile.Check(smile.WithCheck(ctx, func() error { return nil })); !errors.Is(err, first) {
		t.Errorf("two checks, of which the first fails: %v", err)
	}
	if err := smile.Check(t.Context()); err != nil {
		t.Errorf("without a check: %v", err)
	}
}
