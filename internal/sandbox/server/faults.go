package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault makes calls of an operation go wrong. Calls are counted from the moment
// the faults were set. Calls that the rate limit refuses do not count.
type Fault struct {
	// Operation is the vendor's operation id, or * for every call.
	Operation string `json:"operation"`
	// Nth is the first call that is affected, from 1; default 1.
	Nth int `json:"nth,omitempty"`
	// Count is how many calls in a row are affected; default 1, -1 is all.
	Count int `json:"count,omitempty"`
	// Phase is before (default: the API never sees the call, unless the action
	// is a delay) or after (the call was executed, and the response is
	// changed).
	Phase string `json:"phase,omitempty"`
	// Action is one of status:N, delay:DURATION, hang, reset, truncate:BYTES,
	// garbage, empty, endless, acknowledge and redirect:URL. Only listings can
	// be endless.
	Action string `json:"action"`
}

const (
	phaseBefore = "before"
	phaseAfter  = "after"
	anyCall     = "*"
)

// action replaces a response.
type action func(c *call, answer response) response

func (a action) apply(c *call, answer response) response { return a(c, answer) }

// effect is what the faults do to a call in one phase.
type effect struct {
	delay  time.Duration
	action action
}

// effects are what the faults do to a call.
type effects struct{ before, after effect }

type armedFault struct {
	Fault
	effect
	seen int
}

func (f *armedFault) hits() bool {
	return f.seen >= f.Nth && (f.Count < 0 || f.seen < f.Nth+f.Count)
}

type faults struct {
	mu    sync.Mutex
	armed []*armedFault
}

// set replaces all faults, or none if one of them is wrong.
func (f *faults) set(wanted []Fault) error {
	armed := make([]*armedFault, len(wanted))
	for i, w := range wanted {
		made, err := arm(w)
		if err != nil {
			return fmt.Errorf("fault number %d: %w", i+1, err)
		}
		armed[i] = made
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = armed
	return nil
}

func (f *faults) list() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	set := make([]Fault, len(f.armed))
	for i, a := range f.armed {
		set[i] = a.Fault
	}
	return set
}

// next counts a call and returns what happens to it. Delays add up. Of the
// actions of a phase the first one that was set applies.
func (f *faults) next(operation string) effects {
	f.mu.Lock()
	defer f.mu.Unlock()
	var p effects
	for _, a := range f.armed {
		if a.Operation != operation && a.Operation != anyCall {
			continue
		}
		if a.seen++; !a.hits() {
			continue
		}
		phase := &p.before
		if a.Phase == phaseAfter {
			phase = &p.after
		}
		phase.delay += a.delay
		if phase.action == nil {
			phase.action = a.action
		}
	}
	return p
}

func arm(f Fault) (*armedFault, error) {
	if f.Phase == "" {
		f.Phase = phaseBefore
	}
	f.Nth, f.Count = max(f.Nth, 1), cmp.Or(f.Count, 1)
	if f.Operation != anyCall && !isOperation(f.Operation) {
		return nil, fmt.Errorf("operation %q does not exist", f.Operation)
	}
	if f.Phase != phaseBefore && f.Phase != phaseAfter {
		return nil, fmt.Errorf("phase %q: want %s or %s", f.Phase, phaseBefore, phaseAfter)
	}
	if f.Action == "endless" && f.Operation != anyCall && !isListing(f.Operation) {
		return nil, fmt.Errorf("operation %q is not a listing: only a listing can be endless", f.Operation)
	}
	t, err := parseAction(f.Action)
	return &armedFault{Fault: f, effect: t}, err
}

func isOperation(id string) bool {
	named := func(o *operation) bool { return o.id == id }
	return slices.ContainsFunc(operations, named) || slices.ContainsFunc(linkOperations, named)
}

func isListing(id string) bool {
	return slices.ContainsFunc(operations, func(o *operation) bool { return o.id == id && o.paged })
}

// actions by name. The argument is what follows the colon.
var actions = map[string]func(argument string) (effect, error){
	"status":   parseStatus,
	"delay":    parseDelay,
	"truncate": parseTruncate,
	"redirect": parseRedirect,
	// acknowledge reports success. In phase before, the call is not executed.
	"acknowledge": plainAction(func(_ *call, r response) response { return r }),
	"hang":        plainAction(func(_ *call, r response) response { r.ending = hung; return r }),
	"reset":       plainAction(func(*call, response) response { return cutOff() }),
	"empty":       plainAction(func(_ *call, r response) response { r.body, r.length = nil, 0; return r }),
	"garbage":     plainAction(garbage),
	"endless":     plainAction(endless),
}

func parseAction(text string) (effect, error) {
	name, argument, _ := strings.Cut(text, ":")
	parse, ok := actions[name]
	if !ok {
		return effect{}, fmt.Errorf("action %q does not exist", text)
	}
	t, err := parse(argument)
	if err != nil {
		return effect{}, fmt.Errorf("action %q: %w", text, err)
	}
	return t, nil
}

func plainAction(a action) func(string) (effect, error) {
	return func(argument string) (effect, error) {
		if argument != "" {
			return effect{}, errors.New("takes no argument")
		}
		return effect{action: a}, nil
	}
}

func parseStatus(argument string) (effect, error) {
	status, err := strconv.Atoi(argument)
	if err != nil || status < 200 || status > 599 {
		return effect{}, errors.New("want a status from 200 to 599")
	}
	return effect{action: func(c *call, _ response) response {
		return c.render(refuse(status, "A fault was set for this call."))
	}}, nil
}

func parseDelay(argument string) (effect, error) {
	d, err := time.ParseDuration(argument)
	if err != nil || d < 0 {
		return effect{}, errors.New("want a duration such as 5s")
	}
	return effect{delay: d}, nil
}

func parseTruncate(argument string) (effect, error) {
	n, err := strconv.Atoi(argument)
	if err != nil || n < 0 {
		return effect{}, errors.New("want a number of bytes")
	}
	return effect{action: func(_ *call, r response) response {
		if n < len(r.body) {
			r.body, r.ending = r.body[:n], cut
		}
		return r
	}}, nil
}

func parseRedirect(argument string) (effect, error) {
	if argument == "" {
		return effect{}, errors.New("want a URL")
	}
	return effect{action: func(*call, response) response {
		return response{status: http.StatusTemporaryRedirect, header: http.Header{"Location": {argument}}}
	}}, nil
}

func garbage(*call, response) response {
	page := []byte("<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>Back soon</h1></body></html>\n")
	return response{
		status: http.StatusOK, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, body: page,
		length: len(page),
	}
}

// endless answers a listing with its first page, repeated up to the requested
// size, and a cursor to another such page. Other calls are answered as usual.
func endless(c *call, answer response) response {
	if !c.op.paged {
		return answer
	}
	c.query.Del("cursor") // the API would refuse one that it has not issued
	first := c.answer()
	shown, isPage := first.data.(page)
	if !isPage {
		return c.render(first)
	}
	if row := shown.Items; len(row) > 0 {
		for i := len(row); i < c.paging.size; i++ {
			shown.Items = append(shown.Items, row[i%len(row)])
		}
	}
	cursor := c.box.ids.RequestID()
	shown.NextCursor = &cursor
	first.data = shown
	return c.render(first)
}

// Check returns an error that says why the fault cannot be set, nil if it can.
func (f Fault) Check() error {
	_, err := arm(f)
	return err
}
