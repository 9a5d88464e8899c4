package receiver

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// maxBody is how large an event may be. Ours come without contents.
	maxBody = 256 << 10
	// maxKnown and maxUnknown are how many requests are under way at once, to paths that are known and to others: who
	// knows no path cannot take the place of who does.
	maxKnown   = 64
	maxUnknown = 16
	// queueing is how long a request to a known path waits for a place before it is sent away to be tried again.
	queueing = time.Second
	// answering bounds the handling of a request, from its header on.
	answering = 8 * time.Second

	maxPath = 128
)

// dummy stands in for the secret of a path that is none, so that it takes as long.
var dummy = hook.NewSecret()

// handler takes events. What is not proven costs the API server a listing now and then, however much it is, and nothing
// is acknowledged before it is kept.
type handler struct {
	pairs      pairs
	hints      *hinter
	sources    *sources
	lastEvent  lastEvent
	complaints complaints
	log        logr.Logger
	now        func() time.Time

	known, unknown chan struct{}
}

func newHandler(s *Server, hints *hinter) *handler {
	return &handler{
		hints: hints, log: s.Log, now: s.Now, known: make(chan struct{}, maxKnown), unknown: make(chan struct{}, maxUnknown),
		sources: newSources(s.Now), lastEvent: lastEvent{live: s.Live, now: s.Now}, complaints: complaints{log: s.Log, now: s.Now},
		pairs: pairs{
			cache: s.Cache, live: s.Live, namespaces: s.Namespaces, selector: s.Selector, secrets: output.NewWriter(s.Live), now: s.Now,
			listing: make(chan struct{}, 1), reading: make(chan struct{}, 1),
		},
	}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := h.now()
	o, kind := h.safely(w, r)
	requests.WithLabelValues(string(o)).Inc()
	if o == accepted {
		latency.Observe(h.now().Sub(began).Seconds())
	}
	h.log.V(1).Info("request", "status", o.status(), "outcome", string(o), "event", string(kind),
		"source", sourceOf(r.RemoteAddr).Addr().String(), "duration", h.now().Sub(began).String())
	answer(w, o)
}

// answer keeps the connection only of who has sent an event: nobody else can hold one of the few that there are.
func answer(w http.ResponseWriter, o outcome) {
	status := o.status()
	if status != http.StatusNoContent {
		w.Header().Set("Connection", "close")
		// Otherwise net/http waits for the rest of the body.
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
	}
	if o == methodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	w.WriteHeader(status)
}

// safely makes a panic one more outcome. Nothing of it is logged: it may quote the request.
func (h *handler) safely(w http.ResponseWriter, r *http.Request) (o outcome, kind smile.EventType) {
	defer func() {
		if recover() != nil {
			o, kind = panicked, ""
			h.log.Error(nil, "a request made the receiver panic; what it was is withheld")
		}
	}()
	ctx, cancel := context.WithTimeout(r.Context(), answering)
	defer cancel()
	return h.take(ctx, w, r)
}

func (h *handler) take(ctx context.Context, w http.ResponseWriter, r *http.Request) (outcome, smile.EventType) {
	path, refused := addressed(r)
	if refused != "" {
		return refused, ""
	}
	found, lagging, refused := h.lookUp(ctx, path, r.RemoteAddr)
	if refused != "" {
		return refused, ""
	}
	room, patience := h.known, queueing
	if found.sub == nil {
		room, patience = h.unknown, 0
	}
	if !enter(ctx, room, patience) {
		return overloaded, ""
	}
	defer func() { <-room }()
	body, refused := read(w, r)
	if refused != "" {
		return refused, ""
	}
	o, kind := h.judge(ctx, r, found, path, body)
	if lagging && o == unknownUser { // of a cache that lacks the path it is not believed that it lacks only that
		h.complaints.about(found.sub, nil, "an event was not acknowledged: the cache lags behind and does not show whom it is about")
		o = unavailable
	}
	return o, kind
}

const cannotList = "a request was not acknowledged: the subscriptions cannot be listed"

// lookUp finds the registration of a path, if it is one; lagging is whether the cache did not show it.
func (h *handler) lookUp(ctx context.Context, path, source string) (found registered, lagging bool, refused outcome) {
	came := h.now()
	found, known, err := h.pairs.find(ctx, path)
	switch {
	case err != nil:
		h.complaints.about(nil, err, cannotList)
		return registered{}, false, unavailable
	case found.sub != nil:
		return found, false, ""
	case !known && !h.sources.spend(source):
		return registered{}, true, rateLimited
	}
	if found, err = h.pairs.confirm(ctx, path, came); err != nil {
		h.complaints.about(nil, err, cannotList)
		return registered{}, true, unavailable
	}
	return found, true, ""
}

// enter takes a place, and waits for one no longer than patience.
func enter(ctx context.Context, room chan struct{}, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return occupy(ctx, room) == nil
}

// occupy takes a place, and waits for one no longer than ctx.
func occupy(ctx context.Context, room chan struct{}) error {
	select {
	case room <- struct{}{}:
		return nil
	default:
	}
	select {
	case room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// addressed gives the path of a request that may be an event.
func addressed(r *http.Request) (path string, refused outcome) {
	at := strings.LastIndex(r.URL.Path, hook.Prefix) // the base URL may have a path that no ingress takes away
	if at < 0 {
		return "", notFound
	}
	path = r.URL.Path[at+len(hook.Prefix):]
	switch {
	case path == "" || len(path) > maxPath:
		return "", notFound
	case r.Method != http.MethodPost:
		return "", methodNotAllowed
	case !isJSON(r.Header):
		return "", unsupportedMediaType
	}
	return path, ""
}

func isJSON(header http.Header) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && kind == "application/json" && header.Get("Content-Encoding") == ""
}

// read reads the body, whose time is bounded by the server.
func read(w http.ResponseWriter, r *http.Request) ([]byte, outcome) {
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooLarge
	case err != nil:
		return nil, incomplete
	}
	return body, ""
}

// judge proves an event and keeps it. For a path that is none it does the same work, in vain.
func (h *handler) judge(ctx context.Context, r *http.Request, found registered, path string, body []byte) (outcome, smile.EventType) {
	secret := dummy
	if found.sub != nil {
		var err error
		if secret, err = h.pairs.secret(ctx, found, path); err != nil {
			h.complaints.about(found.sub, err, "a request was not acknowledged: the pair of path and secret cannot be read")
			return unavailable, ""
		}
	}
	signature, ok := smile.ParseSignature(r.Header.Values(smile.SignatureHeader))
	if proven := signature.Proves(body, secret); !proven || !ok || found.sub == nil {
		return unauthorized, ""
	}
	event, err := smile.ParseEvent(body)
	if err != nil { // in fixed words
		h.complaints.about(found.sub, err, "a genuine event was refused: it cannot be read")
		return unreadable, ""
	}
	return h.keep(ctx, found.sub, event), event.Type
}

// keep stores what an event calls for.
func (h *handler) keep(ctx context.Context, sub *v1alpha1.SmileWebhookSubscription, event smile.Event) outcome {
	if event.UserID == "" {
		h.lastEvent.tell(ctx, sub)
		return noUser
	}
	hinted, err := h.hints.hint(ctx, sub, event)
	if err != nil {
		h.complaints.about(sub, err, "an event could not be kept and was not acknowledged")
		return unavailable
	}
	h.lastEvent.tell(ctx, sub)
	if hinted == 0 {
		return unknownUser
	}
	return accepted
}
