//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/schedule"
)

const (
	vendorLimit = 20 // calls a second from one address
	day         = 24 * time.Hour

	// mostReads is the largest number of requests to the API server in a minute at rest: for the Secret of the connection every
	// 30 s, and for the watches of three kinds, which are logged twice each, every few minutes.
	mostReads = 10
)

// TestKilledWhileCreating declares many persons at once and kills the operator again and again while it creates
// them. Then it checks the same persons at rest, re-creates their objects and clears their statuses.
func TestKilledWhileCreating(t *testing.T) {
	t.Parallel()
	users, kills := 200, 5
	if testing.Short() {
		users, kills = 40, 2
	}
	e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit},
		v1alpha1.SmileConnectionSpec{ResyncInterval: &metav1.Duration{Duration: day}})
	o := e.operator(t, e.only())

	for _, step := range []struct {
		name string
		run  func(*environment, *operator)
	}{
		{"each is created once", func(e *environment, o *operator) { e.createUnderFire(o, users, kills) }},
		{"at rest nothing is called or written", func(e *environment, o *operator) { e.rest(o, time.Minute) }},
		{"a restart calls and writes nothing", func(e *environment, o *operator) { e.restartAtRest(o, users) }},
		{"declared again they are re-attached", func(e *environment, _ *operator) { e.declareAgain(users) }},
		{"without statuses they are re-attached", func(e *environment, o *operator) { e.wipeStatuses(o, users) }},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(e.in(t), o.in(t)) }) {
			return
		}
	}
}

// createUnderFire kills the operator while calls that create users are on their way: some have arrived and are
// carried out only after the operator's death or even its restart, some have been carried out and not answered. The
// last kill comes at any time while the operator finds out what became of them.
func (e *environment) createUnderFire(o *operator, users, kills int) {
	choices := random(e.t)
	began := time.Now()
	e.create(e.crowd("user", users)...)
	e.t.Logf("declared %d users in %s", users, seconds(time.Since(began)))
	for range kills - 1 {
		e.killAtCreate(o, choices)
	}
	wait := time.Duration(choices.Int64N(int64(20 * time.Second)))
	during(e.t, wait, o.alive)
	o.kill()
	e.t.Logf("killed %s later, with %d users created", seconds(wait), len(e.remote.committed("create-user", 0)))
	o.start()

	e.allReady(users, 8*time.Minute)
	e.eachOnce(users)
	e.intendedFirst()
	stats := e.remote.Stats()
	e.t.Logf("%d kills, %d users Ready after %s; largest second %d calls; %s", kills, users, seconds(time.Since(began)), stats.PeakRPS, e.calls(0))
	if stats.PeakRPS > vendorLimit {
		e.t.Errorf("%d calls in one second, Smile allows %d", stats.PeakRPS, vendorLimit)
	}
}

// intendedFirst asserts that before each user was created something was stored in the status of its object. The audit log
// may record the end of a request a moment after its caller has the answer.
func (e *environment) intendedFirst() {
	e.t.Helper()
	stored := map[string]time.Time{}
	for _, request := range e.writes(0) {
		if _, ok := stored[request.Name]; !ok && request.Resource == "smileusers/status" && request.Code == http.StatusOK {
			stored[request.Name] = request.At
			if done := request.Done.Add(-time.Second); done.After(request.At) {
				stored[request.Name] = done
			}
		}
	}
	created := map[string]time.Time{}
	for _, call := range e.remote.committed("create-user", 0) {
		created[call.UserID] = call.Time
	}
	for name, id := range e.ids() {
		if at, ok := stored[name]; !ok || !at.Before(created[id]) {
			e.t.Errorf("%s was created at %s, and the first write of its status is of %s", name, created[id], at)
		}
	}
}

func (e *environment) killAtCreate(o *operator, choices *rand.Rand) {
	calls, where := 1+choices.IntN(users(e)), []phase{arrived, made}[choices.IntN(2)]
	late := time.Duration(choices.Int64N(int64(4 * time.Second)))
	caught := e.remote.arm(calls, where)
	defer time.AfterFunc(late, caught.release)
	within(e.t, time.Minute, fmt.Sprintf("call %d to create a user is caught", calls), func() (bool, string) {
		// On a busy machine all may have been created while they were still being declared.
		return caught.isSprung() || !slices.ContainsFunc(e.users(), isUntried), e.calls(0)
	})
	o.kill()
	e.t.Logf("killed at call %d of this life, %s, released %s later, with %d users created",
		calls, where, seconds(late), len(e.remote.committed("create-user", 0)))
	o.start()
}

// isUntried reports whether no call to create a user was made, as far as its status shows.
func isUntried(user v1alpha1.SmileUser) bool {
	return user.Status.UserID == "" && user.Status.CreateAttempt == nil
}

