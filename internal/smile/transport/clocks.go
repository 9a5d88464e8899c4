package transport

import (
	"net/http"
	"sync"
	"time"
)

// LocalClock is the clock of this machine. Since counts by its monotonic clock, which nobody can set, and which stands still
// while a virtual machine is suspended.
type LocalClock interface {
	Now() time.Time
	Since(at time.Time) time.Duration
}

// Clocks compares the local wall clock with those of the API hosts, by the Date header of their responses. It is safe for
// concurrent use.
type Clocks struct {
	local LocalClock

	mu   sync.Mutex
	last map[string]dated
}

// dated is what the last response of a host with a Date has shown.
type dated struct {
	// at is when it arrived, by the local clock.
	at time.Time
	// ahead is by how much the local clock was ahead of the host's.
	ahead time.Duration
}

// NewClocks returns a Clocks without any host.
func NewClocks(local LocalClock) *Clocks {
	return &Clocks{local: local, last: map[string]dated{}}
}

// Skew is by how much the local wall clock is ahead of that of an API host; negative if it is behind. Known is false while no
// response of the host has shown its time since the process started.
type Skew struct {
	Ahead time.Duration
	Known bool
}

// Of returns the skew of a host. The host is a result of HostPort. The skew is right at once after the wall clock was set or the
// machine was suspended, because then the wall clock advances by another amount than the monotonic one.
func (c *Clocks) Of(host string) Skew {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, ok := c.last[host]
	return Skew{Ahead: c.ahead(last), Known: ok}
}

// Range returns the least and the greatest skew, in magnitude, of all hosts that have responded.
func (c *Clocks) Range() (least, greatest Skew) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, last := range c.last {
		skew := Skew{Ahead: c.ahead(last), Known: true}
		if !least.Known || skew.Ahead.Abs() < least.Ahead.Abs() {
			least = skew
		}
		if skew.Ahead.Abs() >= greatest.Ahead.Abs() {
			greatest = skew
		}
	}
	return least, greatest
}

func (c *Clocks) ahead(last dated) time.Duration {
	if last.at.IsZero() {
		return 0
	}
	wall := c.local.Now().Round(0).Sub(last.at.Round(0))
	return last.ahead + wall - c.local.Since(last.at)
}

// observe is the step that reads the Date of each response.
func (c *Clocks) observe(next http.RoundTripper) http.RoundTripper {
	if c == nil {
		return next
	}
	return tripper(func(request *http.Request) (*http.Response, error) {
		sent := c.local.Now()
		response, err := next.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		if date, malformed := http.ParseTime(response.Header.Get("Date")); malformed == nil {
			c.heard(HostPort(request.URL), sent, date)
		}
		return response, nil
	})
}

func (c *Clocks) heard(host string, sent, date time.Time) {
	received := c.local.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last[host] = dated{at: received, ahead: aheadOf(date, sent, received)}
}

// aheadOf is by how much the local clock is ahead of a host that wrote date into its response to a request: the least that
// the response allows, because a Date has whole seconds, and was written at any time between sending and receiving.
func aheadOf(date, sent, received time.Time) time.Duration {
	atLeast, atMost := sent.Round(0).Sub(date.Add(time.Second)), received.Round(0).Sub(date)
	switch {
	case atLeast > 0:
		return atLeast
	case atMost < 0:
		return atMost
	default:
		return 0
	}
}
