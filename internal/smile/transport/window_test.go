package transport

import (
	"context"
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// reply is the server's response to a call.
type reply struct {
	// after is the delay of the response.
	after time.Duration
	// throttled answers 429 with that Retry-After.
	throttled  bool
	retryAfter string
	// cut closes the connection. Then a GET is sent again.
	cut bool
}

func drawReply(t *rapid.T) reply {
	r := reply{after: time.Duration(rapid.IntRange(0, 400).Draw(t, "thinks")) * time.Millisecond}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		r.throttled = true
		r.retryAfter = rapid.SampledFrom([]string{"1", "2", "0", "-5", "soon", ""}).Draw(t, "Retry-After")
	case 1:
		r.cut = true
	}
	return r
}

// recordingServer records when calls arrive and how it responds.
type recordingServer struct {
	mu       sync.Mutex
	replies  []reply
	arrivals []time.Time
}

func (v *recordingServer) serve(conn net.Conn, request *http.Request) bool {
	v.mu.Lock()
	r := v.replies[len(v.arrivals)%len(v.replies)]
	v.arrivals = append(v.arrivals, time.Now())
	v.mu.Unlock()
	time.Sleep(r.after)
	switch {
	case r.cut:
		return false
	case r.throttled:
		return write(conn, rawAnswer("429 Too Many Requests", `{"code":"REQUEST_LIMIT_EXCEEDED"}`, "Retry-After: "+r.retryAfter))
	default:
		return write(conn, answerTo(request))
	}
}

// TestTheServerNeverSeesMoreThanTheLimit counts the calls that arrive, over the whole chain: callers in every lane start and give
// up at any time, and there are refusals, slow responses and broken connections.
func TestTheServerNeverSeesMoreThanTheLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.Float64Range(1, 40).Draw(rt, "limit")
		arrivals := drawArrivals(rt)
		v := &recordingServer{replies: rapid.SliceOfN(rapid.Custom(drawReply), 1, 30).Draw(rt, "replies")}
		synctest.Test(t, func(t *testing.T) {
			client := clientOf(piped(t, Config{Budget: NewBudget(limit)}, v.serve))
			var group sync.WaitGroup
			for i, a := range arrivals {
				group.Go(func() {
					time.Sleep(a.at)
					ctx, cancel := context.WithTimeout(t.Context(), a.patience)
					defer cancel()
					ctx = WithFlow(smile.WithLane(ctx, smile.Lane(i%4)), strconv.Itoa(i%3))
					if i%2 == 0 {
						_ = create(ctx, client)
						return
					}
					_ = client.Probe(ctx)
				})
			}
			group.Wait()
		})
		if got := largestWindow(v.arrivals); got > int(math.Ceil(limit)) {
			rt.Fatalf("%d calls in one second, the limit is %v", got, limit)
		}
	})
}

// TestRetryAfterIsRespected refuses one call of many with 429, in every form, and checks when the next one arrives.
func TestRetryAfterIsRespected(t *testing.T) {
	const date = "Tue, 31 Mar 2026 12:00:00 GMT"
	for name, test := range map[string]struct {
		headers []string
		pause   time.Duration
	}{
		"seconds":         {[]string{"Retry-After: 3"}, 3 * time.Second},
		"a date":          {[]string{"Date: " + date, "Retry-After: Tue, 31 Mar 2026 12:00:04 GMT"}, 4 * time.Second},
		"a date long ago": {[]string{"Date: " + date, "Retry-After: Tue, 31 Mar 2020 12:00:00 GMT"}, 0},
		"negative":        {[]string{"Retry-After: -3"}, 0},
		"far away":        {[]string{"Date: " + date, "Retry-After: Tue, 31 Mar 2126 12:00:00 GMT"}, 10 * time.Minute},
		"huge":            {[]string{"Retry-After: 99999999999999999999"}, 10 * time.Minute},
		"nothing":         {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var arrivals []time.Time
				client := clientOf(piped(t, Config{Budget: NewBudget(20)}, func(conn net.Conn, r *http.Request) bool {
					arrivals = append(arrivals, time.Now())
					if len(arrivals) == 1 {
						return write(conn, rawAnswer("429 Too Many Requests", `{"code":"REQUEST_LIMIT_EXCEEDED"}`, test.headers...))
					}
					return write(conn, answerTo(r))
				}))
				for len(arrivals) < 2 {
					err := create(t.Context(), client)
					if wait, throttled := smile.ThrottledFor(err); throttled && len(arrivals) == 1 && wait > 5*time.Second {
						time.Sleep(wait) // as a reconciler does
					}
				}
				if got := arrivals[1].Sub(arrivals[0]); got < test.pause || got > test.pause+time.Second {
					t.Errorf("the next call came after %v, want %v", got, test.pause)
				}
			})
		})
	}
}
