package mirror

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
)

var (
	ours   = types.NamespacedName{Namespace: "shop", Name: "smile"}
	theirs = types.NamespacedName{Namespace: "bank", Name: "smile"}
)

// disconnected returns the accounts of a number of users. The accounts from first on are disconnected.
func (w *fixture) disconnected(users, first int) []string {
	accounts := w.accounts(users)
	for i := first; i < users; i++ {
		accounts[i] = strings.Replace(accounts[i], "CONNECTED", "DISCONNECTED", 1)
	}
	return accounts
}

// heldErasures counts the syncs of users from first on that may not erase. Half of the users have a sync.
func (w *fixture) heldErasures(users, first int) (held int) {
	for i := first + first%2; i < users; i += 2 {
		if w.MayErase(ours, fmt.Sprint("u", i), fmt.Sprint("a", i)) != nil {
			held++
		}
	}
	return held
}

func TestMassDisappearanceIsHeldUntilApproved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		users, left int
		held        bool
	}{
		"nine of eighteen":             {36, 18, false},
		"ten of twenty":                {40, 20, true},
		"all":                          {40, 0, true},
		"ten of two hundred":           {400, 380, false},
		"eleven of two hundred":        {400, 378, true},
		"none":                         {40, 40, false},
		"those that no sync has a use": {20, 20, false},
	} {
		for shown, remaining := range map[string]func(*fixture) []string{
			"absent":       func(w *fixture) []string { return w.accounts(c.left) },
			"disconnected": func(w *fixture) []string { return w.disconnected(c.users, c.left) },
		} {
			t.Run(name+", "+shown, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newFixture(t, c.users)
					w.live(t, toGrid)
					w.remote.set("accounts", remaining(w)...)
					w.live(t, 15*time.Minute)
					synctest.Wait()
					gone := (c.users - c.left) / 2
					want := 0
					if c.held {
						want = gone
					}
					if held := w.heldErasures(c.users, c.left); held != want {
						t.Fatalf("%d of %d erasures are held, want %d", held, gone, want)
					}
					if shown := w.ErasureHeld(ours) != nil; shown != c.held {
						t.Errorf("shows that it holds: %v", shown)
					}
					changed(w.changes)
					w.ApproveErasure(ours)
					if woken := len(changed(w.changes)); woken != want {
						t.Errorf("%d are woken, want %d", woken, want)
					}
					if held := w.heldErasures(c.users, c.left); held != 0 || w.ErasureHeld(ours) != nil {
						t.Errorf("%d erasures are still held after the approval", held)
					}
				})
			})
		}
	}
}

// After a start, only the objects show what there was before.
func TestMassDisappearanceBeforeTheStartIsHeldToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 40)
		w.remote.set("accounts")
		w.live(t, toGrid)
		synctest.Wait()
		if held := w.heldErasures(40, 0); held != 20 || w.ErasureHeld(ours) == nil {
			t.Fatalf("%d are held", held)
		}
		w.remote.set("accounts", w.accounts(40)...)
		w.live(t, 15*time.Minute)
		synctest.Wait()
		if w.ErasureHeld(ours) != nil {
			t.Error("held although all accounts are connected again")
		}
	})
}

func TestMassDisappearanceOneByOneIsHeldToo(t *testing.T) {
	t.Parallel()
	m, _ := startMirror(t)
	for i := range fewDisappear {
		if err := m.MayErase(ours, "u", fmt.Sprint("a", i)); (err != nil) != (i == fewDisappear-1) {
			t.Errorf("the %d.: %v", i+1, err)
		}
	}
}

// Ten of two hundred accounts are disconnected soon after a start. They are few, although no poll has counted the accounts yet.
func TestAccountsAtStakeAreCountedBeforeTheFirstPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 400)
		if held := w.heldErasures(20, 0); held != 0 {
			t.Errorf("%d are held", held)
		}
	})
}

// An approval has no effect on the data of other connections, however few accounts are missing without the approved ones.
func TestAnApprovalAppliesToItsConnectionOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _ := startMirror(t)
		changes := m.changes.open()
		for i := range 12 {
			_ = m.MayErase(ours, fmt.Sprint("u", i), fmt.Sprint("a", i))
		}
		if m.MayErase(theirs, "v", "b") == nil || m.ErasureHeld(theirs) == nil {
			t.Fatal("the other connection's is not held")
		}
		m.ApproveErasure(ours)
		if woken := changed(changes); slices.Contains(woken, "v") || len(woken) != 3 {
			t.Errorf("woken: %v", woken)
		}
		for i := range 12 {
			if err := m.MayErase(ours, fmt.Sprint("u", i), fmt.Sprint("a", i)); err != nil {
				t.Errorf("a%d is held after its approval: %v", i, err)
			}
		}
		if m.MayErase(theirs, "v", "b") == nil || m.ErasureHeld(theirs) == nil {
			t.Error("one connection's approval counts for another's")
		}
		if m.MayErase(theirs, "w", "c") == nil {
			t.Error("another of the other connection is not held")
		}
		if m.ErasureHeld(ours) != nil {
			t.Error("the first connection still shows the hold")
		}
		m.ApproveErasure(theirs)
		if err := m.MayErase(theirs, "v", "b"); err != nil {
			t.Errorf("after its own approval: %v", err)
		}
		time.Sleep(disappearingSpan + time.Second)
		if err := m.MayErase(theirs, "x", "d"); err != nil {
			t.Errorf("an account that is disconnected later is held: %v", err)
		}
	})
}

