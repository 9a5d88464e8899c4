package smile

import (
	"net/http"
	"strings"
	"time"
)

// maxRetryAfter bounds what a server can ask for.
const maxRetryAfter = 10 * time.Minute

// RetryAfter reads how long a server wants to be left alone, from a number of
// seconds or a date, which is measured against the answer's own Date where there
// is one. It is between 0 and 10 minutes; absent, past and garbled give 0.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, ok := digits(text); ok {
		return min(seconds, maxRetryAfter)
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}

// digits reads a number of seconds of any length, up to the limit.
func digits(text string) (time.Duration, bool) {
	var sum time.Duration
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		sum = min(10*sum+time.Duration(c-'0')*time.Second, maxRetryAfter)
	}
	return sum, text != ""
}
