package delivery

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// anyType stands for every type of event in a fault.
const anyType = "*"

// Fault makes deliveries of an event type go wrong. Deliveries are counted from
// the moment the faults were set.
type Fault struct {
	// EventType is one of the API's, or * for every delivery.
	EventType string `json:"eventType" yaml:"eventType"`
	// Nth is the first delivery that is affected, from 1; default 1.
	Nth int `json:"nth,omitempty"`
	// Count is how many deliveries in a row are affected; default 1, -1 is all.
	Count int `json:"count,omitempty"`
	// Action is one of
	//   duplicate:N  sent N times in all, default 2
	//   lose         never sent
	//   delay:D      first sent after that time on the sandbox clock
	//   reorder      held back until the next delivery was sent
	//   forge        signed with a wrong secret
	Action string `json:"action"`
}

// tampering is what a fault does to a delivery.
type tampering struct {
	copies int
	lost   bool
	held   bool
	forged bool
	delay  time.Duration
}

type armedFault struct {
	Fault
	tampering
	seen int
}

// faults are guarded by the queue's lock.
type faults struct {
	armed []*armedFault
	held  []*outgoing
}

// set replaces the faults and returns what the former ones held back.
func (f *faults) set(armed []*armedFault) []*outgoing {
	released := f.held
	f.armed, f.held = armed, nil
	return released
}

// apply counts a delivery and returns what is to be sent now, in this order:
// nothing, the delivery itself, its copies, or it and what was held back before.
func (f *faults) apply(o *outgoing) []*outgoing {
	i := slices.IndexFunc(f.armed, func(a *armedFault) bool { return a.hits(o.event.Type) })
	if i >= 0 {
		o.tampering = f.armed[i].tampering
	}
	switch {
	case o.lost:
		o.record.State = Lost
		return nil
	case o.held:
		o.record.State = Held
		f.held = append(f.held, o)
		return nil
	}
	sent := []*outgoing{o}
	for range o.copies - 1 {
		copied := *o
		sent = append(sent, &copied)
	}
	return append(sent, release(f.set(f.armed))...)
}

// release makes deliveries that were held back ordinary ones.
func release(held []*outgoing) []*outgoing {
	for _, o := range held {
		o.record.State = Pending
	}
	return held
}

func (a *armedFault) hits(eventType string) bool {
	if a.EventType != anyType && a.EventType != eventType {
		return false
	}
	a.seen++
	return a.seen >= a.Nth && (a.Count < 0 || a.seen < a.Nth+a.Count)
}

func arm(f Fault) (*armedFault, error) {
	f.Nth, f.Count = max(f.Nth, 1), cmp.Or(f.Count, 1)
	if f.EventType != anyType && (f.EventType == AllEvents || !slices.Contains(EventTypes, f.EventType)) {
		return nil, fmt.Errorf("event type %q does not exist", f.EventType)
	}
	t, err := parseTampering(f.Action)
	return &armedFault{Fault: f, tampering: t}, err
}

const maxCopies = 1000

func parseTampering(action string) (tampering, error) {
	name, argument, given := strings.Cut(action, ":")
	switch {
	case name == "duplicate":
		n, err := strconv.Atoi(cmp.Or(argument, "2"))
		if err != nil || n < 2 || n > maxCopies {
			return tampering{}, fmt.Errorf("action %q: want a number from 2 to %d", action, maxCopies)
		}
		return tampering{copies: n}, nil
	case name == "delay":
		d, err := time.ParseDuration(argument)
		if err != nil || d <= 0 {
			return tampering{}, fmt.Errorf("action %q: want a duration such as 5s", action)
		}
		return tampering{delay: d}, nil
	case given:
		return tampering{}, fmt.Errorf("action %q: takes no argument, or does not exist", action)
	}
	plain := map[string]tampering{"lose": {lost: true}, "reorder": {held: true}, "forge": {forged: true}}
	t, ok := plain[name]
	if !ok {
		return tampering{}, fmt.Errorf("action %q does not exist", action)
	}
	return t, nil
}

// SetFaults replaces all faults and restarts their counts. What the former ones
// held back is sent.
func (q *Queue) SetFaults(wanted []Fault) error {
	var armed []*armedFault
	var problems []error
	for i, w := range wanted {
		a, err := arm(w)
		if err != nil {
			problems = append(problems, fmt.Errorf("fault number %d: %w", i+1, err))
		}
		armed = append(armed, a)
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range release(q.faults.set(armed)) {
		q.enqueue(o)
	}
	return nil
}

// Faults returns the faults that were set last.
func (q *Queue) Faults() []Fault {
	q.mu.Lock()
	defer q.mu.Unlock()
	set := []Fault{}
	for _, a := range q.faults.armed {
		set = append(set, a.Fault)
	}
	return set
}

// Check returns an error that says why the fault cannot be set, nil if it can.
func (f Fault) Check() error {
	_, err := arm(f)
	return err
}
