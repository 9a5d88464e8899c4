package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// maxControlBody bounds the bodies of the control API, in bytes.
const maxControlBody = 4 << 20

// controlRoutes serves the control API. Its responses are plain JSON without an
// envelope. Errors are {"error": ...}.
func (s *Sandbox) controlRoutes(r chi.Router) {
	r.Get("/openapi.yaml", serveDescription)
	r.Get("/healthz", answering(func(*http.Request) (any, error) { return health{"ok"}, s.disk.Flush() }))
	r.Get("/stats", answering(func(*http.Request) (any, error) { return s.Stats(), nil }))
	r.Get("/journal", s.serveJournal)
	r.Get("/deliveries", s.serveDeliveries)
	r.Get("/deliveries/faults", answering(func(*http.Request) (any, error) { return s.DeliveryFaults(), nil }))
	r.Put("/deliveries/faults", reading(func(_ *http.Request, body []delivery.Fault) (any, error) {
		if err := s.SetDeliveryFaults(body); err != nil {
			return nil, err
		}
		return s.DeliveryFaults(), nil
	}))
	s.inspectorRoutes(r)
	r.Get("/canaries", answering(func(*http.Request) (any, error) { return s.Canaries(), nil }))
	r.Get("/clock", answering(func(*http.Request) (any, error) { return s.clockState(), nil }))
	r.Post("/clock", reading(func(_ *http.Request, body clockChange) (any, error) {
		if err := s.Advance(time.Duration(body.Advance)); err != nil {
			return nil, err
		}
		return s.clockState(), nil
	}))
	r.Get("/faults", answering(func(*http.Request) (any, error) { return s.Faults(), nil }))
	r.Put("/faults", reading(func(_ *http.Request, body []Fault) (any, error) {
		if err := s.SetFaults(body); err != nil {
			return nil, err
		}
		return s.Faults(), nil
	}))
	r.Post("/link", reading(func(_ *http.Request, body LinkRequest) (any, error) { return s.Link(body) }))
	r.Post("/accounts/{id}/disconnect", answering(func(r *http.Request) (any, error) { return s.Disconnect(chi.URLParam(r, "id")) }))
	r.Post("/accounts/{id}/fail", reading(func(r *http.Request, body failure) (any, error) {
		return s.Fail(chi.URLParam(r, "id"), body.ErrorCode)
	}))
	r.Post("/accounts/{id}/resync", answering(func(r *http.Request) (any, error) { return s.Resync(chi.URLParam(r, "id")) }))
	r.Post("/seed", reading(func(_ *http.Request, body SeedRequest) (any, error) {
		if err := s.Seed(body); err != nil {
			return nil, err
		}
		return s.Stats(), nil
	}))
	r.Post("/reset", answering(func(*http.Request) (any, error) { s.Reset(); return s.Stats(), nil }))
	s.peopleRoutes(r)
	s.pageRoutes(r)
	r.NotFound(answering(func(r *http.Request) (any, error) { return nil, notFound("path", r.URL.Path) }))
	r.MethodNotAllowed(answering(func(r *http.Request) (any, error) {
		return nil, &ControlError{http.StatusMethodNotAllowed, "method " + r.Method + " is not for this path"}
	}))
}

// health is the state of the sandbox: it serves, and can write its data.
type health struct {
	Status string `json:"status"`
}

type clockState struct {
	Now time.Time `json:"now"`
}

func (s *Sandbox) clockState() clockState { return clockState{s.Now()} }

type clockChange struct {
	Advance span `json:"advance"`
}

// span is a duration that is written as 1h30m.
type span time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (s *span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = span(d)
	return err
}

type failure struct {
	ErrorCode string `json:"errorCode"`
}

func answering(how func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := how(r)
		status := http.StatusOK
		if err != nil {
			var text string
			status, text = problemOf(err)
			answer = map[string]string{"error": text}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(append(homed(wire.Encode(answer), r), '\n')) //nolint:gosec // JSON, which no browser may take for anything else
	}
}

// reading decodes the body first. Unknown fields are errors, because a test
// with a mistyped fault would test nothing.
func reading[T any](how func(*http.Request, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
		answering(func(r *http.Request) (any, error) {
			var body T
			decoder := json.NewDecoder(r.Body)
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&body); err != nil {
				return nil, invalid("the body cannot be read: %v", err)
			}
			return how(r, body)
		})(w, r)
	}
}

// serveJournal writes the calls after ?since=N, one JSON object per line.
func (s *Sandbox) serveJournal(w http.ResponseWriter, r *http.Request) {
	serveLines(w, r, s.Journal)
}

// serveDeliveries writes the deliveries after ?since=N, one JSON object per
// line.
func (s *Sandbox) serveDeliveries(w http.ResponseWriter, r *http.Request) {
	serveLines(w, r, s.Deliveries)
}

func serveLines[T any](w http.ResponseWriter, r *http.Request, entries func(since int) []T) {
	since := 0
	if text := r.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = strconv.Atoi(text); err != nil {
			answering(func(*http.Request) (any, error) { return nil, invalid("since must be a sequence number") })(w, r)
			return
		}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	var lines bytes.Buffer
	for _, entry := range entries(since) {
		lines.Write(append(wire.Encode(entry), '\n'))
	}
	_, _ = w.Write(lines.Bytes())
}
