// Package delivery sends events to webhooks: a queue with workers, signed
// requests with retries, a record of every delivery, and faults that make
// deliveries go wrong.
package delivery

import (
	"container/heap"
	"context"
	"crypto/x509"
	"net/http"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/bodies"
	"github.com/smile-operator/smile-operator/internal/sandbox/clock"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// maxAttempts is how often an event is sent before the delivery fails.
const maxAttempts = 3

// Config says how a Queue sends.
type Config struct {
	Clock *clock.Clock
	// Workers is how many deliveries are sent to one webhook at the same time.
	Workers int
	// Timeout bounds an attempt, in real time.
	Timeout time.Duration
	// Retry is the time between attempts, on the clock.
	Retry time.Duration
	// Roots are the authorities that https:// webhooks are verified with; nil
	// means those of the system.
	Roots *x509.CertPool
	// Transport sends the requests; nil means an HTTP transport without proxy.
	Transport http.RoundTripper
	// RetryID, if not nil, gives the event a new id in each attempt after the
	// first.
	RetryID func() string
	// Signature returns the value of the signature header for a signature in
	// lower-case hex.
	Signature func(hex string) string
	// Keep stores the new state of a delivery, and Flush returns when everything
	// that was stored is durable. They must not call the queue.
	Keep  func(Record)
	Flush func()
	// Bodies keeps the events and attempts that a person can look at; nil keeps
	// none.
	Bodies *bodies.Store
}

// Queue sends events to webhooks. Each webhook has a lane of its own, so one that
// hangs delays its own deliveries only. Up to Workers deliveries of a lane are sent
// at the same time, in the order in which the events were posted. A worker exists
// only while its lane has something to send. Delayed deliveries and retries wait on the clock.
type Queue struct {
	config Config
	alarm  *clock.Alarm

	ctx    context.Context
	cancel context.CancelFunc
	busy   sync.WaitGroup

	mu      sync.Mutex
	lanes   map[string]*lane // those with workers, by webhook
	waiting waitingHeap
	order   int
	faults  faults
	history history
}

// lane is what is ready to be sent to one webhook.
type lane struct {
	ready   []*outgoing
	running int // workers
}

// Target is the webhook that an event is sent to.
type Target struct {
	WebhookID, URL, Secret string
	// Deleted reports whether the webhook was deleted. Workers call it.
	Deleted func() bool
}

// outgoing is an event that is still to be sent. The queue's lock guards what
// record points to.
type outgoing struct {
	target Target
	event  Event
	tampering
	record *Delivery
	tries  int

	due   time.Time // of the next attempt, while it waits
	order int
}

// NewQueue makes a queue. Close it when it is no longer used.
func NewQueue(config Config) *Queue {
	if config.Transport == nil {
		config.Transport = newTransport(config.Roots, config.Workers)
	}
	if config.Bodies == nil {
		config.Bodies = bodies.NewStore(0)
	}
	q := &Queue{config: config, lanes: map[string]*lane{}}
	q.alarm = clock.NewAlarm(config.Clock, q.Wake)
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q
}

// Post queues an event for a webhook of the tenant with this API key, and
// applies the delivery faults to it.
func (q *Queue) Post(key string, to Target, event Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	o := q.add(key, to, event)
	defer q.keep(o)
	for _, sent := range q.faults.apply(o) {
		if sent.delay > 0 {
			q.wait(sent, sent.delay)
			continue
		}
		q.enqueue(sent)
	}
}

// add makes a delivery and its record. The caller holds mu.
func (q *Queue) add(key string, to Target, event Event) *outgoing {
	o := &outgoing{target: to, event: event, record: &Delivery{
		EventID: event.ID, EventType: event.Type, WebhookID: to.WebhookID, URL: to.URL, Key: key, UserID: event.UserID,
		CreatedAt: q.config.Clock.Now(), State: Pending, Attempts: []Attempt{},
	}}
	q.history.add(o.record)
	if q.config.Bodies.Keeps() {
		q.config.Bodies.PutEvent(o.record.Seq, wire.Encode(event))
	}
	return o
}

// Resume restores the record of a delivery and continues the delivery if it had
// not ended.
func (q *Queue) Resume(to Target, kept Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.history.restore(&kept.Delivery)
	if kept.Event == nil {
		return
	}
	kept.Delivery.State = Pending
	q.enqueue(&outgoing{target: to, event: *kept.Event, record: &kept.Delivery, tries: len(kept.Delivery.Attempts)})
}

// enqueue queues an event, which is sent as soon as a worker is free. The caller
// holds mu.
func (q *Queue) enqueue(o *outgoing) {
	if q.ctx.Err() != nil {
		return
	}
	to := q.lanes[o.target.WebhookID]
	if to == nil {
		to = &lane{}
		q.lanes[o.target.WebhookID] = to
	}
	to.ready = append(to.ready, o)
	if to.running < q.config.Workers {
		to.running++
		q.busy.Add(1)
		go q.work(o.target.WebhookID, to)
	}
}

// wait enqueues an event after a delay on the clock. The caller holds mu.
func (q *Queue) wait(o *outgoing, delay time.Duration) {
	q.order++
	o.due, o.order = q.config.Clock.Now().Add(delay), q.order
	heap.Push(&q.waiting, o)
	q.alarm.Set(q.waiting[0].due)
}

// Wake enqueues the waiting events that are due. Call it when the clock was
// advanced.
func (q *Queue) Wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.config.Clock.Now()
	for len(q.waiting) > 0 && !q.waiting[0].due.After(now) {
		q.enqueue(heap.Pop(&q.waiting).(*outgoing))
	}
	if len(q.waiting) > 0 {
		q.alarm.Set(q.waiting[0].due)
	}
}

