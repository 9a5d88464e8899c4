package mirror

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/schedule"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// only returns one connection, or an error.
type only struct {
	conn *connection.Connection
	err  error
}

func (o *only) ProvenAccount(string, v1alpha1.ConnectionReference) (string, bool) {
	return o.conn.Account(), true
}

func (o *only) For(context.Context, string, v1alpha1.ConnectionReference) (*connection.Connection, error) {
	return o.conn, o.err
}

// fixture is a mirror of an API account whose users have objects.
type fixture struct {
	*Mirror
	set     *Set
	remote  *remote
	conn    *only
	objects client.Client
	changes <-chan event.TypedGenericEvent[Change]
}

// newFixture returns a mirror, and objects for a number of users, u0, u1 ... Half of them have a sync whose status shows an
// account, a0, a2 ...
func newFixture(t *testing.T, users int) *fixture {
	t.Helper()
	r := newRemote()
	key, err := identity.ParseKey(make([]byte, identity.KeySize)) // always the same, and so the grid too
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, r, key)
	builder := fake.NewClientBuilder().WithScheme(newScheme(t))
	for _, field := range index.Fields() {
		builder.WithIndex(field.Object, field.Name, field.Values)
	}
	for i := range users {
		user := &v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", UID: "uid-george"}}
		user.Name, user.Status.UserID = fmt.Sprint("u", i), fmt.Sprint("u", i)
		user.Spec.ConnectionRef.Name = "smile"
		builder.WithObjects(user)
		if i%2 == 0 {
			sync := &v1alpha1.SmileAccountSync{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: user.Name}}
			sync.Spec.UserRef.Name = user.Name
			sync.Status.Accounts = []v1alpha1.SyncedAccount{{
				ID: fmt.Sprint("a", i), ConnectionStatus: "CONNECTED",
				Datapoints: []v1alpha1.DatapointStatus{{Type: "IDENTITIES", Items: 1}},
			}}
			builder.WithObjects(sync)
		}
	}
	w := &fixture{remote: r, conn: &only{conn: conn}, objects: builder.Build()}
	life, end := context.WithCancel(t.Context())
	set := NewSet(life, Config{Clock: clock.RealClock{}, Connections: w.conn, Objects: w.objects})
	w.set, w.changes = set, set.Changes()
	w.Mirror = set.For(conn)
	t.Cleanup(end)
	r.set("accounts", w.accounts(users)...)
	return w
}

// live lets time pass, and makes the polls that are due meanwhile.
func (w *fixture) live(t *testing.T, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); ; {
		next, ok := w.set.NextPoll()
		if !ok || next.After(end) {
			time.Sleep(time.Until(end))
			return
		}
		time.Sleep(time.Until(next))
		w.set.PollDue(t.Context())
	}
}

// accounts returns the accounts of a number of users.
func (w *fixture) accounts(users int) (accounts []string) {
	for i := range users {
		account := accountJSON(fmt.Sprint("a", i), "CONNECTED", "", "ACTIVE")
		accounts = append(accounts, strings.Replace(account, `"u1"`, fmt.Sprintf(`"u%d"`, i), 1))
	}
	return accounts
}

// calls counts the calls since it was last called, by path.
func (w *fixture) calls() map[string]int {
	w.remote.mu.Lock()
	defer w.remote.mu.Unlock()
	counts := map[string]int{}
	for _, call := range w.remote.calls {
		path, _, _ := strings.Cut(call, " ")
		counts[path]++
	}
	w.remote.calls = nil
	return counts
}

func (w *fixture) expect(t *testing.T, when string, want map[string]int) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, w.calls()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

const toGrid = 15*time.Minute + 2*tick

func TestOneListingPerIntervalServesAllUsers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 20)
		life, end := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = w.set.Start(life) })
		defer running.Wait()
		defer end()
		grid := schedule.Grid(w.poller.account, 15*time.Minute, time.Now())
		time.Sleep(time.Until(grid.Next) - tick)
		w.expect(t, "before a time of the grid", map[string]int{})
		time.Sleep(2 * tick)
		w.expect(t, "after it", map[string]int{"accounts": 1, "tasks": 1})
		if ids := changed(w.changes); len(ids) != 20 {
			t.Errorf("%d were woken at the first poll", len(ids))
		}
		time.Sleep(time.Hour)
		w.expect(t, "an hour later", map[string]int{"accounts": 4, "tasks": 4})
		if ids := changed(w.changes); len(ids) != 0 {
			t.Errorf("woken without a change: %v", ids)
		}
		if w.Stale(15 * time.Minute) {
			t.Error("stale")
		}
	})
}

func TestAListingThatNeedsMoreCallsIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 2)
		w.remote.set("accounts", w.accounts(301)...) // most of them of other users
		w.live(t, toGrid)
		w.expect(t, "the first poll finds out", map[string]int{"accounts": 1 + 2, "tasks": 1})
		w.live(t, 15*time.Minute)
		w.expect(t, "the second poll knows", map[string]int{"accounts": 2, "tasks": 1})
	})
}

func TestOneUserIsReadAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 1)
		w.live(t, toGrid)
		w.expect(t, "the poll", map[string]int{"accounts": 1, "tasks": 1})
		if accounts, ok := w.CachedAccounts("u0"); !ok || len(accounts) != 1 {
			t.Errorf("%v, %v", accounts, ok)
		}
	})
}

func TestRefreshesRequestedTogetherAreMadeTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 20)
		for i := range 20 {
			w.RequestRefresh(fmt.Sprint("u", i))
		}
		w.live(t, 2*tick)
		w.expect(t, "twenty are requested, whose markers are not known", map[string]int{"accounts": 1, "users": 1})
		w.RequestRefresh("u3")
		w.RequestRefreshSince("u4", time.Now().Add(-time.Hour))
		w.live(t, 2*tick)
		w.expect(t, "one is requested, and one that is fresh enough", map[string]int{"accounts": 1})
		w.remote.fails = len(w.remote.made()) + 2 // a read is repeated once by the client
		w.RequestRefresh("u3")
		w.live(t, 2*tick)
		w.calls()
		w.remote.fails = 0
		w.live(t, pollRetry)
		w.expect(t, "after it failed", map[string]int{"accounts": 1})
	})
}

// A user whose read is refused, perhaps because it is of another tenant, does not delay the others.
func TestARefusedUserDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 4)
		w.remote.set("accounts", w.accounts(1000)...) // a listing needs more callss calls
		w.remote.forbid("u2")
		w.live(t, toGrid)
		for i := range 4 {
			id := fmt.Sprint("u", i)
			if _, ok := w.CachedAccounts(id); ok != (i != 2) || w.Doubted(id) != (i == 2) {
				t.Errorf("%s: known %v, doubted %v", id, ok, w.Doubted(id))
			}
		}
		if w.Stale(15 * time.Minute) {
			t.Error("the poll did not end")
		}
	})
}

func TestTasksAreListedFromTheLastDayThatWasRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 8)
		w.ResumeTasks(w.conn.conn, &metav1.Time{Time: time.Date(1999, 12, 20, 0, 0, 0, 0, time.UTC)})
		w.live(t, toGrid)
		assertTasks := func(when, since string) {
			t.Helper()
			synctest.Wait()
			for _, call := range w.remote.made() {
				if path, day, _ := strings.Cut(call, " "); path == "tasks" && day != since {
					t.Errorf("%s: listed from %s on, want %s", when, day, since)
				}
			}
			w.calls()
		}
		assertTasks("the first", "1999-12-20")
		w.ResumeTasks(w.conn.conn, nil)
		w.ResumeTasks(w.conn.conn, &metav1.Time{Time: time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC)})
		running := strings.ReplaceAll(taskJSON("t", "a2", 0), noon.Format(time.RFC3339), "2000-01-01T00:05:00Z")
		w.remote.set("tasks", running)
		w.live(t, 15*time.Minute)
		assertTasks("the second goes on from the day before", "1999-12-31")
		w.live(t, 5*24*time.Hour)
		assertTasks("a task that has not finished keeps it back", "1999-12-31")
		if got := w.TasksSince().Format(time.DateOnly); got != "1999-12-31" {
			t.Errorf("TasksSince %s", got)
		}
		w.live(t, 12*24*time.Hour)
		if got := w.TasksSince().Format(time.DateOnly); got != "2000-01-17" {
			t.Errorf("a task that never finishes holds it back forever: %s", got)
		}
	})
}

func TestAFailedPollIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 8)
		w.conn.err = errors.New("not ready")
		w.live(t, toGrid)
		w.expect(t, "while the connection is not ready", map[string]int{})
		w.conn.err = nil
		w.remote.fails = 2
		w.live(t, pollRetry)
		synctest.Wait()
		if calls := w.calls(); calls["accounts"] == 0 || calls["tasks"] > 0 {
			t.Errorf("the failing poll called %v", calls)
		}
		w.remote.fails = 0
		w.live(t, pollRetry)
		w.expect(t, "later", map[string]int{"accounts": 1, "tasks": 1})

		w.conn.err = errors.New("not ready")
		w.live(t, time.Hour)
		w.expect(t, "while the connection is not ready again", map[string]int{})
		if !w.Stale(15 * time.Minute) {
			t.Error("not stale")
		}
	})
}

