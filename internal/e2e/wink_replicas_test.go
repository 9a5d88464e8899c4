//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// replica is another operator that serves the page of the same name.
func (h *hosted) replica(flags ...string) *hosted {
	h.e.t.Helper()
	other := *h
	other.page = freeAddress(h.e.t)
	other.server = h.backend.server(append([]string{
		"--wink-bind-address=" + other.page, "--wink-base-url=http://" + h.name,
	}, flags...)...)
	return &other
}

// at is a link, if its name leads to this replica.
func (h *hosted) at(link string) string {
	_, rest, _ := strings.Cut(link, "/wink/")
	return "http://" + h.page + "/wink/" + rest
}

// status is the status of an exchange of a link's code, by a tab that has not opened it.
func (h *hosted) status(link string) int {
	h.e.t.Helper()
	page, code, _ := strings.Cut(h.at(link), "#")
	body := strings.NewReader(`{"code":"` + code + `","tab":"` + strings.Repeat("x", 43) + `"}`)
	r, err := http.NewRequestWithContext(h.e.t.Context(), http.MethodPost, page+"/open", body)
	if err != nil {
		h.e.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := h.backend.transport.RoundTrip(r)
	if err != nil {
		h.e.t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// TestWinkReplicas opens links at another replica than the one that made them. When the leader is killed, the links that it made
// are refused, and the page says what to do.
func TestWinkReplicas(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, sandbox.Options{AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
	leader := e.hosted("", "--leader-elect")
	first := e.led("")
	standby := leader.replica("--leader-elect")
	leader.person("george")
	within(t, time.Minute, "the standby passes calls on", func() (bool, string) {
		got := leader.backend.mint(standby.server, "george")
		return got.status == http.StatusCreated, got.Reason
	})
	own := texts(t, e.root)["en"]

	one, two, unopened := standby.at(leader.link("george")), leader.at(standby.link("george")), leader.link("george")
	george, ryan := leader.visitor(t, screens[0], "en"), leader.visitor(t, screens[0], "en")
	george.must(george.Do(chromedp.Navigate(one)), george.At(consentPage))
	ryan.must(ryan.Do(chromedp.Navigate(two)), ryan.At(consentPage))
	for _, replica := range []*hosted{leader, standby} {
		if status := replica.status(one); status != http.StatusGone {
			t.Errorf("a link that another tab has opened: %d", status)
		}
	}
	if opened := leader.records(t, auditlog.ActorWinkPage); len(opened) != 2 {
		t.Errorf("the leader recorded %d of 2 openings", len(opened))
	}
	if opened := standby.records(t, auditlog.ActorWinkPage); len(opened) != 0 {
		t.Errorf("the standby recorded %d openings", len(opened))
	}

	leader.kill()
	george.must(george.Do(chromedp.Reload()), george.Says(own["later"]))
	george.checked(e.root)
	george.shoot("1-no-leader")
	if status := standby.status(unopened); status != http.StatusServiceUnavailable {
		t.Errorf("a link while there is no leader: %d", status)
	}
	e.led(first)
	george.must(george.PressByKey(own["retry"]), george.Says(own["superseded"]), george.Says(own["askAgain"]))
	george.checked(e.root)
	george.shoot("2-another-leader")
	for _, former := range []string{one, unopened} {
		if status := standby.status(former); status != http.StatusGone {
			t.Errorf("a link of the former leader: %d", status)
		}
	}
	george.must(george.Do(chromedp.Navigate(standby.at(standby.link("george")))), george.At(consentPage))
}
