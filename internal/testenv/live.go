package testenv

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/mirror"
)

// maxPasses is how many passes a Live may take. More can only be a loop that never rests.
const maxPasses = 20_000

// planned is an object in the queue.
type planned struct {
	obj      engine.Object
	due      time.Time // zero when nothing is planned
	failures int
}

// Live lets time pass as the work queues would have it: each object has a pass now, then whenever it asked for one,
// after a failure with backoff, and when the operator tells itself that its remote side or its key pair changed; and
// the mirrors are brought up to date when that is due. What the API server's watches would bring on top does not come.
func (o *Operator) Live(d time.Duration, objects ...engine.Object) {
	o.world.Helper()
	end := o.world.Clock.Now().Add(d)
	queue := make([]*planned, len(objects))
	for i, obj := range objects {
		queue[i] = &planned{obj: obj, due: o.world.Clock.Now()}
	}
	for range maxPasses {
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
	o.world.Fatalf("%d passes in %v: the queue never rests", maxPasses, d)
}

// next is what is due first, and when; nil when nothing is planned.
func (o *Operator) next(queue []*planned) (at time.Time, do func()) {
	first := earliest(queue)
	if round, ok := o.controllers.Mirrors.NextPoll(); ok && (first == nil || !first.due.Before(round)) {
		return round, func() { o.controllers.Mirrors.PollDue(o.world.Context()) }
	}
	if first == nil {
		return time.Time{}, nil
	}
	return first.due, func() { o.pass(first) }
}

// Survey lets time pass until the mirrors are brought up to date the next time, and nothing else happen. A time that has
// come already does not count: what was read after it is not read again.
func (o *Operator) Survey() {
	o.world.Helper()
	o.controllers.Mirrors.PollDue(o.world.Context())
	next, ok := o.controllers.Mirrors.NextPoll()
	if !ok {
		o.world.Fatal("no mirror has anything to do")
	}
	o.world.Clock.SetTime(next)
	o.controllers.Mirrors.PollDue(o.world.Context())
}

func (o *Operator) pass(next *planned) {
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

// wake makes due what the operator has told itself about.
func (o *Operator) wake(queue []*planned) {
	for {
		select {
		case told := <-o.controllers.Registry.Events():
			o.makeDue(queue, func(obj engine.Object) bool {
				_, is := obj.(*v1alpha1.SmileConnection)
				return is && client.ObjectKeyFromObject(obj) == client.ObjectKeyFromObject(told.Object)
			})
		case told := <-o.changes:
			o.makeDue(queue, func(obj engine.Object) bool { return o.concerns(obj, told.Object) })
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

// concerns tells whether an object is about a remote user, and did not find out itself.
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
