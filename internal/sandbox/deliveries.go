package sandbox

import (
	"net/http"
	"slices"
	"time"
)

// maxDeliveries is how many deliveries are remembered at least; older ones are
// forgotten in bulk.
const maxDeliveries = 50_000

// DeliveryState is how far a delivery has come.
type DeliveryState string

// The states of a delivery.
const (
	// DeliveryPending is one that is tried or will be.
	DeliveryPending DeliveryState = "PENDING"
	// DeliveryDelivered is one that was answered with 200 to 299.
	DeliveryDelivered DeliveryState = "DELIVERED"
	// DeliveryFailed is one that was given up after three attempts.
	DeliveryFailed DeliveryState = "FAILED"
	// DeliveryLost is one that a fault had never sent.
	DeliveryLost DeliveryState = "LOST"
	// DeliveryHeld is one that a fault holds back until the next one is sent.
	DeliveryHeld DeliveryState = "HELD"
	// DeliveryDropped is one whose webhook was deleted before it succeeded.
	DeliveryDropped DeliveryState = "DROPPED"
)

// Delivery is one event for one webhook. It holds no contents of the event.
type Delivery struct {
	// Seq counts from 1 without gaps.
	Seq       int    `json:"seq"`
	EventID   string `json:"eventId"`
	EventType string `json:"eventType"`
	WebhookID string `json:"webhookId"`
	URL       string `json:"url"`
	// Key is the tenant's API key.
	Key string `json:"key"`
	// CreatedAt is when the event was made out, on the sandbox clock.
	CreatedAt time.Time     `json:"createdAt"`
	State     DeliveryState `json:"state"`
	Attempts  []Attempt     `json:"attempts"`
}

// Attempt is one request to a webhook.
type Attempt struct {
	// At is when it was sent, on the sandbox clock.
	At time.Time `json:"at"`
	// Status is what was answered, 0 if nothing was.
	Status int `json:"status"`
	// Error says why nothing was answered.
	Error string `json:"error,omitempty"`
	// Milliseconds is how long it took, in real time.
	Milliseconds int64 `json:"milliseconds"`
}

func (a Attempt) delivered() bool {
	return a.Status >= http.StatusOK && a.Status < http.StatusMultipleChoices
}

// deliveryBook holds the records of deliveries, in the order of their numbers.
type deliveryBook struct {
	records []*Delivery
	last    int
}

func (b *deliveryBook) add(record *Delivery) {
	if len(b.records) >= 2*maxDeliveries {
		b.records = slices.Clone(b.records[maxDeliveries:])
	}
	b.last++
	record.Seq = b.last
	b.records = append(b.records, record)
}

// resume adds a record that has its number already.
func (b *deliveryBook) resume(record *Delivery) {
	b.last = record.Seq
	b.records = append(b.records, record)
}

func (b *deliveryBook) since(seq int) []Delivery {
	from, _ := slices.BinarySearchFunc(b.records, seq+1, func(record *Delivery, wanted int) int { return record.Seq - wanted })
	found := make([]Delivery, 0, len(b.records)-from)
	for _, record := range b.records[from:] {
		shown := *record
		shown.Attempts = slices.Clone(record.Attempts)
		found = append(found, shown)
	}
	return found
}

// Deliveries gives the deliveries with a sequence number greater than since.
func (s *Sandbox) Deliveries(since int) []Delivery {
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	return s.office.book.since(since)
}

func (o *office) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.book.last
}
