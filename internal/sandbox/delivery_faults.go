package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DeliveryFault makes deliveries of an event type go wrong. Deliveries are
// counted from the moment the faults were set.
type DeliveryFault struct {
	// EventType is one of the API's, or * for every delivery.
	EventType string `json:"eventType"`
	// Nth is the first delivery that is hit, from 1; default 1.
	Nth int `json:"nth,omitempty"`
	// Count is how many deliveries in a row are hit; default 1, -1 is all.
	Count int `json:"count,omitempty"`
	// Action is one of
	//   duplicate:N  sent N times in all, default 2
	//   lose         never sent
	//   delay:D      first sent after that time on the sandbox clock
	//   reorder      held back until the next delivery was sent
	//   forge        signed with a wrong secret
	Action string `json:"action"`
}

// tampering is what a fault does to a delivery, and what an attempt has to know
// of it.
type tampering struct {
	copies int
	lost   bool
	held   bool
	forged bool
	delay  time.Duration

	tries int
}

type armedDeliveryFault struct {
	DeliveryFault
	tampering
	seen int
}

// deliveryFaults are guarded by the office.
type deliveryFaults struct {
	armed []*armedDeliveryFault
	held  []*delivery
}

// set replaces the faults, and gives what the former ones held back.
func (f *deliveryFaults) set(armed []*armedDeliveryFault) []*delivery {
	released := f.held
	f.armed, f.held = armed, nil
	return released
}

// tamper counts a delivery and gives what is to be sent now, in this order:
// nothing, itself, copies of it, or it and what was held back before.
func (f *deliveryFaults) tamper(d *delivery) []*delivery {
	i := slices.IndexFunc(f.armed, func(a *armedDeliveryFault) bool { return a.hits(d.event.Type) })
	if i >= 0 {
		d.tampering = f.armed[i].tampering
	}
	switch {
	case d.lost:
		d.record.State = DeliveryLost
		return nil
	case d.held:
		d.record.State = DeliveryHeld
		f.held = append(f.held, d)
		return nil
	}
	sent := []*delivery{d}
	for range d.copies - 1 {
		copied := *d
		sent = append(sent, &copied)
	}
	return append(sent, release(f.set(f.armed))...)
}

// release makes deliveries that were held back ordinary ones.
func release(held []*delivery) []*delivery {
	for _, d := range held {
		d.record.State = DeliveryPending
	}
	return held
}

func (a *armedDeliveryFault) hits(eventType string) bool {
	if a.EventType != anyCall && a.EventType != eventType {
		return false
	}
	a.seen++
	return a.seen >= a.Nth && (a.Count < 0 || a.seen < a.Nth+a.Count)
}

func armDelivery(f DeliveryFault) (*armedDeliveryFault, error) {
	f.Nth, f.Count = max(f.Nth, 1), cmp.Or(f.Count, 1)
	if f.EventType != anyCall && (f.EventType == allEvents || !slices.Contains(eventTypes, f.EventType)) {
		return nil, fmt.Errorf("event type %q does not exist", f.EventType)
	}
	t, err := parseTampering(f.Action)
	return &armedDeliveryFault{DeliveryFault: f, tampering: t}, err
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
	t, known := plain[name]
	if !known {
		return tampering{}, fmt.Errorf("action %q does not exist", action)
	}
	return t, nil
}

// SetDeliveryFaults replaces all delivery faults and starts to count anew. What
// the former ones held back is sent.
func (s *Sandbox) SetDeliveryFaults(wanted []DeliveryFault) error {
	var armed []*armedDeliveryFault
	var problems []error
	for i, w := range wanted {
		a, err := armDelivery(w)
		if err != nil {
			problems = append(problems, fmt.Errorf("fault number %d: %w", i+1, err))
		}
		armed = append(armed, a)
	}
	if err := errors.Join(problems...); err != nil {
		return invalid("%v", err)
	}
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	for _, d := range release(s.office.faults.set(armed)) {
		s.office.enqueue(d)
	}
	return nil
}

// DeliveryFaults lists the delivery faults that were set last.
func (s *Sandbox) DeliveryFaults() []DeliveryFault {
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	set := []DeliveryFault{}
	for _, a := range s.office.faults.armed {
		set = append(set, a.DeliveryFault)
	}
	return set
}
