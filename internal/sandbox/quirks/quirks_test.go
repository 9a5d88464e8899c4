package quirks

import (
	"strings"
	"testing"
)

// TestEveryQuirkIsSet proves that each value of each quirk is accepted, and
// that each shape belongs to one.
func TestEveryQuirkIsSet(t *testing.T) {
	known := map[string]bool{}
	for _, q := range All() {
		known[q.Name] = true
		for value := range strings.SplitSeq(strings.Replace(q.Values, duration, "5s", 1), "|") {
			if _, err := NewBehavior(map[string]string{q.Name: value}); err != nil {
				t.Error(err)
			}
			if reshapes[q.Name] != nil && value != strings.Split(q.Values, "|")[0] && reshapes[q.Name][value] == nil {
				t.Errorf("%s=%s has no effect", q.Name, value)
			}
		}
	}
	for name := range reshapes {
		if !known[name] {
			t.Errorf("there is no quirk %s", name)
		}
	}
}