// An erasure that waited, and whose object was deleted, does not hold the data of accounts that are disconnected much later.
func TestErasuresThatAreNotRetriedStopCounting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _ := startMirror(t)
		for i := range 20 {
			_ = m.MayErase(theirs, fmt.Sprint("u", i), fmt.Sprint("a", i))
		}
		time.Sleep(heldFor - time.Second)
		if m.MayErase(ours, "v", "b") == nil {
			t.Error("not held though many wait")
		}
		time.Sleep(heldFor)
		if err := m.MayErase(ours, "w", "c"); err != nil {
			t.Errorf("held: %v", err)
		}
		if m.ErasureHeld(theirs) != nil {
			t.Error("shown although no erasure is waiting")
		}
	})
}

// If users are read one by one, no disappearance is reported before all were read.
func TestNoDisappearanceIsReportedBeforeAllUsersWereRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 40)
		w.live(t, toGrid)
		w.poller.refresher.costs.accounts.pages = 1000 // a listing needs more calls
		w.remote.set("accounts", w.disconnected(40, 0)...)
		changed(w.changes)
		during := 0
		w.remote.during = func(call int) {
			if w.remote.made()[call-1] == "accounts" {
				during += len(changed(w.changes))
			}
		}
		w.live(t, 15*time.Minute)
		synctest.Wait()
		if calls := w.calls()["accounts"]; calls < 40 {
			t.Fatalf("%d calls: they were not read one by one", calls)
		}
		if during > 20 { // the users without a sync lose nothing
			t.Errorf("%d were woken before all were read", during)
		}
		if held := w.heldErasures(40, 0); held != 20 {
			t.Errorf("%d are held", held)
		}
	})
}

func TestWhatIsAtStake(t *testing.T) {
	t.Parallel()
	data := []v1alpha1.DatapointStatus{{Type: "IDENTITIES"}}
	for name, c := range map[string]struct {
		account v1alpha1.SyncedAccount
		retain  bool
		want    bool
	}{
		"data of a connected account":   {v1alpha1.SyncedAccount{ConnectionStatus: "CONNECTED", Datapoints: data}, false, true},
		"data of an account in error":   {v1alpha1.SyncedAccount{ConnectionStatus: "ERROR", Datapoints: data}, false, true},
		"no data":                       {v1alpha1.SyncedAccount{ConnectionStatus: "CONNECTED"}, false, false},
		"data that is retained":         {v1alpha1.SyncedAccount{ConnectionStatus: "CONNECTED", Datapoints: data}, true, false},
		"an account that was released":  {v1alpha1.SyncedAccount{ConnectionStatus: "CONNECTED", Datapoints: data, ReleasedAt: new(metav1.Now())}, false, false},
		"an account that ended already": {v1alpha1.SyncedAccount{ConnectionStatus: "DISCONNECTED", Datapoints: data}, false, false},
	} {
		sync := &v1alpha1.SmileAccountSync{}
		if c.retain {
			sync.Spec.Retention = &v1alpha1.Retention{OnDisconnect: v1alpha1.DisconnectRetain}
		}
		if got := AtStake(sync, c.account); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhenAnAccountEndsByItself(t *testing.T) {
	t.Parallel()
	now := time.Now()
	until := new(metav1.NewTime(now))
	for name, c := range map[string]struct {
		account v1alpha1.SyncedAccount
		at      time.Time
		want    bool
	}{
		"its time is over":           {v1alpha1.SyncedAccount{AvailableUntil: until}, now, true},
		"not yet":                    {v1alpha1.SyncedAccount{AvailableUntil: until}, now.Add(-1), false},
		"the clock is not confirmed": {v1alpha1.SyncedAccount{AvailableUntil: until}, time.Time{}, false},
		"it is monitored":            {v1alpha1.SyncedAccount{AvailableUntil: until, MonitorStatus: "ACTIVE"}, now, false},
		"the monitoring has ended":   {v1alpha1.SyncedAccount{AvailableUntil: until, MonitorStatus: "USER_ACTION_REQUIRED"}, now, true},
		"it is not known":            {v1alpha1.SyncedAccount{}, now, false},
	} {
		if got := Ended(c.account, c.at); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Smile ends accounts after 60 days. While no response of Smile confirms the clock, none counts as ended.
func TestAccountsThatEndByThemselvesDoNotCount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		until     time.Duration
		confirmed bool
		want      int
	}{
		"ended":                              {-time.Second, true, 0},
		"ended by a clock that may be wrong": {-time.Second, false, 1},
		"not ended yet":                      {time.Minute, true, 1},
		"without a known end":                {0, true, 1},
	} {
		g, now := newGuard(clock.RealClock{}), time.Now()
		one := staked{id: "a"}
		if c.until != 0 {
			one.until = secondOf(now.Add(c.until))
		}
		stake := atStake{accounts: map[string][]staked{"u": {one}}}
		if c.confirmed {
			stake.confirmed = now
		}
		g.observe("u", stake, []smile.Account{{ID: "a", Connection: smile.Connection{Status: smile.ConnectionDisconnected}}})
		if len(g.missing) != c.want {
			t.Errorf("%s: %d are missing", name, len(g.missing))
		}
	}
}
