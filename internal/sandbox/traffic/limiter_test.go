package traffic

import (
	"testing"
	"time"
)

func TestIdleSourcesAreForgotten(t *testing.T) {
	now := time.Date(2026, 3, 31, 22, 30, 0, 0, time.UTC)
	l := NewLimiter(1, func() time.Time { return now })
	for i := range maxSources {
		l.Allow(string(rune('a' + i)))
	}
	now = now.Add(window)
	l.Allow("one more")
	if len(l.sources) != 1 {
		t.Errorf("%d sources are remembered", len(l.sources))
	}
}
