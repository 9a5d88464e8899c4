package engine

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// recorded is what a recorder was given, as name and note.
type recorded struct {
	mu  sync.Mutex
	all []string
}

func (r *recorded) Eventf(regarding, _ runtime.Object, _, _, _, note string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, regarding.(*metav1.PartialObjectMetadata).Name+": "+fmt.Sprintf(note, args...))
}

func (r *recorded) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.all
	r.all = nil
	return taken
}

func about(namespace, name string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("SmileUser"))
	return object
}

func TestRoutineEventsOfManyObjectsAreGrouped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := &recorded{}
		r := NewGroupedRecorder(under)
		create := func(namespace string, from, to int) {
			for i := from; i <= to; i++ {
				r.Eventf(about(namespace, fmt.Sprintf("u%d", i)), nil, corev1.EventTypeNormal, v1alpha1.ReasonUserCreated, "Provision", "created")
			}
		}
		create("a", 1, 300)
		create("b", 1, 1)
		if got := under.take(); len(got) != groupBurst+1 || got[0] != "u1: created" || got[groupBurst] != "u1: created" {
			t.Errorf("at once: %v", got)
		}
		time.Sleep(groupWindow + time.Second)
		synctest.Wait()
		want := []string{"u300: created (and 289 more objects of this kind in this namespace within 10s)"}
		if diff := cmp.Diff(want, under.take()); diff != "" {
			t.Errorf("after the window: %s", diff)
		}

		create("a", 301, 301)
		if got := under.take(); got != nil {
			t.Errorf("the rate is not kept: %v", got)
		}
		time.Sleep(groupWindow)
		synctest.Wait()
		if diff := cmp.Diff([]string{"u301: created"}, under.take()); diff != "" {
			t.Errorf("one alone: %s", diff)
		}

		time.Sleep(2 * groupBurst * groupRefill)
		create("c", 1, 1)
		if len(r.groups) != 1 {
			t.Errorf("%d groups are remembered", len(r.groups))
		}
		create("a", 302, 302)
		if got := under.take(); len(got) != 2 {
			t.Errorf("after a pause: %v", got)
		}
	})
}

func TestOtherEventsAreRecordedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := &recorded{}
		r := NewGroupedRecorder(under)
		for i := range 100 {
			r.Eventf(about("a", fmt.Sprintf("u%d", i)), nil, corev1.EventTypeNormal, v1alpha1.ReasonDataErased, "Erase", "erased %d%%", 100)
		}
		if got := under.take(); len(got) != 100 || got[99] != "u99: erased 100%" {
			t.Errorf("%d events, the last is %q", len(got), got[len(got)-1])
		}
		// A change of Ready is in the status of each object.
		for i := range 100 {
			r.Eventf(about("a", fmt.Sprintf("u%d", i)), nil, corev1.EventTypeWarning, v1alpha1.ReasonConnectionNotReady, actionReconcile, "not Ready")
		}
		time.Sleep(groupWindow)
		synctest.Wait()
		if got := under.take(); len(got) != groupBurst+1 {
			t.Errorf("%d events of changes of Ready", len(got))
		}
	})
}
