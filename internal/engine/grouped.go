package engine

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const (
	// groupBurst is how many events of a group are recorded one by one at once; one more may follow every groupRefill.
	groupBurst  = 10
	groupRefill = 6 * time.Second
	// groupWindow is how long further events of a group are counted until one event reports them all.
	groupWindow = 10 * time.Second
)

// routine are the reasons of events that report nothing beyond the status of their object, and that thousands of objects may
// have at once.
var routine = []string{v1alpha1.ReasonUserCreated, v1alpha1.ReasonUserAdopted, v1alpha1.ReasonDataWritten}

// GroupedRecorder is an event recorder that limits the writes for events that thousands of objects may have at once: those about
// changes of Ready, and those in routine. A group is the events of one namespace that are about the same kind of object and have
// the same reason and text. The first 10 events of a group are recorded one by one, and 10 more a minute. The others are counted
// for 10 s. Then one event about the last of their objects reports them all. Events that belong to no group are recorded as they
// come.
type GroupedRecorder struct {
	events.EventRecorder

	mu     sync.Mutex
	groups map[groupKey]*group
}

type groupKey struct{ namespace, kind, eventType, reason, note string }

type group struct {
	// spent is when the full burst may be recorded again.
	spent time.Time
	// held is how many events are counted and not recorded yet; last is the object of the last of them.
	held int
	last runtime.Object
}

// NewGroupedRecorder returns a recorder that records through another one.
func NewGroupedRecorder(recorder events.EventRecorder) *GroupedRecorder {
	return &GroupedRecorder{EventRecorder: recorder, groups: map[groupKey]*group{}}
}

// Eventf implements events.EventRecorder.
func (r *GroupedRecorder) Eventf(regarding, related runtime.Object, eventType, reason, action, note string, args ...any) {
	text := fmt.Sprintf(note, args...)
	if (action == actionReconcile || slices.Contains(routine, reason)) && r.hold(regarding, eventType, reason, action, text) {
		return
	}
	r.EventRecorder.Eventf(regarding, related, eventType, reason, action, "%s", text)
}

// hold counts an event instead of recording it, if too many of its group have been recorded.
func (r *GroupedRecorder) hold(regarding runtime.Object, eventType, reason, action, note string) bool {
	about, err := meta.Accessor(regarding)
	if err != nil {
		return false
	}
	key := groupKey{about.GetNamespace(), regarding.GetObjectKind().GroupVersionKind().Kind, eventType, reason, note}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.groups[key]
	if g == nil {
		r.forget(now)
		g = &group{}
		r.groups[key] = g
	}
	if g.held == 0 && g.take(now) {
		return false
	}
	g.held++
	g.last = regarding
	if g.held == 1 {
		time.AfterFunc(groupWindow, func() { r.report(key, action) })
	}
	return true
}

// take reports whether one more event may be recorded now.
func (g *group) take(now time.Time) bool {
	if g.spent.Sub(now) > (groupBurst-1)*groupRefill {
		return false
	}
	g.spent = later(g.spent, now).Add(groupRefill)
	return true
}

// forget drops the groups that are as good as new.
func (r *GroupedRecorder) forget(now time.Time) {
	for key, g := range r.groups {
		if g.held == 0 && !g.spent.After(now) {
			delete(r.groups, key)
		}
	}
}

// report records one event for all that were held.
func (r *GroupedRecorder) report(key groupKey, action string) {
	r.mu.Lock()
	g := r.groups[key]
	held, last := g.held, g.last
	g.held, g.last = 0, nil
	g.spent = later(g.spent, time.Now()).Add(groupRefill)
	r.mu.Unlock()
	note := key.note
	if held > 1 {
		note = fmt.Sprintf("%s (and %d more objects of this kind in this namespace within %s)", note, held-1, groupWindow)
	}
	r.EventRecorder.Eventf(last, nil, key.eventType, key.reason, action, "%s", note)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
