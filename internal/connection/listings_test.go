package connection

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

func withPace(requestsPerSecond int32) func(*v1alpha1.SmileConnection) {
	return func(conn *v1alpha1.SmileConnection) { conn.Spec.RequestsPerSecond = requestsPerSecond }
}

func TestTheShareOfAListing(t *testing.T) {
	t.Parallel()
	name := func(i int) types.NamespacedName { return types.NamespacedName{Namespace: "n", Name: fmt.Sprint(i)} }
	for title, c := range map[string]struct {
		paces []int32
		// own is true if the listing uses the connection's own share. Otherwise fastest is its pace.
		own     bool
		fastest int64
	}{
		"one connection":           {[]int32{1}, true, 0},
		"a slow and a fast one":    {[]int32{1, 5}, false, 5},
		"a slow and a free one":    {[]int32{1, 0}, false, 0},
		"the slow one comes later": {[]int32{0, 1, 2}, false, 0},
	} {
		l := &listings{account: "one", paces: map[types.NamespacedName]int32{}}
		for i, pace := range c.paces {
			l.join(name(i), pace)
		}
		own := new(transport.Share)
		flow, share := l.of("n/0", own)
		if (share == own) != c.own || (flow == "n/0") != c.own {
			t.Errorf("%s: uses the connection's share: %v, flow %q", title, share == own, flow)
		}
		if got := l.share.RequestsPerSecond(); !c.own && got != c.fastest {
			t.Errorf("%s: its pace is %d", title, got)
		}
	}
}

// A listing that the slow connection sends has the pace of the account, and uses nothing of the slow connection's share.
func TestAListingBelongsToTheAccount(t *testing.T) {
	t.Parallel()
	const calls = 5
	w := newWorld(t, keys("keys", "key-one"))
	slow := w.refresh(t, connection("slow", "keys", withPace(1)))
	w.refresh(t, connection("fast", "keys"))
	began, ctx := time.Now(), WithAll(t.Context())
	for range calls {
		if err := slow.Client.Probe(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := slow.Client.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took >= (calls-1)*time.Second {
		t.Errorf("%d calls took %v: they were slowed to the pace of the slow connection", calls, took)
	}
}

func TestADeletedConnectionSetsNoPace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("keys", "key-one"), keys("others", "key-two"))
	slow := w.refresh(t, connection("slow", "keys", withPace(1)))
	w.refresh(t, connection("fast", "keys", withPace(7)))
	pace := func() int64 { return w.listings[slow.Account()].share.RequestsPerSecond() }
	if got := pace(); got != 7 {
		t.Errorf("the pace is %d", got)
	}
	w.refresh(t, connection("fast", "others", withPace(7)))
	if got := pace(); got != 1 {
		t.Errorf("the pace is %d after a connection has other keys", got)
	}
	w.forget(slow.Name, true)
	if len(w.listings) != 1 {
		t.Errorf("%d API accounts are left", len(w.listings))
	}
}
