package smile_test

import (
	"bytes"
	"io"
	"iter"
	"net/http"
	"net/url"
	"testing"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// doerFunc answers requests in memory.
type doerFunc func(*http.Request) (*http.Response, error)

func (f doerFunc) Do(request *http.Request) (*http.Response, error) { return f(request) }

func clientOf(doer smile.Doer) *smile.Mutator {
	return smile.NewMutator(&url.URL{Scheme: "https", Host: "api.test", Path: "/v1"}, doer)
}

// reply is a JSON answer.
func reply(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"application/json;charset=UTF-8"}},
		Body:       io.NopCloser(bytes.NewReader([]byte(body))),
	}
}

// success wraps data in the envelope.
func success(data string) *http.Response {
	return reply(http.StatusOK, `{"code":"OK","message":"Success","requestId":"r-1","data":`+data+`}`)
}

// script answers the requests in turn, records them, and fails on one too many.
type script struct {
	t        *testing.T
	answers  []func() (*http.Response, error)
	requests []*http.Request
}

func (s *script) Do(request *http.Request) (*http.Response, error) {
	s.requests = append(s.requests, request)
	if len(s.requests) > len(s.answers) {
		s.t.Fatalf("unexpected request %d: %s %s", len(s.requests), request.Method, request.URL)
	}
	return s.answers[len(s.requests)-1]()
}

func scripted(t *testing.T, bodies ...string) *script {
	t.Helper()
	s := &script{t: t}
	for _, body := range bodies {
		s.answers = append(s.answers, func() (*http.Response, error) { return success(body), nil })
	}
	return s
}

// targets are the request lines of what was asked.
func (s *script) targets() []string {
	var lines []string
	for _, request := range s.requests {
		lines = append(lines, request.Method+" "+request.URL.RequestURI())
	}
	return lines
}

// collect drains a listing.
func collect[T any](sequence iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for entry, err := range sequence {
		if err != nil {
			return all, err
		}
		all = append(all, entry)
	}
	return all, nil
}
