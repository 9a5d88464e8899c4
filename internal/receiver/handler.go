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
	"github.com/smile-operator/smile-operator/internal/ratelimit"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	// maxBody is how large an event may be. Ours have no payload.
	maxBody = 256 << 10
	// maxRegistered and maxUnregistered are how many requests are processed at once, to registered paths and to others. Requests
	// to other paths cannot take the places of the first.
	maxRegistered   = 64
	maxUnregistered = 16
	// slotWait is how long a request to a registered path waits for a place. Then it is refused, so that Smile sends it again.
	slotWait = time.Second
	// requestTimeout limits the processing of a request, after its header was read.
	requestTimeout = 8 * time.Second

	maxPath = 128
)

// dummySecret is used for a path that is not registered, so that verification takes as long as for one that is.
var dummySecret = hook.NewSecret()

// handler accepts events. No event is acknowledged before its hint is stored. Forged events cost the API server only a listing
// from time to time, however many there are.
type handler struct {
	pairs     pairs
	hints     *hinter
	sources   sources
	lastEvent lastEvent
	errors    errorLog
	log       logr.Logger
	now       func() time.Time
	slots     slots
}

// slots are the places for requests that are being processed.
type slots struct{ registered, unregistered chan struct{} }

func newHandler(s *Server, hints *hinter) *handler {
	return &handler{
		pairs: pairs{
			cache: s.Cache, lister: lister{live: s.Live, namespaces: s.Namespaces, selector: s.Selector},
			outputs: output.NewWriter(s.Live), now: s.Now,
			listing: make(chan struct{}, 1), reading: make(chan struct{}, 1),
		},
		hints: hints, sources: newSources(s.Now), lastEvent: lastEvent{live: s.Live, now: s.Now},
		errors: errorLog{log: s.Log, now: s.Now}, log: s.Log, now: s.Now,
		slots: slots{registered: make(chan struct{}, maxRegistered), unregistered: make(chan struct{}, maxUnregistered)},
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
		"source", ratelimit.SourceOf(r.RemoteAddr).Addr().String(), "duration", h.now().Sub(began).String())
	respond(w, o)
}

// respond keeps the connection open only after a genuine event. So no other client can hold one of the few connections.
func respond(w http.ResponseWriter, o outcome) {
	status := o.status()
	if status != http.StatusNoContent {
		w.Header().Set("Connection", "close")
		// Without this, net/http waits for the rest of the body.
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
	}
	if o == methodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	w.WriteHeader(status)
}

// safely turns a panic into an outcome. The value of the panic is not logged, because it may quote the request.
func (h *handler) safely(w http.ResponseWriter, r *http.Request) (o outcome, kind smile.EventType) {
	defer func() {
		if recover() != nil {
			o, kind = panicked, ""
			h.log.Error(nil, "the receiver panicked while it handled a request; the value of the panic is not logged")
		}
	}()
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	return h.handle(ctx, w, r)
}

func (h *handler) handle(ctx context.Context, w http.ResponseWriter, r *http.Request) (outcome, smile.EventType) {
	path, refused := pathOf(r)
	if refused != "" {
		return refused, ""
	}
	found, lagging, refused := h.findPath(ctx, path, r.RemoteAddr)
	if refused != "" {
		return refused, ""
	}
	room, wait := h.slots.registered, slotWait
	if found.sub == nil {
		room, wait = h.slots.unregistered, 0
	}
	if !acquireWithin(ctx, room, wait) {
		return overloaded, ""
	}
	defer func() { <-room }()
	body, refused := read(w, r)
	if refused != "" {
		return refused, ""
	}
	o, kind := h.verify(ctx, r, found, path, body)
	if lagging && o == unknownUser { // a cache that lacks the path may lack the user too
		h.errors.report(found.sub, nil, "an event was not acknowledged: the cache lags and does not show the user")
		o = unavailable
	}
	return o, kind
}

const cannotList = "a request was not acknowledged: the subscriptions cannot be listed"

// findPath returns the registration of a path, if there is one; lagging is whether the cache did not show it.
func (h *handler) findPath(ctx context.Context, path, source string) (found registered, lagging bool, refused outcome) {
	arrived := h.now()
	found, listed, err := h.pairs.find(ctx, path)
	switch {
	case err != nil:
		h.errors.report(nil, err, cannotList)
		return registered{}, false, unavailable
	case found.sub != nil:
		return found, false, ""
	case !listed && !h.sources.spend(source):
		return registered{}, true, rateLimited
	}
	if found, err = h.pairs.confirm(ctx, path, arrived); err != nil {
		h.errors.report(nil, err, cannotList)
		return registered{}, true, unavailable
	}
	return found, true, ""
}

// acquireWithin takes a place, and waits for one for a limited time.
func acquireWithin(ctx context.Context, room chan struct{}, wait time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return acquire(ctx, room) == nil
}

// acquire takes a place, and waits for one until ctx ends.
func acquire(ctx context.Context, room chan struct{}) error {
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

// pathOf returns the path of a request that may be an event.
func pathOf(r *http.Request) (path string, refused outcome) {
	at := strings.LastIndex(r.URL.Path, hook.Prefix) // the base URL may have a path that the ingress does not remove
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

// read reads the body. The server limits the time for that.
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

// verify verifies an event and stores its hint. For a path that is not registered it does the same work, without effect.
func (h *handler) verify(
	ctx context.Context, r *http.Request, found registered, path string, body []byte,
) (outcome, smile.EventType) {
	secret := dummySecret
	if found.sub != nil {
		var err error
		if secret, err = h.pairs.secret(ctx, found, path); err != nil {
			h.errors.report(found.sub, err, "a request was not acknowledged: the pair of path and secret cannot be read")
			return unavailable, ""
		}
	}
	signature, ok := smile.ParseSignature(r.Header.Values(smile.SignatureHeader))
	if proven := signature.Proves(body, secret); !proven || !ok || found.sub == nil {
		return unauthorized, ""
	}
	event, err := smile.ParseEvent(body)
	if err != nil { // the error quotes nothing
		h.errors.report(found.sub, err, "a genuine event was refused: it cannot be read")
		return unreadable, ""
	}
	return h.store(ctx, found.sub, event), event.Type
}

// store stores the hint of an event.
func (h *handler) store(ctx context.Context, sub *v1alpha1.SmileWebhookSubscription, event smile.Event) outcome {
	if event.UserID == "" {
		h.lastEvent.record(ctx, sub)
		return noUser
	}
	hinted, err := h.hints.hint(ctx, sub, event)
	if err != nil {
		h.errors.report(sub, err, "an event could not be stored and was not acknowledged")
		return unavailable
	}
	h.lastEvent.record(ctx, sub)
	if hinted == 0 {
		return unknownUser
	}
	return accepted
}