func (q *Queue) work(webhookID string, from *lane) {
	defer q.busy.Done()
	for o := q.next(webhookID, from); o != nil; o = q.next(webhookID, from) {
		if o.target.Deleted() {
			q.drop(o)
			continue
		}
		q.config.Flush()
		made, sent := q.attempt(o)
		q.conclude(o, made, sent)
	}
}

// next returns the event to send. If it returns nil, the worker has to end.
func (q *Queue) next(webhookID string, from *lane) *outgoing {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(from.ready) == 0 || q.ctx.Err() != nil {
		if from.running--; from.running == 0 {
			delete(q.lanes, webhookID)
		}
		return nil
	}
	o := from.ready[0]
	from.ready[0], from.ready = nil, from.ready[1:]
	return o
}

func (q *Queue) drop(o *outgoing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	o.record.State = Dropped
	q.keep(o)
}

// conclude records an attempt and schedules the next one if there is one.
func (q *Queue) conclude(o *outgoing, made Attempt, sent bodies.Exchange) {
	q.mu.Lock()
	defer q.mu.Unlock()
	o.record.Attempts = append(o.record.Attempts, made)
	q.config.Bodies.PutAttempt(o.record.Seq, len(o.record.Attempts), sent)
	o.tries++
	switch {
	case made.delivered():
		o.record.State = Delivered
	case o.tries < maxAttempts:
		q.wait(o, q.config.Retry)
	case o.record.State == Pending:
		o.record.State = Failed
	}
	q.keep(o)
}

// keep stores a delivery. The caller holds mu.
func (q *Queue) keep(o *outgoing) {
	kept := Record{Delivery: *o.record}
	if o.record.open() {
		kept.Event = &o.event
	}
	q.config.Keep(kept)
}

// Reset forgets everything except the attempts in progress.
func (q *Queue) Reset() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.lanes {
		l.ready = nil
	}
	q.waiting, q.history = nil, history{}
	q.config.Bodies.Reset()
	q.faults.set(nil)
}

// Close stops sending and waits for the attempts in progress.
func (q *Queue) Close() {
	q.cancel()
	q.alarm.Stop()
	q.busy.Wait()
}

// waitingHeap has the event that is due first at the front.
type waitingHeap []*outgoing

func (w waitingHeap) Len() int      { return len(w) }
func (w waitingHeap) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w waitingHeap) Less(i, j int) bool {
	return w[i].due.Before(w[j].due) || w[i].due.Equal(w[j].due) && w[i].order < w[j].order
}
func (w *waitingHeap) Push(x any) { *w = append(*w, x.(*outgoing)) }
func (w *waitingHeap) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}
