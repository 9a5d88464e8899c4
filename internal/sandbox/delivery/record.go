package delivery

import (
	"net/http"
	"slices"
	"time"
)

// State is how far a delivery has come.
type State string

// The states of a delivery.
const (
	// Pending is a delivery that is being sent or will be sent.
	Pending State = "PENDING"
	// Delivered is a delivery that was answered with a status from 200 to 299.
	Delivered State = "DELIVERED"
	// Failed is a delivery that failed three times.
	Failed State = "FAILED"
	// Lost is a delivery that a fault has suppressed.
	Lost State = "LOST"
	// Held is a delivery that a fault holds back until the next one is sent.
	Held State = "HELD"
	// Dropped is a delivery whose webhook was deleted before it succeeded.
	Dropped State = "DROPPED"
)

// States lists the states of a delivery.
var States = []State{Pending, Delivered, Failed, Lost, Held, Dropped}

// Delivery is one event for one webhook. It does not contain the event's data.
type Delivery struct {
	// Seq counts from 1 without gaps.
	Seq       int    `json:"seq"`
	EventID   string `json:"eventId"`
	EventType string `json:"eventType"`
	WebhookID string `json:"webhookId"`
	URL       string `json:"url"`
	// Key is the tenant's API key.
	Key string `json:"key"`
	// UserID is the user that the event is about, empty if it is about none.
	UserID string `json:"userId,omitempty"`
	// CreatedAt is the time of the event on the sandbox clock.
	CreatedAt time.Time `json:"createdAt"`
	State     State     `json:"state"`
	Attempts  []Attempt `json:"attempts"`
	// ResendOf is the delivery whose event a person had sent again.
	ResendOf int `json:"resendOf,omitempty"`
}

// open reports whether the delivery has not ended.
func (d *Delivery) open() bool { return d.State == Pending || d.State == Held }

// Attempt is one request to a webhook.
type Attempt struct {
	// At is when it was sent, on the sandbox clock.
	At time.Time `json:"at"`
	// Status is the status of the response, 0 if there was none.
	Status int `json:"status"`
	// Error says why there was no response.
	Error string `json:"error,omitempty"`
	// Milliseconds is how long it took, in real time.
	Milliseconds int64 `json:"milliseconds"`
}

func (a Attempt) delivered() bool {
	return a.Status >= http.StatusOK && a.Status < http.StatusMultipleChoices
}

// Record is what is stored of a delivery. It has the event as long as the
// delivery has not ended.
type Record struct {
	Delivery Delivery `json:"delivery"`
	Event    *Event   `json:"event,omitempty"`
}

// maxHistory is how many deliveries are remembered at least. Older ones are
// forgotten in bulk.
const maxHistory = 50_000

// history holds deliveries in the order of their numbers.
type history struct {
	deliveries []*Delivery
	last       int
}

func (h *history) add(d *Delivery) {
	if len(h.deliveries) >= 2*maxHistory {
		h.deliveries = slices.Clone(h.deliveries[maxHistory:])
	}
	h.last++
	d.Seq = h.last
	h.deliveries = append(h.deliveries, d)
}

// restore adds a delivery that has a number.
func (h *history) restore(d *Delivery) {
	h.last = d.Seq
	h.deliveries = append(h.deliveries, d)
}

// from is the index of the first delivery with that number or a greater one, and
// whether it has that number.
func (h *history) from(seq int) (int, bool) {
	return slices.BinarySearchFunc(h.deliveries, seq, func(d *Delivery, wanted int) int { return d.Seq - wanted })
}

func (h *history) get(seq int) (Delivery, bool) {
	i, ok := h.from(seq)
	if !ok {
		return Delivery{}, false
	}
	return h.deliveries[i].copy(), true
}

func (h *history) since(seq int) []Delivery {
	from, _ := h.from(seq + 1)
	found := make([]Delivery, 0, len(h.deliveries)-from)
	for _, d := range h.deliveries[from:] {
		found = append(found, d.copy())
	}
	return found
}

func (d *Delivery) copy() Delivery {
	copied := *d
	copied.Attempts = slices.Clone(d.Attempts)
	return copied
}

// Since returns the deliveries with a sequence number greater than seq.
func (q *Queue) Since(seq int) []Delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.history.since(seq)
}

// Count returns how many deliveries there were since the last Reset.
func (q *Queue) Count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.history.last
}
