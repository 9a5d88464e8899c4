package smile

import (
	"net/http"
	"strings"
	"time"
)

// maxRetryAfter bounds the pause that a server can require.
const maxRetryAfter = 10 * time.Minute

// RetryAfter returns how long a server wants no calls: 0 to 10 minutes. The header is
// a number of seconds, or a date, which is compared with the response's own Date if it
// has one. The result is 0 if the header is absent, in the past or unreadable.
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
