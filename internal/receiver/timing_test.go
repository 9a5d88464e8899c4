package receiver

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/testenv/stopwatch"
)

// memory is a cache of one subscription that is as fast as a real one.
type memory struct {
	client.Reader
	sub v1alpha1.SmileWebhookSubscription
}

func (m *memory) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	var asked client.ListOptions
	asked.ApplyOptions(options)
	if hash, _ := asked.FieldSelector.RequiresExactMatch(index.PathHash); hash == m.sub.Status.Registrations[0].PathHash {
		list.(*v1alpha1.SmileWebhookSubscriptionList).Items = []v1alpha1.SmileWebhookSubscription{m.sub}
	}
	return nil
}

// atRest is a fixture that has read the pair, need not list again, and limits no source.
func atRest(t *testing.T) *fixture {
	t.Helper()
	d := newFixture(t)
	sub := registration(t, pairOf)[0].(*v1alpha1.SmileWebhookSubscription)
	now, elapsed := time.Now(), time.Duration(0)
	d.pairs.cache, d.pairs.now = &memory{Reader: d.kube, sub: *sub}, func() time.Time { return now }
	d.now = d.pairs.now
	d.sources = newSources(func() time.Time {
		elapsed += time.Second
		return now.Add(elapsed)
	})
	for _, path := range []string{pairOf.Path.Reveal(), "x"} {
		if got := d.answerTo(delivery(t.Context(), path, strings.NewReader("{}"), "")); got != http.StatusUnauthorized {
			t.Fatalf("forged: %d", got)
		}
	}
	return d
}

// refusal is a request that is not genuine.
type refusal struct {
	path       string
	signatures []string
}

// status is a response of which only the status is kept.
type status int

func (*status) Header() http.Header         { return http.Header{} }
func (*status) Write(p []byte) (int, error) { return len(p), nil }
func (s *status) WriteHeader(code int)      { *s = status(code) }

// measured returns two functions for stopwatch, for two refusals of this body. What differs is copied each time, so that its
// place in memory has no influence. All else is reused, so that there is little garbage.
func (d *fixture) measured(t *testing.T, body string, cases [2]refusal) (set func(which int), run func()) {
	content, answer := strings.NewReader(body), status(http.StatusUnauthorized)
	r := delivery(t.Context(), "x", content, "")
	set = func(which int) {
		if answer != http.StatusUnauthorized {
			t.Fatalf("not refused: %d", answer)
		}
		content.Reset(body)
		r.URL.Path = hook.Prefix + cases[which].path
		r.Header[smile.SignatureHeader] = r.Header[smile.SignatureHeader][:0]
		for _, signature := range cases[which].signatures {
			r.Header.Add(smile.SignatureHeader, strings.Clone(signature))
		}
	}
	return set, func() { d.ServeHTTP(&answer, r) }
}

// differing is a text that differs from another in one place.
func differing(text string, at int) string {
	other := "0"
	if text[at] == '0' {
		other = "1"
	}
	return text[:at] + other + text[at+1:]
}

// The time of a response does not reveal how much of a guessed signature or path is right.
func TestResponseTimesDoNotRevealHowMuchIsRight(t *testing.T) {
	body, path := eventOf("TASK_FINISHED"), pairOf.Path.Reveal()
	right := Sign(body, pairOf.Secret.Reveal())
	for name, cases := range map[string][2]refusal{
		"signatures": {{path, []string{differing(right, 0)}}, {path, []string{differing(right, len(right)-1)}}},
		"paths":      {{differing(path, 0), []string{right}}, {differing(path, len(path)-1), []string{right}}},
	} {
		set, run := atRest(t).measured(t, body, cases)
		if difference := stopwatch.Difference(60_000, set, run); difference >= stopwatch.Apart {
			t.Errorf("the time to refuse %s depends on which byte is wrong: the smallest t is %.1f", name, difference)
		}
	}
}

// The signature is verified whatever is wrong. Whether a path is registered can be found out nevertheless, by the occasional
// listing and by the rate limit. That does not matter, because a path has 256 bits and cannot be guessed step by step. So the
// difference must only be small compared with the verification.
func TestTheSignatureIsVerifiedForUnknownPathsToo(t *testing.T) {
	const attempts, times, share = 4, 400, 0.3
	body, path := padded(64<<10), pairOf.Path.Reveal()
	right := Sign(body, pairOf.Secret.Reveal())
	wrong := refusal{path, []string{differing(right, 0)}}
	for name, other := range map[string]refusal{
		"an unknown path":                  {"x", []string{right}},
		"no signature":                     {path, nil},
		"two signatures":                   {path, []string{right, right}},
		"half a signature":                 {path, []string{right[:64]}},
		"an unknown path and no signature": {"x", nil},
	} {
		set, run := atRest(t).measured(t, body, [2]refusal{wrong, other})
		best := math.Inf(1)
		for try := 0; try < attempts && best > share; try++ {
			proof, _ := stopwatch.Take(times, func(int) {}, func() { smile.Signature{}.Proves([]byte(body), pairOf.Secret) }).Means()
			a, b := stopwatch.Take(times, set, run).Means()
			best = min(best, math.Abs(a-b)/proof)
		}
		if best > share {
			t.Errorf("%s makes a difference of %.2f times the verification", name, best)
		}
	}
}
