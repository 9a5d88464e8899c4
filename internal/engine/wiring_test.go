package engine_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
)

func TestWhenConnectionsWakeTheirObjects(t *testing.T) {
	t.Parallel()
	conn := func(suspended bool, conditions ...metav1.Condition) *v1alpha1.SmileConnection {
		c := &v1alpha1.SmileConnection{}
		c.Spec.Suspend, c.Status.Conditions = suspended, conditions
		return c
	}
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}
	broken := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	paused := metav1.Condition{Type: v1alpha1.ConditionRevokesAllowed, Status: metav1.ConditionFalse}
	for name, test := range map[string]struct {
		before, after *v1alpha1.SmileConnection
		want          bool
	}{
		"became ready":             {conn(false, broken), conn(false, ready), true},
		"was never checked":        {conn(false), conn(false, ready), true},
		"is broken from the start": {conn(false), conn(false, broken), true},
		"stays ready":              {conn(false, ready), conn(false, ready), false},
		"broke":                    {conn(false, ready), conn(false, broken), false},
		"is resumed":               {conn(true, ready), conn(false, ready), true},
		"is suspended":             {conn(false, ready), conn(true, ready), false},
		"revokes stop":             {conn(false, ready), conn(false, ready, paused), false},
		"revokes are approved":     {conn(false, ready, paused), conn(false, ready), true},
		"revokes still wait":       {conn(false, ready, paused), conn(false, ready, paused), false},
		"approved while broken":    {conn(false, broken, paused), conn(false, broken), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := engine.BecameUsable()
			if got := p.Update(event.UpdateEvent{ObjectOld: test.before, ObjectNew: test.after}); got != test.want {
				t.Errorf("wakes them: %v", got)
			}
			if p.Create(event.CreateEvent{Object: test.after}) || p.Delete(event.DeleteEvent{Object: test.after}) {
				t.Error("its creation or deletion wakes them")
			}
		})
	}
}
