package testenv

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
)

// maxReconciles is the largest number of reconciles of a Live. More means an endless loop.
const maxReconciles = 20_000

// planned is an object in the queue.
type planned struct {
	obj      engine.Object
	due      time.Time // zero when nothing is planned
	failures int
}

// Live advances the clock and reconciles as the work queues would: each object now, whenever it requested that, after a failure
// with backoff, and when the operator notices that its remote side or its key pair changed. The mirrors poll when due. There are
// no events from the API server's watches.
func (o *Operator) Live(d time.Duration, objects ...engine.Object) {
	o.world.Helper()
	end := o.world.Clock.Now().Add(d)
	queue := make([]*planned, len(objects))
	for i, obj := range objects {
		queue[i] = &planned{obj: obj, due: o.world.Clock.Now()}
	}
	for range maxReconciles {
		at, do := o.next(queue)
		if do == nil || at.After(end) {
			o.world.Clock.SetTime(end)
			return
		}
		if at.After(o.world.Clock.Now()) {
			o.world.Clock.SetTime(at)
		}
		do()
		o.wake(queue)
	}
	o.world.Fatalf("%d reconciles in %v: the queue never rests", maxReconciles, d)
}

// next is what is due first, and when; nil when nothing is planned.
func (o *Operator) next(queue []*planned) (at time.Time, do func()) {
	first := earliest(queue)
	if poll, ok := o.controllers.Mirrors.NextPoll(); ok && (first == nil || !first.due.Before(poll)) {
		return poll, func() { o.controllers.Mirrors.PollDue(o.world.Context()) }
	}
	if first == nil {
		return time.Time{}, nil
	}
	return first.due, func() { o.reconcilePlanned(first) }
}

// Poll advances the clock to the next poll of the mirrors, without any reconcile. A poll that is already due does not count,
// because newer reads are not repeated.
func (o *Operator) Poll() {
	o.world.Helper()
	o.controllers.Mirrors.PollDue(o.world.Context())
	next, ok := o.controllers.Mirrors.NextPoll()
	if !ok {
		o.world.Fatal("no mirror has anything to do")
	}
	o.world.Clock.SetTime(next)
	o.controllers.Mirrors.PollDue(o.world.Context())
}

func (o *Operator) reconcilePlanned(next *planned) {
	result, err := o.Reconcile(next.obj)
	now := o.world.Clock.Now()
	switch {
	case err != nil:
		next.due = now.Add(min(time.Second<<min(next.failures, 20), engine.LongestBackoff))
		next.failures++
	case result.RequeueAfter > 0:
		next.due, next.failures = now.Add(result.RequeueAfter), 0
	default:
		next.due, next.failures = time.Time{}, 0
	}
}

func earliest(queue []*planned) *planned {
	var first *planned
	for _, p := range queue {
		if !p.due.IsZero() && (first == nil || p.due.Before(first.due)) {
			first = p
		}
	}
	return first
}

// wake makes the objects due about which the operator has notified itself.
func (o *Operator) wake(queue []*planned) {
	for {
		select {
		case change := <-o.controllers.Registry.Events():
			o.makeDue(queue, func(obj engine.Object) bool {
				_, is := obj.(*v1alpha1.SmileConnection)
				return is && client.ObjectKeyFromObject(obj) == client.ObjectKeyFromObject(change.Object)
			})
		case change := <-o.changes:
			o.makeDue(queue, func(obj engine.Object) bool { return o.concerns(obj, change.Object) })
		default:
			return
		}
	}
}

func (o *Operator) makeDue(queue []*planned, which func(engine.Object) bool) {
	for _, p := range queue {
		if which(p.obj) {
			p.due = o.world.Clock.Now()
		}
	}
}

// concerns reports whether a change concerns an object, and was not read for that object itself.
func (o *Operator) concerns(obj engine.Object, change mirror.Change) bool {
	if obj.GetUID() == change.Reader {
		return false
	}
	switch obj := obj.(type) {
	case *v1alpha1.SmileUser:
		return obj.Status.UserID == change.UserID
	case *v1alpha1.SmileAccountSync:
		user := &v1alpha1.SmileUser{}
		user.Namespace, user.Name = obj.Namespace, obj.Spec.UserRef.Name
		return o.world.Exists(user) && user.Status.UserID == change.UserID
	default:
		return false
	}
}
