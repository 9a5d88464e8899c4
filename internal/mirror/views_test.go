package mirror

import (
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

func taskJSON(id, status string) string {
	return fmt.Sprintf(`{"id":%q,"type":"SYNC","status":%q,"startedAt":"2026-05-01T12:00:00Z",`+
		`"metadata":{"userId":"u1","sourceId":"a1","sourceType":"ACCOUNT"}}`, id, status)
}

// told empties the channel and gives who changed.
func told(changes <-chan event.TypedGenericEvent[string]) []string {
	var ids []string
	for {
		select {
		case news := <-changes:
			ids = append(ids, news.Object)
		default:
			return ids
		}
	}
}

func TestAccountsComeFromMemoryWhenFreshEnough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t), newRemote()
		r.set("accounts", accountJSON("a1", "CONNECTED", "", "ACTIVE"))
		read := time.Now()
		for _, notBefore := range []time.Time{{}, read, read.Add(-time.Hour)} {
			accounts, err := m.Accounts(t.Context(), r.client(), "u1", notBefore)
			if err != nil || len(accounts) != 1 || accounts[0].ID != "a1" {
				t.Fatalf("%v, %v", accounts, err)
			}
			time.Sleep(time.Second)
		}
		assertCalls(t, r, "accounts")
		if _, err := m.Accounts(t.Context(), r.client(), "u1", read.Add(1)); err != nil {
			t.Fatal(err)
		}
		assertCalls(t, r, "accounts", "accounts")
	})
}

// What a reading gives may be as old as its beginning, whenever it ends.
func TestAViewIsAsOldAsTheBeginningOfItsReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t), newRemote()
		r.takes = 10 * time.Second
		if _, err := m.Tasks(t.Context(), r.client(), "u1", time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Tasks(t.Context(), r.client(), "u1", time.Now().Add(-9*time.Second)); err != nil {
			t.Fatal(err)
		}
		assertCalls(t, r, "tasks", "tasks")
	})
}

func TestChangesAreToldExactlyWhenSomethingChanged(t *testing.T) {
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
				m, r := startMirror(t), newRemote()
				first, second := m.set.Changes(), m.set.Changes()
				look := func() []string {
					t.Helper()
					time.Sleep(time.Second)
					if _, err := m.Accounts(t.Context(), r.client(), "u1", time.Now()); err != nil {
						t.Fatal(err)
					}
					ids := told(first)
					if diff := cmp.Diff(ids, told(second)); diff != "" {
						t.Errorf("two listeners were told differently:\n%s", diff)
					}
					return ids
				}
				r.set("accounts", c.before...)
				if diff := cmp.Diff([]string{"u1"}, look()); diff != "" {
					t.Errorf("the first sight:\n%s", diff)
				}
				r.set("accounts", c.after...)
				if got := len(look()) == 1; got != c.changed {
					t.Errorf("told: %v", got)
				}
				if again := look(); len(again) > 0 {
					t.Errorf("told again: %v", again)
				}
			})
		})
	}
}

func TestTasksTellWhenOneEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t), newRemote()
		changes := m.set.Changes()
		for i, status := range []string{"Started", "Started", "Finished"} {
			r.set("tasks", taskJSON("t1", status))
			time.Sleep(time.Second)
			tasks, err := m.Tasks(t.Context(), r.client(), "u1", time.Now())
			if err != nil || len(tasks) != 1 || string(tasks[0].Status) != status {
				t.Fatalf("%v, %v", tasks, err)
			}
			if got := len(told(changes)) == 1; got != (i != 1) {
				t.Errorf("look %d, %s: told %v", i, status, got)
			}
		}
	})
}

