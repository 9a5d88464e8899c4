package receiver

import (
	"time"

	"github.com/smile-operator/smile-operator/internal/ratelimit"
)

const (
	// unprovenRate is how many requests a second to unknown paths a source may make, and unprovenBurst how many at once.
	unprovenRate  = 50
	unprovenBurst = 100
)

// sources limits the requests of each source. Only requests to unknown paths count: behind an ingress all requests may have the
// same source.
type sources struct{ *ratelimit.Limiter }

func newSources(now func() time.Time) sources {
	return sources{ratelimit.New(unprovenRate, unprovenBurst, now)}
}

// spend counts a request. It returns false if the source has sent too many.
func (s sources) spend(remote string) bool {
	_, ok := s.Take(ratelimit.SourceOf(remote))
	return ok
}
