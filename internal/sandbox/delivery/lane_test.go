package delivery

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/clock"
)

// hanging answers at once, except for one host, which never answers.
type hanging struct{ host string }

func (h hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == h.host {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// TestHangingWebhookDelaysOnlyItself: with every worker of one webhook waiting,
// another webhook gets its events at once.
func TestHangingWebhookDelaysOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(Config{
			Clock: clock.New(time.Now), Workers: 2, Timeout: 10 * time.Second, Retry: time.Hour, Transport: hanging{"slow.test"},
			Signature: strings.ToLower, Keep: func(Record) {}, Flush: func() {},
		})
		defer q.Close()
		post := func(webhook string) {
			q.Post("key", Target{
				WebhookID: webhook, URL: "http://" + webhook, Deleted: func() bool { return false },
			}, Event{ID: "et-1", Type: "USER_CREATED"})
		}
		for range 20 {
			post("slow.test")
		}
		post("quick.test")
		synctest.Wait()
		for _, d := range q.Since(0) {
			want := Pending
			if d.WebhookID == "quick.test" {
				want = Delivered
			}
			if d.State != want {
				t.Errorf("%s: %s, want %s", d.WebhookID, d.State, want)
			}
		}
	})
}
