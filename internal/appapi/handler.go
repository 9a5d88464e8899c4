package appapi

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/smile-operator/smile-operator/internal/ratelimit"
)

// failuresPerSecond is how many unauthenticated requests a source may make in a second, and failureBurst how many at once: each
// may cost a token review.
const failuresPerSecond, failureBurst = 10, 100

// Gate decides who may call.
type Gate interface {
	// Authenticate returns the caller that a token identifies; nil if the token is not valid. An error means that the token could
	// not be checked.
	Authenticate(ctx context.Context, token string) (Caller, error)
	// Authorize reports whether a caller that Authenticate returned may do something.
	Authorize(ctx context.Context, caller Caller, access Access) (bool, error)
}

// People carries out the calls. Its errors are a *Problem with one of the operation's reasons, or unexpected.
type People interface {
	// CreateLinkToken mints a link token of the user that the SmileUser of the call stands for.
	CreateLinkToken(ctx context.Context, call *Call) (LinkToken, error)
}

// Links makes links to the hosted page. Errors are as those of People.
type Links interface {
	// CreateLink makes a link for the user that the SmileUser of the call stands for.
	CreateLink(ctx context.Context, call *Call) (Link, error)
}

// Relay passes calls on to another process if that process must answer them.
type Relay interface {
	// Relay returns the other process's answer; nil if this process must answer.
	Relay(ctx context.Context, request Request) (*Answer, error)
}

// Request is a call as it is passed on.
type Request struct {
	Call *Call
	// Bearer is the caller's token.
	Bearer Secret
	// Body of the request; empty when it had none.
	Body []byte
	// Relayed is true if another process has passed the call on to this one.
	Relayed bool
}

// Answer is the response to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Record is what is known of a call once it is answered.
type Record struct {
	Call *Call
	// Reason is why the call failed; empty when it succeeded.
	Reason Reason
	// Relayed is true if another process answered, which has a record of its own.
	Relayed bool
	// Duration from the request's header to the response.
	Duration time.Duration
}

// Succeeded is the outcome of a successful call, in metrics.
const Succeeded = "Succeeded"

// Config is what the API needs.
type Config struct {
	Gate   Gate
	People People
	// Links to the hosted page; nil if none is served.
	Links Links
	// Relay of calls; none when nil.
	Relay Relay
	// Audit gets a record of each call, refused ones included, before the call is answered.
	Audit func(Record)
	// Observe gets the operation and outcome (Succeeded or a Reason) of each request, for metrics. The operation is
	// empty for requests that are no call.
	Observe func(operation, outcome string, took time.Duration)
	// Failed gets the unexpected errors of calls, for the log.
	Failed func(call *Call, err error)
	// Now is the time.
	Now func() time.Time
}

// handler serves the API.
type handler struct {
	Config
	callers, failures *ratelimit.Limiter
	proven            *provenTokens
	router            *chi.Mux
}

// NewHandler makes the handler that serves the API.
func NewHandler(config Config) http.Handler {
	h := &handler{
		Config:   config,
		callers:  ratelimit.New(CallsPerSecond, burst, config.Now),
		failures: ratelimit.New(failuresPerSecond, failureBurst, config.Now),
		proven:   newProvenTokens(),
		router:   chi.NewRouter(),
	}
	for _, operation := range Operations {
		h.router.Method(operation.Method, operation.Pattern, h.serve(operation))
	}
	h.router.Get(DocumentPath, h.serveDocument)
	h.router.NotFound(func(w http.ResponseWriter, _ *http.Request) { h.refuse(w, ReasonNotFound) })
	h.router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", h.allowed(r))
		h.refuse(w, ReasonMethodNotAllowed)
	})
	return h.router
}

// allowed lists the methods that the path of a request takes.
func (h *handler) allowed(r *http.Request) string {
	var methods []string
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodPost, http.MethodPut} {
		if h.router.Match(chi.NewRouteContext(), method, r.URL.EscapedPath()) {
			methods = append(methods, method)
		}
	}
	return strings.Join(methods, ", ")
}

// refuse answers a request that matches no operation.
func (h *handler) refuse(w http.ResponseWriter, reason Reason) {
	began := h.Now()
	write(w, NewProblem(reason).answer(rand.Text(), began))
	h.Observe("", string(reason), h.Now().Sub(began))
}

// serve answers the calls of an operation.
func (h *handler) serve(operation *Operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := h.Now()
		ctx, cancel := context.WithTimeout(r.Context(), Deadline)
		defer cancel()
		call := &Call{ID: rand.Text(), Operation: operation}
		answer, relayed, err := h.guarded(ctx, call, r)
		record := Record{Call: call, Relayed: relayed}
		if err != nil {
			problem := h.final(ctx, call, err)
			record.Reason = problem.Reason
			answer = problem.answer(call.ID, h.Now())
		}
		record.Duration = h.Now().Sub(began)
		h.Audit(record)
		outcome := Succeeded
		if record.Reason != "" {
			outcome = string(record.Reason)
		}
		if relayed {
			outcome = "Relayed"
		}
		h.Observe(operation.Name, outcome, record.Duration)
		answer.Header.Set(HeaderCallID, call.ID)
		write(w, answer)
	}
}

// final is the problem that a failed call is answered with. Any failure after the deadline is DeadlineExceeded.
func (h *handler) final(ctx context.Context, call *Call, err error) *Problem {
	problem := problemOf(err)
	if problem.Reason == ReasonInternalError && ctx.Err() != nil {
		return NewProblem(ReasonDeadlineExceeded)
	}
	if problem.Reason == ReasonInternalError || problem.Reason == ReasonAccessReviewFailed {
		h.Failed(call, problem.Err)
	}
	return problem
}

func write(w http.ResponseWriter, answer *Answer) {
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) //nolint:gosec // JSON, which no browser may take for anything else
}
