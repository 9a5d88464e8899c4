package sandbox

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
)

// maxBody is how many bytes of a request body are read, if the operation does
// not allow more.
const maxBody = 1 << 20

// call is one request to the Open API on its way through the sandbox.
type call struct {
	box     *Sandbox
	op      *operation
	request *http.Request
	arrived time.Time // on the sandbox clock
	now     time.Time // when it is worked on, which a fault may delay
	source  string

	body    []byte
	bodyErr error

	tenant  *tenant
	link    tokenClaims // of calls to the Link API
	query   url.Values
	filters url.Values
	paging  paging

	userID    string // whom the call is about, for the journal
	committed bool   // whether it has changed state
}

// serve is the handler of an operation.
func (s *Sandbox) serve(op *operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{box: s, op: op, request: r, arrived: s.clock.Now(), source: sourceOf(r), query: r.URL.Query()}
		c.body, c.bodyErr = io.ReadAll(http.MaxBytesReader(w, r.Body, cmp.Or(op.maxBody, maxBody)))
		if !op.link {
			s.meter.observe()
		}
		if !op.link && !s.limiter.allow(c.source) {
			c.finish(w, c.box.render(refuse(http.StatusTooManyRequests, "Too many calls from this address.")), 0)
			return
		}
		c.disturbed(w, s.faults.next(op.id))
	}
}

// disturbed answers as the faults have it.
func (c *call) disturbed(w http.ResponseWriter, plan plan) {
	if !c.box.pause(plan.before.delay) {
		c.finish(w, cutOff(), 0)
		return
	}
	if act := plan.before.action; act != nil {
		c.finish(w, act.apply(c, c.box.render(reply{c.op.success(), "OK", "Success", struct{}{}})), plan.after.delay)
		return
	}
	answer := c.box.render(c.kept(c.answer()))
	if act := plan.after.action; act != nil {
		answer = act.apply(c, answer)
	}
	c.finish(w, answer, plan.after.delay)
}

// finish writes journal and statistics and sends the answer after a delay.
func (c *call) finish(w http.ResponseWriter, answer response, delay time.Duration) {
	entry := c.box.journal.add(c.entry(answer.sentStatus()))
	if !c.box.pause(delay) || c.request.Context().Err() != nil {
		answer = cutOff()
	}
	if answer.sentStatus() == 0 {
		c.box.journal.cut(entry)
	}
	c.box.stats.count(c.op.id, answer.sentStatus())
	answer.send(c.box, w, c.request)
}

func (c *call) entry(status int) JournalEntry {
	entry := JournalEntry{
		Time: c.arrived, Method: c.request.Method, Path: c.request.URL.Path, Query: c.request.URL.RawQuery,
		Operation: c.op.id, Status: status, Source: c.source, UserID: c.userID, Committed: c.committed,
	}
	if c.tenant != nil {
		entry.Key = c.tenant.pair.Key
	}
	return entry
}

// kept is the answer once everything it says is on the disk, if there is one.
func (c *call) kept(answer reply) reply {
	if err := c.box.disk.flush(); err != nil {
		return refuse(http.StatusInternalServerError, "The sandbox cannot write its data: "+err.Error())
	}
	return answer
}

// answer is what the API says when nothing disturbs it.
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
		return wrong.reply()
	}
	c.now = c.box.clock.Now()
	c.tenant.catchUp(c.now)
	return c.op.handle(c)
}

// authenticate finds the tenant: no usable header is a 401, a wrong pair a 400.
func (c *call) authenticate() *reply {
	if c.op.link {
		return c.admit()
	}
	key, secret, given := c.request.BasicAuth()
	if !given {
		refusal := refuse(http.StatusUnauthorized, "The call carries no usable credentials.")
		return &refusal
	}
	t, known := c.box.tenants[key]
	if !known || t.pair.Secret != secret {
		refusal := reply{status: http.StatusBadRequest, code: "INVALID_CREDENTIALS", message: "Key or secret is wrong."}
		if c.box.behaviour.badCredentials == "401" {
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
		refusal = (&problem{"body", "is too large"}).reply()
	case c.bodyErr != nil:
		refusal = (&problem{"body", "cannot be read"}).reply()
	case c.op.method != http.MethodGet && len(c.body) > 0 && !isJSON(c.request):
		refusal = refuse(http.StatusUnsupportedMediaType, "The body must be application/json.")
	default:
		return nil
	}
	return &refusal
}

func (c *call) readQuery() (wrong *problem) {
	if len(c.id()) > maxIDLength {
		return &problem{"id", identifier(c.id())}
	}
	if c.filters, wrong = readFilters(c.query, c.op.filters); wrong != nil {
		return wrong
	}
	if c.op.paged {
		c.paging, wrong = readPaging(c)
	}
	return wrong
}

// id is the path variable of operations on one object.
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
