package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/smile-operator/smile-operator/internal/smile"
)

func accountJSON(id, connection, errorCode, monitor string) string {
	return fmt.Sprintf(`{"id":%q,"userId":"u1","providerId":"p","createdAt":"2026-05-01T12:00:00Z",`+
		`"connection":{"status":%q,"errorCode":%q},"monitor":{"status":%q}}`, id, connection, errorCode, monitor)
}

// taskJSON is a task of an account of u1 that began at noon and finished a number of seconds later; 0 if it has not finished.
func taskJSON(id, account string, took int) string {
	status, finished := "Started", "null"
	if took > 0 {
		status, finished = "Finished", fmt.Sprintf("%q", noon.Add(time.Duration(took)*time.Second).Format(time.RFC3339))
	}
	return fmt.Sprintf(`{"id":%q,"type":"LINK_ACCOUNT","status":%q,"startedAt":%q,"finishedAt":%s,`+
		`"metadata":{"userId":"u1","sourceId":%q,"sourceType":"ACCOUNT"}}`, id, status, noon.Format(time.RFC3339), finished, account)
}

// changed empties the channel and returns the users that changed.
func changed(changes <-chan event.TypedGenericEvent[Change]) []string {
	var ids []string
	for {
		select {
		case news := <-changes:
			ids = append(ids, news.Object.UserID)
		default:
			return ids
		}
	}
}

func TestAccountsComeFromMemoryWhenFreshEnough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.set("accounts", accountJSON("a1", "CONNECTED", "", "ACTIVE"))
		read := time.Now()
		for _, notBefore := range []time.Time{{}, read, read.Add(-time.Hour)} {
			accounts, err := m.Accounts(t.Context(), "", "u1", notBefore)
			if err != nil || len(accounts) != 1 || accounts[0].ID != "a1" {
				t.Fatalf("%v, %v", accounts, err)
			}
			time.Sleep(time.Second)
		}
		assertCalls(t, r, "accounts")
		if _, err := m.Accounts(t.Context(), "", "u1", read.Add(1)); err != nil {
			t.Fatal(err)
		}
		assertCalls(t, r, "accounts", "accounts")
	})
}

// What a read shows may be as old as the beginning of the read, whenever it ends.
func TestAReadIsAsOldAsItsBeginning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.takes = 10 * time.Second
		if _, err := m.Gathered(t.Context(), "", "u1", time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Gathered(t.Context(), "", "u1", time.Now().Add(-9*time.Second)); err != nil {
			t.Fatal(err)
		}
		assertCalls(t, r, "tasks", "tasks")
	})
}

func TestObjectsAreWokenExactlyWhenSomethingChanged(t *testing.T) {
	t.Parallel()
	calm := accountJSON("a1", "CONNECTED", "", "ACTIVE")
	for name, c := range map[string]struct {
		before, after []string
		changed       bool
	}{
		"nothing":          {[]string{calm}, []string{calm}, false},
		"still none":       {nil, nil, false},
		"another":          {[]string{calm}, []string{calm, accountJSON("a2", "PENDING", "", "")}, true},
		"one less":         {[]string{calm}, nil, true},
		"another instead":  {[]string{calm}, []string{accountJSON("a2", "CONNECTED", "", "ACTIVE")}, true},
		"its connection":   {[]string{calm}, []string{accountJSON("a1", "ERROR", "", "ACTIVE")}, true},
		"its error":        {[]string{calm}, []string{accountJSON("a1", "CONNECTED", "AUTH_REQUIRED", "ACTIVE")}, true},
		"its monitor":      {[]string{calm}, []string{accountJSON("a1", "CONNECTED", "", "UNSUPPORTED")}, true},
		"back to the same": {[]string{accountJSON("a1", "ERROR", "", "")}, []string{calm}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, r := startMirror(t)
				first, second := m.changes.open(), m.changes.open()
				read := func() []string {
					t.Helper()
					time.Sleep(time.Second)
					if _, err := m.Accounts(t.Context(), "", "u1", time.Now()); err != nil {
						t.Fatal(err)
					}
					ids := changed(first)
					if diff := cmp.Diff(ids, changed(second)); diff != "" {
						t.Errorf("two channels got different changes:\n%s", diff)
					}
					return ids
				}
				r.set("accounts", c.before...)
				if diff := cmp.Diff([]string{"u1"}, read()); diff != "" {
					t.Errorf("the first read:\n%s", diff)
				}
				r.set("accounts", c.after...)
				if got := len(read()) == 1; got != c.changed {
					t.Errorf("woken: %v", got)
				}
				if again := read(); len(again) > 0 {
					t.Errorf("woken again: %v", again)
				}
			})
		})
	}
}