func TestADeletedConnectionIsNotPolled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 8)
		w.conn.err = problem.NewWaiting(v1alpha1.ReasonConnectionNotFound, "gone")
		w.live(t, time.Hour)
		w.expect(t, "without a connection", map[string]int{})
		if _, due := w.poller.next(time.Now()); due {
			t.Error("something is still planned")
		}
	})
}

func TestUsersAreListedOnceADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 4)
		all := []string{
			marked("u0", "uid-0", "d0", 0), marked("u1", "uid-1", "d1", 0), marked("u2", "uid-2", "d2", 0),
			marked("u3", "uid-3", "d3", 0), marked("twin", "uid-3", "d3", 5),
		}
		w.remote.set("users", all...)
		w.live(t, 24*time.Hour+toGrid)
		synctest.Wait()
		if calls := w.calls(); calls["users"] < 1 || calls["users"] > 2 { // the grid may strike at both ends
			t.Errorf("called %v in a day", calls)
		}
		if w.Duplicates("uid-3", "u3") != 1 || w.Duplicates("uid-2", "u2") != 0 {
			t.Error("the twin was not noticed")
		}
		changed(w.changes)
		w.remote.set("users", all[1:]...)
		w.live(t, 24*time.Hour)
		synctest.Wait()
		if !w.Doubted("u0") || w.Doubted("u1") {
			t.Error("not exactly the user that is missing from the listing is in doubt")
		}
		if ids := changed(w.changes); !slices.Contains(ids, "u0") || slices.Contains(ids, "u1") {
			t.Errorf("woken: %v", ids)
		}
		if mark, err := w.Marker(t.Context(), "u0"); mark != (Mark{}) || !smile.IsNotFound(err) {
			t.Errorf("its marker was taken from memory: %v, %v", mark, err)
		}
	})
}

func TestTheNewestUsersAreListedIfADuplicateIsSuspected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, 4)
		w.SuspectDuplicate()
		w.live(t, 15*time.Minute+toGrid)
		synctest.Wait()
		var users []string
		for _, call := range w.remote.made() {
			if strings.HasPrefix(call, "users") {
				users = append(users, call)
			}
		}
		if diff := cmp.Diff([]string{"users 1999-12-31"}, users); diff != "" {
			t.Errorf("%s", diff)
		}
		w.calls()
		w.live(t, time.Hour)
		synctest.Wait()
		if calls := w.calls(); calls["users"] != 0 {
			t.Errorf("again, without reason: %v", calls)
		}
	})
}

func TestCostLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages, users, want int
	}{
		"one user":                     {0, 1, 0},
		"unknown, several users":       {0, 5, 5},
		"as many pages as users":       {5, 5, 5},
		"more pages than users":        {6, 5, 0},
		"one page, two users":          {1, 2, 2},
		"nobody":                       {0, 0, 0},
		"far fewer pages than users":   {67, 10_000, 10_000},
		"a tenant with very many more": {6_667, 50, 0},
	} {
		if got := (cost{c.pages}).limit(c.users); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// The bound of the design: 400 bytes for a user, here one with an account.
func TestAUserTakesLittleMemory(t *testing.T) {
	const users = 20_000
	m, _ := startMirror(t)
	before := heap()
	read := map[string][]smile.Account{}
	for i := range users {
		id := fmt.Sprintf("tenant-%032d", i)
		m.Add(smile.User{ID: id, ExternalMetadata: map[string]string{
			v1alpha1.MetadataOwner: identity.Marker{UID: types.UID(fmt.Sprintf("%036d", i)), Digest: identity.Digest(fmt.Sprintf("%043d", i))}.String(),
		}})
		read[id] = []smile.Account{{ID: fmt.Sprintf("a-%032d", i), ProviderID: "sss_ph", UserID: id, Connection: smile.Connection{Status: smile.ConnectionConnected}}}
	}
	m.learnAccounts(m.now(), read, atStake{})
	clear(read)
	used := (heap() - before) / users
	t.Logf("%d bytes a user", used)
	if used > 400 {
		t.Errorf("a user takes %d bytes, more than 400", used)
	}
	runtime.KeepAlive(m)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
