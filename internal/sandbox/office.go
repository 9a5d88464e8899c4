package sandbox

import (
	"container/heap"
	"context"
	"net/http"
	"sync"
	"time"
)

// maxAttempts is how often an event is sent before it is given up.
const maxAttempts = 3

// office sends events to webhooks. Up to a number of workers send at the same
// time, in the order in which events came; a worker exists only while there is
// something to send. What is to be sent later waits on the sandbox clock.
type office struct {
	clock     *clock
	ids       *idSource
	behaviour *behaviour
	transport http.RoundTripper
	timeout   time.Duration // of an attempt, in real time
	spacing   time.Duration // between attempts, on the sandbox clock
	workers   int
	alarm     *alarm
	// keep has a delivery written before the next answer or attempt, and flush
	// writes it.
	keep  func(key string, o object)
	flush func()

	ctx    context.Context
	cancel context.CancelFunc
	busy   sync.WaitGroup

	mu      sync.Mutex
	running int
	queue   []*delivery
	waiting waitingDeliveries
	order   int
	faults  deliveryFaults
	book    deliveryBook
}

// delivery is an event on its way to a webhook. What is behind record is
// guarded by the office.
type delivery struct {
	hook  *webhook
	event eventWire
	tampering
	record *Delivery

	due   time.Time // of the next attempt, while it waits
	order int
}

func newOffice(options Options, clock *clock, ids *idSource, b *behaviour) *office {
	o := &office{
		clock: clock, ids: ids, behaviour: b, transport: newCourier(options),
		timeout: options.WebhookTimeout, spacing: options.WebhookRetry, workers: options.WebhookWorkers,
		keep: func(string, object) {}, flush: func() {},
	}
	o.alarm = &alarm{clock: clock, ring: o.wake}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o
}

// post takes a delivery, and does to it what the delivery faults have it.
func (o *office) post(d *delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.book.add(d.record)
	defer o.keep(d.record.Key, d)
	for _, copied := range o.faults.tamper(d) {
		if copied.delay > 0 {
			o.wait(copied, copied.delay)
			continue
		}
		o.enqueue(copied)
	}
}

// resume takes up a delivery that was kept, where it was left.
func (o *office) resume(hook *webhook, kept *deliveryRecord) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.book.resume(&kept.Delivery)
	if kept.Event == nil {
		return
	}
	kept.Delivery.State = DeliveryPending
	o.enqueue(&delivery{hook: hook, event: *kept.Event, record: &kept.Delivery, tampering: tampering{tries: len(kept.Delivery.Attempts)}})
}

// enqueue has a delivery sent as soon as a worker is free. The caller holds mu.
func (o *office) enqueue(d *delivery) {
	if o.ctx.Err() != nil {
		return
	}
	o.queue = append(o.queue, d)
	if o.running < o.workers {
		o.running++
		o.busy.Add(1)
		go o.work()
	}
}

// wait has a delivery enqueued later, on the sandbox clock. The caller holds mu.
func (o *office) wait(d *delivery, delay time.Duration) {
	o.order++
	d.due, d.order = o.clock.now().Add(delay), o.order
	heap.Push(&o.waiting, d)
	o.alarm.set(o.waiting[0].due)
}

// wake enqueues what has waited long enough.
func (o *office) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock.now()
	for len(o.waiting) > 0 && !o.waiting[0].due.After(now) {
		o.enqueue(heap.Pop(&o.waiting).(*delivery))
	}
	if len(o.waiting) > 0 {
		o.alarm.set(o.waiting[0].due)
	}
}

func (o *office) work() {
	defer o.busy.Done()
	for d := o.next(); d != nil; d = o.next() {
		if d.hook.gone.Load() {
			o.drop(d)
			continue
		}
		o.flush()
		o.settle(d, o.attempt(d))
	}
}

// next is the delivery to send, nil if there is none and the worker has ended.
func (o *office) next() *delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 || o.ctx.Err() != nil {
		o.running--
		return nil
	}
	d := o.queue[0]
	o.queue[0], o.queue = nil, o.queue[1:]
	return d
}

func (o *office) drop(d *delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d.record.State = DeliveryDropped
	o.keep(d.record.Key, d)
}

// settle writes down an attempt and decides whether there is another one.
func (o *office) settle(d *delivery, made Attempt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d.record.Attempts = append(d.record.Attempts, made)
	d.tries++
	switch {
	case made.delivered():
		d.record.State = DeliveryDelivered
	case d.tries < maxAttempts:
		o.wait(d, o.spacing)
	case d.record.State == DeliveryPending:
		d.record.State = DeliveryFailed
	}
	o.keep(d.record.Key, d)
}

// reset forgets everything that is not being sent at this moment.
func (o *office) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue, o.waiting, o.book = nil, nil, deliveryBook{}
	o.faults.set(nil)
}

// close stops sending and waits for attempts that are under way.
func (o *office) close() {
	o.cancel()
	o.alarm.stop()
	o.busy.Wait()
}

// waitingDeliveries is a heap, the one that is due first in front.
type waitingDeliveries []*delivery

func (w waitingDeliveries) Len() int      { return len(w) }
func (w waitingDeliveries) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w waitingDeliveries) Less(i, j int) bool {
	return w[i].due.Before(w[j].due) || w[i].due.Equal(w[j].due) && w[i].order < w[j].order
}
func (w *waitingDeliveries) Push(x any) { *w = append(*w, x.(*delivery)) }
func (w *waitingDeliveries) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}