func TestObjectsAreWokenWhenATaskFinishes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		changes := m.changes.open()
		for i, c := range []struct {
			tasks []string
			want  Gathered
			woken bool
		}{
			{[]string{taskJSON("t1", "a1", 0)}, Gathered{}, false},
			{[]string{taskJSON("t1", "a1", 10)}, Gathered{secondOf(noon) + 10, 1}, true},
			{[]string{taskJSON("t1", "a1", 10)}, Gathered{secondOf(noon) + 10, 1}, false},
			{[]string{taskJSON("t1", "a1", 10), taskJSON("t2", "a1", 10)}, Gathered{secondOf(noon) + 10, 2}, true},
			{[]string{taskJSON("t2", "a1", 10)}, Gathered{secondOf(noon) + 10, 2}, false}, // a listing that lacks some
			{[]string{taskJSON("t3", "a1", 20), taskJSON("t2", "a1", 10)}, Gathered{secondOf(noon) + 20, 1}, true},
		} {
			r.set("tasks", c.tasks...)
			time.Sleep(time.Second)
			gathered, err := m.Gathered(t.Context(), "", "u1", time.Now())
			if err != nil || gathered["a1"] != c.want {
				t.Fatalf("read %d: %v, %v", i, gathered, err)
			}
			if got := len(changed(changes)) == 1; got != c.woken {
				t.Errorf("read %d: woken %v", i, got)
			}
		}
	})
}

func TestNewer(t *testing.T) {
	t.Parallel()
	g := Gathered{last: secondOf(noon), Tasks: 2}
	for name, c := range map[string]struct {
		last  time.Time
		tasks int32
		want  bool
	}{
		"than nothing":                      {time.Time{}, 0, true},
		"than an earlier one":               {noon.Add(-time.Second), 5, true},
		"than fewer of the same second":     {noon, 1, true},
		"than the same":                     {noon, 2, false},
		"than a later one":                  {noon.Add(time.Second), 1, false},
		"than more of the very same second": {noon, 3, false},
	} {
		if got := g.Newer(c.last, c.tasks); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (Gathered{}).Newer(time.Time{}, 0) {
		t.Error("nothing is newer than nothing")
	}
}

// Two reads overlap. The result of the later one remains, whichever ends first.
func TestOnlyALaterReadReplacesWhatIsKnown(t *testing.T) {
	t.Parallel()
	read := func(status smile.ConnectionStatus) map[string][]smile.Account {
		return map[string][]smile.Account{"u1": {{ID: "a1", UserID: "u1", Connection: smile.Connection{Status: status}}}}
	}
	for name, began := range map[string][2]moment{"the earlier ends first": {1, 2}, "the earlier ends last": {2, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := startMirror(t)
			for _, at := range began {
				status := map[moment]smile.ConnectionStatus{1: smile.ConnectionPending, 2: smile.ConnectionConnected}[at]
				m.learnAccounts(at, read(status), atStake{})
			}
			known, ok := m.CachedAccounts("u1")
			if !ok || len(known) != 1 || known[0].Connection.Status != smile.ConnectionConnected {
				t.Errorf("%v, %v", known, ok)
			}
		})
	}
}

// A caller that needs the present state cannot use a read that began before, but one that began since.
func TestConcurrentReadsOfAUserAreMerged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.takes = time.Second
		var readers sync.WaitGroup
		for i := range 10 {
			readers.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				if _, err := m.Accounts(t.Context(), "", "u1", time.Now()); err != nil {
					t.Error(err)
				}
			})
		}
		readers.Wait()
		assertCalls(t, r, "accounts", "accounts")
	})
}

func TestAFailedReadChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.set("accounts", accountJSON("a1", "CONNECTED", "", "ACTIVE"))
		if _, err := m.Accounts(t.Context(), "", "u1", time.Time{}); err != nil {
			t.Fatal(err)
		}
		changes := m.changes.open()
		r.fails = 2
		time.Sleep(time.Second)
		if accounts, err := m.Accounts(t.Context(), "", "u1", time.Now()); err == nil || accounts != nil {
			t.Errorf("%v, %v", accounts, err)
		}
		if known, ok := m.CachedAccounts("u1"); !ok || len(known) != 1 || len(changed(changes)) > 0 {
			t.Errorf("%v, %v", known, ok)
		}
	})
}

func TestANewUserHasNoAccounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		if _, ok := m.CachedAccounts("u1"); ok {
			t.Error("accounts are cached before anything was read")
		}
		m.RecordNoAccounts("u1")
		if accounts, err := m.Accounts(t.Context(), "", "u1", time.Now()); err != nil || len(accounts) > 0 {
			t.Errorf("%v, %v", accounts, err)
		}
		assertCalls(t, r)
		r.set("accounts", accountJSON("a1", "CONNECTED", "", "ACTIVE"))
		if _, err := m.Accounts(t.Context(), "", "u1", time.Now().Add(1)); err != nil {
			t.Fatal(err)
		}
		m.RecordNoAccounts("u1")
		if known, ok := m.CachedAccounts("u1"); !ok || len(known) != 1 {
			t.Errorf("accounts that were read were overwritten: %v, %v", known, ok)
		}
	})
}

// A change that does not fit into a channel blocks nothing, and is sent again after the next read.
func TestAFullChannelBlocksNothing(t *testing.T) {
	t.Parallel()
	m, _ := startMirror(t)
	changes := m.changes.open()
	none := map[string][]smile.Account{"u2": nil}
	m.learnAccounts(m.now(), none, atStake{})
	for range changeBuffer {
		m.notify([]string{"u1"})
	}
	m.notify([]string{"u2"})
	if got := len(changed(changes)); got != changeBuffer {
		t.Errorf("%d were sent", got)
	}
	for i, want := range []int{1, 0} {
		if again := m.learnAccounts(m.now(), none, atStake{}); len(again) != want {
			t.Errorf("read %d: %v changed", i, again)
		}
	}
}

func TestAProviderIsReadOnce(t *testing.T) {
	t.Parallel()
	m, r := startMirror(t)
	if _, err := m.Provider(t.Context(), "sss_ph"); !smile.IsNotFound(err) {
		t.Fatalf("an unknown one: %v", err)
	}
	r.set("providers/sss_ph", `{"id":"sss_ph","name":"SSS","supportedDatapoints":["IDENTITIES"]}`)
	for range 3 {
		if provider, err := m.Provider(t.Context(), "sss_ph"); err != nil || provider.ID != "sss_ph" {
			t.Fatalf("%v, %v", provider, err)
		}
	}
	assertCalls(t, r, "providers/sss_ph", "providers/sss_ph")
}

// A caller that waits for the read of another one continues when its own context ends.
func TestAMergedReadHeedsTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.takes = time.Hour
		go func() { _, _ = m.Accounts(t.Context(), "", "u1", time.Time{}) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := m.Accounts(ctx, "", "u1", time.Time{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// If the caller that reads ends until its turn is near, another waiting caller reads instead.
func TestACallerDoesNotWaitForOneThatGaveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _ := startMirror(t)
		away := &smile.UnsentError{Cause: &smile.PausedError{Kept: true}}
		never := func() bool { return false }
		var errs [2]error
		var group sync.WaitGroup
		for i, own := range []error{away, nil} {
			group.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				errs[i] = m.refresh(t.Context(), "x", never, func() error { time.Sleep(10 * time.Second); return own })
			})
		}
		group.Wait()
		if !smile.KeepsPlace(errs[0]) || errs[1] != nil {
			t.Errorf("got %v", errs)
		}
	})
}
