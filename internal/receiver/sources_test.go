package receiver

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/ratelimit"
)

// However many sources there are, one that has used up its requests stays refused.
func TestManySourcesDoNotResetTheLimitOfAnother(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s := newSources(func() time.Time { return now })
	const source = "192.0.2.1:443"
	for range unprovenBurst {
		if !s.spend(source) {
			t.Fatal("refused before the burst is used up")
		}
	}
	for i := range 3 * ratelimit.MaxKeys {
		if !s.spend(fmt.Sprintf("10.%d.%d.1:443", i/256, i%256)) {
			t.Fatal("a source is refused its first request")
		}
		if s.spend(source) {
			t.Fatalf("accepted again after %d other sources", i+1)
		}
	}
	now = now.Add(time.Second)
	for i := range unprovenRate + 1 {
		if got, want := s.spend(source), i < unprovenRate; got != want {
			t.Fatalf("a second later, request %d is accepted: %v", i+1, got)
		}
	}
}

func TestSourcesAreBounded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := newSources(func() time.Time { return now })
	for i := range 3 * ratelimit.MaxKeys {
		s.spend(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1).String())
		if s.Len() > ratelimit.MaxKeys {
			t.Fatalf("%d sources are remembered", s.Len())
		}
	}
}