// Two reads overlap. What the later one saw stays, whichever ends first.
func TestAViewGivesWayOnlyToALaterRead(t *testing.T) {
	t.Parallel()
	pending, connected := accountJSON("a1", "PENDING", "", ""), accountJSON("a1", "CONNECTED", "", "ACTIVE")
	for name, c := range map[string]struct {
		first, second time.Duration
		known         bool
		want          int
	}{
		"the earlier ends first": {2 * time.Second, 5 * time.Second, false, 2},
		"the earlier ends last":  {5 * time.Second, time.Second, false, 1},
		"there and back":         {2 * time.Second, 5 * time.Second, true, 2},
		"there unnoticed":        {5 * time.Second, time.Second, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, r := startMirror(t), newRemote()
				if c.known {
					r.set("accounts", connected)
					if _, err := m.Accounts(t.Context(), r.client(), "u1", time.Time{}); err != nil {
						t.Fatal(err)
					}
				}
				calls := len(r.made())
				durations := map[int]time.Duration{calls + 1: c.first, calls + 2: c.second}
				r.during = func(call int) { time.Sleep(durations[call]) }
				changes := m.set.Changes()
				time.Sleep(time.Second)
				var reads sync.WaitGroup
				for _, item := range []string{pending, connected} {
					r.set("accounts", item)
					reads.Go(func() {
						if _, err := m.Accounts(t.Context(), r.client(), "u1", time.Now()); err != nil {
							t.Error(err)
						}
					})
					time.Sleep(time.Second)
				}
				reads.Wait()
				known, ok := m.KnownAccounts("u1")
				if !ok || len(known) != 1 || known[0].Connection.Status != smile.ConnectionConnected {
					t.Errorf("%v, %v", known, ok)
				}
				if got := told(changes); len(got) != c.want {
					t.Errorf("told %d times, want %d", len(got), c.want)
				}
			})
		})
	}
}

func TestAFailedReadChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t), newRemote()
		r.set("accounts", accountJSON("a1", "CONNECTED", "", "ACTIVE"))
		if _, err := m.Accounts(t.Context(), r.client(), "u1", time.Time{}); err != nil {
			t.Fatal(err)
		}
		changes := m.set.Changes()
		r.fails = 2
		time.Sleep(time.Second)
		if accounts, err := m.Accounts(t.Context(), r.client(), "u1", time.Now()); err == nil || accounts != nil {
			t.Errorf("%v, %v", accounts, err)
		}
		if known, ok := m.KnownAccounts("u1"); !ok || len(known) != 1 || len(told(changes)) > 0 {
			t.Errorf("%v, %v", known, ok)
		}
	})
}

func TestANewUserHasNoAccounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t), newRemote()
		if _, ok := m.KnownAccounts("u1"); ok {
			t.Error("known before anything was seen")
		}
		m.NoAccounts("u1")
		if accounts, err := m.Accounts(t.Context(), r.client(), "u1", time.Now()); err != nil || len(accounts) > 0 {
			t.Errorf("%v, %v", accounts, err)
		}
		assertCalls(t, r)
		r.set("accounts", accountJSON("a1", "CONNECTED", "", "ACTIVE"))
		if _, err := m.Accounts(t.Context(), r.client(), "u1", time.Now().Add(1)); err != nil {
			t.Fatal(err)
		}
		m.NoAccounts("u1")
		if known, ok := m.KnownAccounts("u1"); !ok || len(known) != 1 {
			t.Errorf("what was seen is forgotten: %v, %v", known, ok)
		}
	})
}

// News that nobody takes is dropped, and holds up nobody.
func TestAFullChannelHoldsUpNobody(t *testing.T) {
	t.Parallel()
	m := startMirror(t)
	changes := m.set.Changes()
	for range changeBuffer + 10 {
		m.set.changed("u1")
	}
	if got := len(told(changes)); got != changeBuffer {
		t.Errorf("%d told", got)
	}
}

func TestAProviderIsAskedAboutOnce(t *testing.T) {
	t.Parallel()
	m, r := startMirror(t), newRemote()
	if _, err := m.Provider(t.Context(), r.client(), "sss_ph"); !smile.IsNotFound(err) {
		t.Fatalf("an unknown one: %v", err)
	}
	r.set("providers/sss_ph", `{"id":"sss_ph","name":"SSS","supportedDatapoints":["IDENTITIES"]}`)
	for range 3 {
		if provider, err := m.Provider(t.Context(), r.client(), "sss_ph"); err != nil || provider.ID != "sss_ph" {
			t.Fatalf("%v, %v", provider, err)
		}
	}
	assertCalls(t, r, "providers/sss_ph", "providers/sss_ph")
}
