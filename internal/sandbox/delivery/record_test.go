package delivery

import "testing"

// TestHistoryForgetsTheOldest: the number of deliveries in memory is bounded.
func TestHistoryForgetsTheOldest(t *testing.T) {
	var h history
	for range 2*maxHistory + 3 {
		h.add(&Delivery{})
	}
	last := 2*maxHistory + 3
	kept := h.since(0)
	if len(kept) != maxHistory+3 || kept[0].Seq != maxHistory+1 || kept[len(kept)-1].Seq != last {
		t.Errorf("%d deliveries from %d", len(kept), kept[0].Seq)
	}
	if _, ok := h.get(maxHistory); ok {
		t.Error("a forgotten delivery is found")
	}
	if got, ok := h.get(last); !ok || got.Seq != last {
		t.Errorf("%+v %t", got, ok)
	}
}
