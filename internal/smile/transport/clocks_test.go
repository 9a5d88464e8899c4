package transport

import (
	"net/http"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

var noon = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

// machine has a wall clock that can be set, and a monotonic clock that cannot.
type machine struct {
	*clocktesting.FakeClock

	// set is by how much the wall clock was set forward, or how long the machine was suspended.
	set time.Duration
}

func (m *machine) Now() time.Time { return m.FakeClock.Now().Add(m.set) }

func newMachine() *machine { return &machine{FakeClock: clocktesting.NewFakeClock(noon)} }

func TestTheSkewIsTheLeastThatAResponseAllows(t *testing.T) {
	t.Parallel()
	const slow = 8 * time.Second
	for name, c := range map[string]struct {
		date time.Time
		took time.Duration
		want time.Duration
	}{
		"the same second":                     {noon, 0, 0},
		"written when the request was sent":   {noon, slow, 0},
		"written when the response came":      {noon.Add(slow), slow, 0},
		"written a second before the request": {noon.Add(-time.Second), slow, 0},
		"the local clock is ahead":            {noon.Add(-time.Hour), slow, time.Hour - time.Second},
		"the local clock is behind":           {noon.Add(time.Hour), slow, slow - time.Hour},
		"by more than a year":                 {noon.Add(-400 * 24 * time.Hour), 0, 400*24*time.Hour - time.Second},
	} {
		if got := aheadOf(c.date, noon, noon.Add(c.took)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// answering is a host that shows a Date.
func answering(date string) tripper {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{Header: http.Header{"Date": {date}}, Body: http.NoBody}, nil
	}
}

func TestTheSkewOfAHost(t *testing.T) {
	t.Parallel()
	at := func(ahead time.Duration) string { return noon.Add(-ahead).Format(http.TimeFormat) }
	for name, c := range map[string]struct {
		date string
		then func(*machine)
		want Skew
	}{
		"no Date":                    {"", func(*machine) {}, Skew{}},
		"a Date that is none":        {"yesterday", func(*machine) {}, Skew{}},
		"synchronized":               {at(0), func(*machine) {}, Skew{0, true}},
		"synchronized, a day later":  {at(0), func(m *machine) { m.Step(24 * time.Hour) }, Skew{0, true}},
		"an hour ahead":              {at(time.Hour), func(*machine) {}, Skew{time.Hour - time.Second, true}},
		"set forward since":          {at(0), func(m *machine) { m.Step(time.Hour); m.set = 48 * time.Hour }, Skew{48 * time.Hour, true}},
		"set back since":             {at(0), func(m *machine) { m.set = -time.Hour }, Skew{-time.Hour, true}},
		"corrected since":            {at(time.Hour), func(m *machine) { m.set = time.Second - time.Hour }, Skew{0, true}},
		"suspended since, by itself": {at(0), func(m *machine) { m.set = 10 * time.Hour; m.Step(time.Minute) }, Skew{10 * time.Hour, true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			local := newMachine()
			clocks := NewClocks(local)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.test/v1/users", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := clocks.observe(answering(c.date)).RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			c.then(local)
			if got := clocks.Of("api.test:443"); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
			if got := clocks.Of("other.test:443"); got != (Skew{}) {
				t.Errorf("a host that has not responded: %v", got)
			}
		})
	}
}

func TestTheRangeOfSkews(t *testing.T) {
	t.Parallel()
	clocks := NewClocks(newMachine())
	if least, greatest := clocks.Range(); least.Known || greatest.Known {
		t.Errorf("no host has responded: %v, %v", least, greatest)
	}
	clocks.heard("a", noon, noon.Add(time.Minute))
	clocks.heard("b", noon, noon.Add(-time.Hour))
	clocks.heard("c", noon, noon.Add(10*time.Minute))
	least, greatest := clocks.Range()
	if want := (Skew{-time.Minute, true}); least != want {
		t.Errorf("the smallest: %v, want %v", least, want)
	}
	if want := (Skew{time.Hour - time.Second, true}); greatest != want {
		t.Errorf("the largest: %v, want %v", greatest, want)
	}
}
