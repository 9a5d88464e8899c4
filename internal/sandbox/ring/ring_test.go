package ring

import "testing"

func TestTheOldestAreDropped(t *testing.T) {
	r := New[int, string](100)
	for i := range 1000 {
		r.Put(i, "x", 30)
		if r.Used() > 100 {
			t.Fatalf("%d bytes are kept", r.Used())
		}
	}
	for key, want := range map[int]bool{995: false, 996: false, 997: true, 999: true} {
		if _, kept := r.Get(key); kept != want {
			t.Errorf("%d is kept: %t", key, kept)
		}
	}
	if got := r.order.Len(); got > 8 {
		t.Errorf("%d keys are remembered for 3 values", got)
	}
	r.Put(999, "y", 40)
	if got, _ := r.Get(999); got != "y" || r.Used() != 100 {
		t.Errorf("after a change %q, %d bytes", got, r.Used())
	}
	r.Put(1000, "too large", 101)
	if _, kept := r.Get(1000); kept || r.Used() != 0 {
		t.Errorf("larger than the ring: kept %t, %d bytes", kept, r.Used())
	}
	r.Put(1, "a", 10)
	r.Drop(1)
	r.Put(1, "b", 10)
	if got, kept := r.Get(1); !kept || got != "b" || r.Used() != 10 {
		t.Errorf("kept again: %q, %d bytes", got, r.Used())
	}
	r.Reset()
	if _, kept := r.Get(1); kept || r.Used() != 0 {
		t.Error("the reset did not remove everything")
	}
}

func TestARingWithoutALimitKeepsNothing(t *testing.T) {
	r := New[int, string](0)
	r.Put(1, "x", 1)
	if _, kept := r.Get(1); kept || r.Keeps() {
		t.Error("something is still remembered")
	}
}
