//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// receivers is the host of the URL that is registered at Smile. The sender sends to any replica that is running instead.
	receivers = "http://receivers.test"
	attempts  = 3
	// overlap is how long events of a webhook that was replaced are taken. Smile's attempts lie within two minutes, and
	// the overlap is ten there; here no attempt begins when it is nearly over.
	overlap     = 15 * time.Second
	lastAttempt = overlap - 5*time.Second
)

// sender sends genuine events as Smile does, to every webhook that is registered at that moment, three times if need be,
// and remembers what came of each.
type sender struct {
	e *environment
	// addresses of the replicas, of which some may be away.
	addresses []string
	turn      atomic.Int64
	transport *http.Transport

	mu       sync.Mutex
	statuses map[int]int
	took     []time.Duration
	// acked is, for each user, when the last acknowledged event was sent.
	acked map[string]time.Time
	lost  int
}

func (e *environment) sender(addresses ...string) *sender {
	s := &sender{
		e: e, addresses: addresses, statuses: map[int]int{}, acked: map[string]time.Time{},
		transport: &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: 5 * time.Second},
	}
	e.t.Cleanup(s.transport.CloseIdleConnections)
	return s
}

// run sends a number of events a second, about the users in turn, until ctx ends, and returns when all are settled.
func (s *sender) run(ctx context.Context, rate int, kinds []string, people []string) {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var work sync.WaitGroup
	defer work.Wait()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		person, kind := people[i%len(people)], kinds[i/len(people)%len(kinds)]
		for _, hook := range s.e.registered() {
			work.Go(func() { s.deliver(hook, kind, person) })
		}
	}
}

// deliver sends one event to one webhook.
func (s *sender) deliver(hook webhook, kind, person string) {
	body, began := eventOf(kind, person), time.Now()
	for range attempts {
		sent := time.Now()
		if sent.Sub(began) > lastAttempt {
			break
		}
		status := s.send(hook, body)
		s.mu.Lock()
		s.statuses[status]++
		if status == http.StatusNoContent {
			s.took = append(s.took, time.Since(sent))
			if s.acked[person].Before(sent) {
				s.acked[person] = sent
			}
		}
		s.mu.Unlock()
		if status == http.StatusNoContent {
			return
		}
		<-time.After(3 * time.Second)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost++
}

// many sends n events to the webhook, once each and ten at a time, and returns the responses and their times.
func (s *sender) many(n int, event func(i int) []byte) (statuses map[int]int, took time.Duration) {
	target, began, turn := s.e.registered()[0], time.Now(), make(chan int)
	answers := make(chan int, n)
	var work sync.WaitGroup
	for range 10 {
		work.Go(func() {
			for i := range turn {
				answers <- s.send(target, event(i))
			}
		})
	}
	for i := range n {
		turn <- i
	}
	close(turn)
	work.Wait()
	close(answers)
	statuses = map[int]int{}
	for status := range answers {
		statuses[status]++
	}
	return statuses, time.Since(began)
}

// eventOf is the body of an event about a person that happens now.
func eventOf(kind, person string) []byte {
	return fmt.Appendf(nil, `{"id":"et-1","version":1,"type":%q,"createdAt":%q,"data":{"userId":%q}}`, kind, time.Now().UTC().Format(time.RFC3339), person)
}

// send sends a genuine event to a webhook.
func (s *sender) send(hook webhook, body []byte) int {
	target, err := url.Parse(hook.URL)
	if err != nil {
		s.e.t.Errorf("%v", err)
		return 0
	}
	return s.post(target.Path, body, http.Header{"Smile-Signature": {sign(body, hook.Secret)}})
}

func sign(body []byte, secret string) string {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// post returns the status of the response; 0 if there was none.
func (s *sender) post(path string, body []byte, header http.Header) int {
	address := s.addresses[int(s.turn.Add(1))%len(s.addresses)]
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+path, io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		s.e.t.Errorf("%v", err)
		return 0
	}
	request.ContentLength = int64(len(body))
	request.Header.Set("Content-Type", "application/json")
	maps.Copy(request.Header, header)
	answer, err := s.transport.RoundTrip(request)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

// report logs the results. It fails the test if a genuine event got any response but 204 and 503, or if an acknowledged event
// led to no read of its user.
func (s *sender) report() {
	s.e.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.took)
	s.e.t.Logf("genuine events, by answer (0: none): %v; given up after %d attempts: %d; acknowledged within p50 %s, p99 %s, at most %s",
		s.statuses, attempts, s.lost, quantile(s.took, .5), quantile(s.took, .99), quantile(s.took, 1))
	for status := range maps.Keys(s.statuses) {
		if !slices.Contains([]int{0, http.StatusNoContent, http.StatusServiceUnavailable}, status) {
			s.e.t.Errorf("%d genuine events were answered with %d", s.statuses[status], status)
		}
	}
	hints := map[string]*metav1.MicroTime{}
	for _, user := range s.e.users() {
		hints[user.Status.UserID] = user.Status.HintedAt
	}
	for person, sent := range s.acked {
		if hint := hints[person]; hint == nil || hint.Time.Before(sent.Truncate(time.Microsecond)) {
			s.e.t.Errorf("an event of %s was acknowledged, but the read is due at %v", sent, hint)
		}
	}
	s.e.allRead(s.acked)
}

// allRead waits until every user was read after the last acknowledged event about that user was sent.
func (e *environment) allRead(acked map[string]time.Time) time.Duration {
	e.t.Helper()
	return within(e.t, time.Minute, "everybody about whom an event was acknowledged has been read since", func() (bool, string) {
		seen, waiting := e.lastReads(), 0
		for person, sent := range acked {
			if !sent.Before(seen[person]) && !sent.Before(seen[everybody]) {
				waiting++
			}
		}
		return waiting == 0, fmt.Sprintf("%d have not", waiting)
	})
}

// everybody is the key for listings without a filter.
const everybody = ""

// lastReads returns when the accounts of each person were last read from Smile.
func (e *environment) lastReads() map[string]time.Time {
	seen := map[string]time.Time{}
	for _, call := range e.remote.Journal(0) {
		if call.Operation == "list-accounts" && call.Status == http.StatusOK && call.Time.After(seen[call.UserID]) {
			seen[call.UserID] = call.Time
		}
	}
	return seen
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Round(100 * time.Microsecond)
}
