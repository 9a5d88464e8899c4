package server

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/smile-operator/smile-operator/internal/sandbox/bodies"
	"github.com/smile-operator/smile-operator/internal/sandbox/traffic"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
)

// maxBody bounds a request body, in bytes, unless the operation has another
// bound.
const maxBody = 1 << 20

// call is one request to the Open API or the Link API.
type call struct {
	box     *Sandbox
	op      *operation
	request *http.Request
	arrived time.Time // on the sandbox clock
	now     time.Time // when it is handled, which a fault may delay
	source  string

	body    []byte
	bodyErr error

	tenant  *tenant
	link    tokenClaims // of calls to the Link API
	query   url.Values
	filters url.Values
	paging  paging

	userID    string // the user that the call is about, for the journal
	committed bool   // it has changed state
}

// serve is the handler of an operation.
func (s *Sandbox) serve(op *operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{box: s, op: op, request: r, arrived: s.clock.Now(), source: sourceOf(r), query: r.URL.Query()}
		c.readBody(w)
		if !op.link {
			s.meter.Observe()
		}
		if !op.link && !s.limiter.Allow(c.source) {
			c.finish(w, c.render(refuse(http.StatusTooManyRequests, "Too many calls from this address.")), 0)
			return
		}
		c.applyFaults(w, s.faults.next(op.id))
	}
}

// readBody reads the body, unless the header announces one that is too large.
func (c *call) readBody(w http.ResponseWriter) {
	limit := cmp.Or(c.op.maxBody, maxBody)
	if c.request.ContentLength > limit {
		w.Header().Set("Connection", "close")
		c.bodyErr = &http.MaxBytesError{Limit: limit}
		return
	}
	c.body, c.bodyErr = io.ReadAll(http.MaxBytesReader(w, c.request.Body, limit))
}

// applyFaults answers the call, changed by the faults.
func (c *call) applyFaults(w http.ResponseWriter, plan effects) {
	if !c.box.pause(plan.before.delay) {
		c.finish(w, cutOff(), 0)
		return
	}
	if act := plan.before.action; act != nil {
		c.finish(w, act.apply(c, c.render(reply{c.op.success(), "OK", "Success", struct{}{}})), plan.after.delay)
		return
	}
	answer := c.render(c.persisted(c.answer()))
	if act := plan.after.action; act != nil {
		answer = act.apply(c, answer)
	}
	c.finish(w, answer, plan.after.delay)
}

// render encodes a reply for the caller.
func (c *call) render(answer reply) response {
	made := c.box.render(answer)
	made.body = homed(made.body, c.request)
	made.length = len(made.body)
	return made
}

// finish writes the journal and the statistics, and sends the response after a
// delay.
func (c *call) finish(w http.ResponseWriter, answer response, delay time.Duration) {
	entry := c.box.journal.Add(c.entry(answer.sentStatus()))
	if !c.box.pause(delay) || c.request.Context().Err() != nil {
		answer = cutOff()
	}
	if answer.sentStatus() == 0 {
		c.box.journal.Cut(entry)
	}
	c.keep(entry, answer)
	c.box.stats.Count(c.op.id, answer.sentStatus())
	answer.send(c.box, w, c.request)
}

// keep keeps headers and bodies for the inspector.
func (c *call) keep(seq int, answer response) {
	if !c.box.bodies.Keeps() {
		return
	}
	kept := bodies.Exchange{Request: bodies.NewMessage(c.request.Header, c.body)}
	if answer.sentStatus() != 0 {
		kept.Response = bodies.NewMessage(answer.headers(c.box.clock.Now()), answer.body)
		kept.Response.Size = answer.length
	}
	c.box.bodies.PutCall(seq, kept)
}

func (c *call) entry(status int) traffic.Entry {
	entry := traffic.Entry{
		Time: c.arrived, Method: c.request.Method, Path: c.request.URL.Path, Query: c.request.URL.RawQuery,
		Operation: c.op.id, Status: status, Source: c.source, UserID: c.userID, Committed: c.committed,
	}
	if c.tenant != nil {
		entry.Key = c.tenant.pair.Key
	}
	return entry
}

// persisted returns the reply after the changed state was written to the disk.
func (c *call) persisted(answer reply) reply {
	if err := c.box.disk.Flush(); err != nil {
		return refuse(http.StatusInternalServerError, "The sandbox cannot write its data: "+err.Error())
	}
	return answer
}

// answer is the reply of the API without faults.
func (c *call) answer() reply {
	if c.op.refusal != nil {
		return *c.op.refusal
	}
	if refusal := c.authenticate(); refusal != nil {
		return *refusal
	}
	if c.op.handle == nil {
		return refuse(http.StatusNotImplemented, "The sandbox does not emulate this operation yet.")
	}
	if refusal := c.checkBody(); refusal != nil {
		return *refusal
	}
	if wrong := c.readQuery(); wrong != nil {
		return badRequest(wrong)
	}
	c.now = c.box.clock.Now()
	c.tenant.catchUp(c.now)
	return c.op.handle(c)
}

// authenticate finds the tenant. No usable header is a 401, a wrong pair a 400.
func (c *call) authenticate() *reply {
	if c.op.link {
		return c.authenticateLink()
	}
	key, secret, given := c.request.BasicAuth()
	if !given {
		refusal := refuse(http.StatusUnauthorized, "The call has no usable credentials.")
		return &refusal
	}
	t, ok := c.box.tenants[key]
	if !ok || t.pair.Secret != secret {
		refusal := reply{status: http.StatusBadRequest, code: "INVALID_CREDENTIALS", message: "Key or secret is wrong."}
		if c.box.behavior.BadCredentials == "401" {
			refusal.status = http.StatusUnauthorized
		}
		return &refusal
	}
	c.tenant = t
	return nil
}

func (c *call) checkBody() *reply {
	var refusal reply
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(c.bodyErr, &tooLarge):
		refusal = badRequest(validate.Wrong("body", "is too large"))
	case c.bodyErr != nil:
		refusal = badRequest(validate.Wrong("body", "cannot be read"))
	case c.op.method != http.MethodGet && len(c.body) > 0 && !isJSON(c.request):
		refusal = refuse(http.StatusUnsupportedMediaType, "The body must be application/json.")
	default:
		return nil
	}
	return &refusal
}

func (c *call) readQuery() (wrong *validate.Problem) {
	if len(c.id()) > validate.MaxIDLength {
		return validate.Wrong("id", validate.ID(c.id()))
	}
	if c.filters, wrong = validate.ReadFilters(c.query, c.op.filters); wrong != nil {
		return wrong
	}
	if c.op.paged {
		c.paging, wrong = readPaging(c)
	}
	return wrong
}

// id is the object that the path names.
func (c *call) id() string {
	raw := chi.URLParam(c.request, "id")
	if id, err := url.PathUnescape(raw); err == nil && c.request.URL.RawPath != "" {
		return id
	}
	return raw
}

func (c *call) filter(name string) string { return c.filters.Get(name) }

func sourceOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func isJSON(r *http.Request) bool {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/json")
}