// users limits the number of creates before a kill. So there are enough users for the next one, however many attempts the kills
// leave open.
func users(e *environment) int { return max(1, len(e.users())/10) }

// rest asserts that nothing happens: no call to Smile except the polls that are due, and no write to the API server.
func (e *environment) rest(o *operator, span time.Duration) {
	e.settled()
	place, mark, from := e.end(), e.remote.mark(), time.Now()
	during(e.t, span, o.alive)
	e.nothingSince(place, mark, from)
	asked := e.asked(place)
	if most := int(span/time.Minute) * mostReads; len(asked) > most {
		e.t.Errorf("%d requests to the API server at rest, want %d at most", len(asked), most)
	}
	e.t.Logf("%s at rest: requests to the API server: [%s], calls: [%s]", span, tally(asked), e.calls(mark))
}

// settled waits until the operator has written its last events.
func (e *environment) settled() {
	e.t.Helper()
	const quiet = 12 * time.Second // events that are grouped are recorded up to 10 s later
	place, since := e.end(), time.Now()
	within(e.t, time.Minute, "nothing is written any more", func() (bool, string) {
		writes := e.writes(place)
		if len(writes) > 0 {
			place, since = e.end(), time.Now()
		}
		return time.Since(since) > quiet, fmt.Sprint(writes)
	})
}

// nothingSince asserts that nothing was written, and no call was made except polls. They are made once per resync interval.
func (e *environment) nothingSince(place int64, mark int, from time.Time) {
	e.t.Helper()
	for _, call := range e.remote.Journal(mark) {
		query, err := url.ParseQuery(call.Query)
		if err != nil {
			e.t.Fatal(err)
		}
		struck := schedule.Grid(query.Get("userId"), day, call.Time).Last
		if call.Operation != "list-accounts" || struck.Before(from) {
			e.t.Errorf("a call at rest: %s %s?%s", call.Operation, call.Path, call.Query)
		}
	}
	for _, request := range e.writes(place) {
		e.t.Errorf("a write at rest: %s", request)
	}
}

func (e *environment) restartAtRest(o *operator, users int) {
	place, mark, from := e.end(), e.remote.mark(), time.Now()
	stopped := o.stop()
	began := time.Now()
	o.start()
	took := within(e.t, time.Minute, "all users were reconciled", func() (bool, string) {
		reconciles := o.metric("controller_runtime_reconcile_total", "smileuser")
		return reconciles >= float64(users), fmt.Sprintf("%v reconciles", reconciles)
	})
	during(e.t, 20*time.Second, o.alive)
	e.nothingSince(place, mark, from)
	e.t.Logf("stopped in %s, all %d users reconciled %s after the start: 0 writes, calls in %s: [%s]",
		seconds(stopped), users, seconds(took), seconds(time.Since(began)), e.calls(mark))
}

func (e *environment) declareAgain(users int) {
	before, mark, began := e.ids(), e.remote.mark(), time.Now()
	crowd := e.crowd("user", users)
	e.delete(crowd...)
	within(e.t, time.Minute, "all users are deleted", func() (bool, string) {
		left := len(e.users())
		return left == 0, fmt.Sprintf("%d are left", left)
	})
	e.create(e.crowd("user", users)...)
	e.allReady(users, 3*time.Minute)
	e.sameIDs(before)
	e.t.Logf("%d users deleted and declared again, Ready after %s; calls: [%s]", users, seconds(time.Since(began)), e.calls(mark))
}

func (e *environment) wipeStatuses(o *operator, users int) {
	before := e.ids()
	o.stop()
	mark := e.remote.mark()
	var connections v1alpha1.SmileConnectionList
	if err := e.admin.List(e.t.Context(), &connections, client.InNamespace(e.namespace)); err != nil {
		e.t.Fatal(err)
	}
	for _, user := range e.users() {
		user.Status = v1alpha1.SmileUserStatus{}
		e.writeStatus(&user)
	}
	for _, connection := range connections.Items {
		connection.Status = v1alpha1.SmileConnectionStatus{}
		e.writeStatus(&connection)
	}
	began := time.Now()
	o.start()
	e.allReady(users, 3*time.Minute)
	e.sameIDs(before)
	e.t.Logf("%d statuses wiped, Ready after %s; calls: [%s]", users, seconds(time.Since(began)), e.calls(mark))
}

func (e *environment) writeStatus(object client.Object) {
	e.t.Helper()
	if err := e.admin.Status().Update(e.t.Context(), object); err != nil {
		e.t.Fatal(err)
	}
}

// sameIDs asserts that each object still has its remote user, and that no other user was created.
func (e *environment) sameIDs(before map[string]string) {
	e.t.Helper()
	if now := e.ids(); !maps.Equal(before, now) {
		e.t.Errorf("the objects have other remote users than before:\n%v\n%v", before, now)
	}
	e.eachOnce(len(before))
}
