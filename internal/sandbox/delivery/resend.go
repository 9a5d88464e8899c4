package delivery

import (
	"encoding/json"
	"errors"
)

// Why a delivery cannot be sent again.
var (
	ErrUnknown   = errors.New("there is no such delivery")
	ErrForgotten = errors.New("the event is no longer kept, or bodies are not kept at all (--journal-bodies)")
)

// Get returns a delivery.
func (q *Queue) Get(seq int) (Delivery, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.history.get(seq)
}

// Resend sends the event of a delivery again, unchanged, as a delivery of its
// own. Delivery faults do not affect it.
func (q *Queue) Resend(seq int, to Target) (Delivery, error) {
	former, ok := q.Get(seq)
	if !ok {
		return Delivery{}, ErrUnknown
	}
	var event Event
	text, kept := q.config.Bodies.Event(seq)
	if !kept {
		return Delivery{}, ErrForgotten
	}
	if err := json.Unmarshal(text, &event); err != nil {
		return Delivery{}, err
	}
	event.UserID = former.UserID
	q.mu.Lock()
	defer q.mu.Unlock()
	o := q.add(former.Key, to, event)
	o.record.ResendOf = seq
	q.keep(o)
	q.enqueue(o)
	made, _ := q.history.get(o.record.Seq)
	return made, nil
}
