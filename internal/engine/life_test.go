package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// life is an object whose reconciles end as configured.
type life struct {
	*Reconciler[*v1alpha1.SmileUser]

	t     *testing.T
	c     client.Client
	user  *v1alpha1.SmileUser
	clock *clocktesting.FakeClock
	told  *events.FakeRecorder
	phase func(context.Context, *Run[*v1alpha1.SmileUser]) error
}

func newLife(t *testing.T) *life {
	t.Helper()
	c, user := stored(t)
	l := &life{t: t, c: c, user: user, clock: clocktesting.NewFakeClock(time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC))}
	l.Reconciler = reconciled(c, func(ctx context.Context, p *Run[*v1alpha1.SmileUser]) error { return l.phase(ctx, p) })
	l.told = events.NewFakeRecorder(64)
	l.Events, l.Clock = l.told, l.clock
	return l
}

// ends does one reconcile that ends with an error.
func (l *life) ends(with error) (ctrl.Result, error) {
	l.t.Helper()
	l.phase = func(context.Context, *Run[*v1alpha1.SmileUser]) error { return with }
	return l.Reconcile(l.t.Context(), requestFor(l.user))
}

// conditions returns the conditions of the object, as type=status/reason, sorted.
func (l *life) conditions() []string {
	l.t.Helper()
	var all []string
	for _, c := range statusOf(l.t, l.c, l.user).Conditions {
		all = append(all, c.Type+"="+string(c.Status)+"/"+c.Reason)
	}
	slices.Sort(all)
	return all
}

func (l *life) expect(want ...string) {
	l.t.Helper()
	if diff := cmp.Diff(want, l.conditions()); diff != "" {
		l.t.Error(diff)
	}
}

func (l *life) version() string {
	l.t.Helper()
	var user v1alpha1.SmileUser
	if err := l.c.Get(l.t.Context(), client.ObjectKeyFromObject(l.user), &user); err != nil {
		l.t.Fatal(err)
	}
	return user.ResourceVersion
}

func TestEachClassShowsInItsWay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		problem *problem.Problem
		want    []string
		again   time.Duration
	}{
		"Invalid": {
			problem.NewInvalid(v1alpha1.ReasonUserNotOwned, "m"),
			[]string{"Provisioned=False/UserNotOwned", "Ready=False/UserNotOwned", "Stalled=True/UserNotOwned"},
			deniedRetry,
		},
		"Denied": {
			&problem.Problem{Class: problem.Denied, Reason: v1alpha1.ReasonInvalidCredentials, Message: "m"},
			[]string{"Provisioned=False/InvalidCredentials", "Ready=False/InvalidCredentials", "Stalled=True/InvalidCredentials"},
			deniedRetry,
		},
		"NotReady": {
			problem.NewNotReady(v1alpha1.ReasonUserNotReady, "m"),
			[]string{"Provisioned=False/UserNotReady", "Ready=False/UserNotReady", "Reconciling=True/UserNotReady"},
			dependencyRetry,
		},
		"on another condition": {
			problem.NewNotReady(v1alpha1.ReasonConnectionNotReady, "m").On(v1alpha1.ConditionConnectionReady),
			[]string{"ConnectionReady=False/ConnectionNotReady", "Ready=False/ConnectionNotReady", "Reconciling=True/ConnectionNotReady"},
			dependencyRetry,
		},
		"Throttled": {&problem.Problem{Class: problem.Throttled, Reason: v1alpha1.ReasonThrottled, Message: "m"}, nil, throttledRetry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			result, err := l.ends(test.problem)
			if err != nil {
				t.Fatal(err)
			}
			l.expect(test.want...)
			if result.RequeueAfter < test.again || result.RequeueAfter > test.again+test.again/10 {
				t.Errorf("the next reconcile is in %v, want %v", result.RequeueAfter, test.again)
			}
			if result.Priority == nil || *result.Priority != handler.LowPriority {
				t.Error("a scheduled reconcile runs before new and changed objects")
			}
			version := l.version()
			if _, err := l.ends(test.problem); err != nil {
				t.Fatal(err)
			}
			if l.version() != version {
				t.Error("an equal value was written again")
			}
			if _, err := l.ends(nil); err != nil {
				t.Fatal(err)
			}
			if ready := meta.FindStatusCondition(statusOf(t, l.c, l.user).Conditions, "Ready"); ready.Status != "True" {
				t.Errorf("afterwards Ready is %+v", ready)
			}
			for _, gone := range []string{"Stalled", "Reconciling"} {
				if meta.FindStatusCondition(statusOf(t, l.c, l.user).Conditions, gone) != nil {
					t.Errorf("afterwards there is still %s", gone)
				}
			}
		})
	}
}

func TestTransientTroubleShowsAfterTheThirdTimeInARow(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	fail := func(times int) {
		t.Helper()
		for range times {
			if result, err := l.ends(problem.NewTransient(v1alpha1.ReasonSmileUnavailable, "m")); err == nil || result != (ctrl.Result{}) {
				t.Errorf("got %+v, %v: backoff comes from an error alone", result, err)
			}
		}
	}
	fail(2)
	l.expect()
	if _, err := l.ends(nil); err != nil {
		t.Fatal(err)
	}
	l.expect("Provisioned=True/Succeeded", "Ready=True/Succeeded")
	fail(2)
	l.expect("Provisioned=True/Succeeded", "Ready=True/Succeeded")
	if _, err := l.ends(&problem.Problem{Class: problem.Throttled, Reason: v1alpha1.ReasonThrottled}); err != nil {
		t.Fatal(err)
	}
	fail(1)
	l.expect("Provisioned=False/SmileUnavailable", "Ready=False/SmileUnavailable", "Reconciling=True/SmileUnavailable")
	version := l.version()
	fail(3)
	if l.version() != version {
		t.Error("an equal value was written again")
	}
}

func TestConflictsAreNeitherCountedNorShown(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	for range 5 {
		if _, err := l.ends(conflict()); err == nil {
			t.Error("a conflict is tried again")
		}
	}
	l.expect()
}

func TestANewObjectThatWaitsIsNotWritten(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]error{
		"throttled": &problem.Problem{Class: problem.Throttled, Reason: v1alpha1.ReasonThrottled, Message: "m"},
		"transient": problem.NewTransient(v1alpha1.ReasonSmileUnavailable, "m"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			status := metav1.ConditionTrue
			l.phase = func(_ context.Context, p *Run[*v1alpha1.SmileUser]) error {
				p.Set(v1alpha1.ConditionConnectionReady, Outcome{effect: sets, status: status, reason: v1alpha1.ReasonSucceeded, message: "m"})
				return end
			}
			version := l.version()
			_, _ = l.Reconcile(t.Context(), requestFor(l.user))
			if l.version() != version {
				t.Error("a write said only what has succeeded so far")
			}
			status = metav1.ConditionFalse
			_, _ = l.Reconcile(t.Context(), requestFor(l.user))
			l.expect("ConnectionReady=False/Succeeded")
			status = metav1.ConditionTrue
			if problem.Classify(end).Class == problem.Throttled {
				_, _ = l.Reconcile(t.Context(), requestFor(l.user))
				l.expect("ConnectionReady=True/Succeeded")
			}
		})
	}
}

func TestRestLeavesEverythingAsItIs(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	if _, err := l.ends(problem.NewNotReady(v1alpha1.ReasonUserNotReady, "m")); err != nil {
		t.Fatal(err)
	}
	before, version := l.conditions(), l.version()
	l.phase = func(_ context.Context, p *Run[*v1alpha1.SmileUser]) error {
		p.WakeAfter(time.Hour)
		p.WakeAfter(time.Minute)
		p.WakeAfter(2 * time.Hour)
		return ErrRest
	}
	result, err := l.Reconcile(t.Context(), requestFor(l.user))
	if err != nil || result.RequeueAfter != time.Minute {
		t.Errorf("got %+v, %v", result, err)
	}
	l.expect(before...)
	if l.version() != version {
		t.Error("something was written")
	}
}

func TestObservedGenerationMovesWhenAGenerationIsHandled(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  error
		want int64
	}{
		"success":   {nil, 7},
		"invalid":   {problem.NewInvalid(v1alpha1.ReasonUserNotOwned, "m"), 7},
		"denied":    {&problem.Problem{Class: problem.Denied, Reason: v1alpha1.ReasonInvalidCredentials, Message: "m"}, 7},
		"not ready": {problem.NewNotReady(v1alpha1.ReasonUserNotReady, "m"), 0},
		"throttled": {&problem.Problem{Class: problem.Throttled, Reason: v1alpha1.ReasonThrottled}, 0},
		"transient": {problem.NewTransient(v1alpha1.ReasonSmileUnavailable, "m"), 0},
		"conflict":  {conflict(), 0},
		"rest":      {ErrRest, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.user.Generation = 7
			if err := l.c.Update(t.Context(), l.user); err != nil {
				t.Fatal(err)
			}
			_, _ = l.ends(test.end)
			if got := statusOf(t, l.c, l.user).ObservedGeneration; got != test.want {
				t.Errorf("it is %d, want %d", got, test.want)
			}
		})
	}
}

func TestEventsReportTransitionsOnce(t *testing.T) {
	t.Parallel()
	invalid := problem.NewInvalid(v1alpha1.ReasonUserNotOwned, "not yours")
	notReady := problem.NewNotReady(v1alpha1.ReasonCreateOutcomeUnknown, "wait")
	waiting := problem.NewWaiting(v1alpha1.ReasonUserNotReady, "wait")
	for name, test := range map[string]struct {
		ends []error
		want []string
	}{
		"success, twice":          {[]error{nil, nil}, []string{"Normal Succeeded"}},
		"failure, twice":          {[]error{invalid, invalid}, []string{"Warning UserNotOwned"}},
		"an ordinary start":       {[]error{waiting, waiting, nil}, []string{"Normal Succeeded"}},
		"waiting that matters":    {[]error{notReady, nil}, []string{"Warning CreateOutcomeUnknown", "Normal Succeeded"}},
		"waiting after all went":  {[]error{nil, waiting}, []string{"Normal Succeeded", "Warning UserNotReady"}},
		"from bad to worse":       {[]error{notReady, invalid}, []string{"Warning CreateOutcomeUnknown", "Warning UserNotOwned"}},
		"failure and recovery":    {[]error{nil, invalid, nil}, []string{"Normal Succeeded", "Warning UserNotOwned", "Normal Succeeded"}},
		"what need not be told":   {[]error{ErrRest, &problem.Problem{Class: problem.Throttled, Reason: v1alpha1.ReasonThrottled}}, nil},
		"trouble before it shows": {[]error{nil, problem.NewTransient(v1alpha1.ReasonSmileUnavailable, "m")}, []string{"Normal Succeeded"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			for _, end := range test.ends {
				_, _ = l.ends(end)
			}
			close(l.told.Events)
			var told []string
			for event := range l.told.Events {
				fields := strings.Fields(event)
				told = append(told, fields[0]+" "+fields[1])
			}
			if diff := cmp.Diff(test.want, told); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A phase may set a condition that a later one reverts. If the final value is the same, nothing is written.
func TestAValueThatIsRevertedInTheSameReconcileIsNoTransition(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.Kind.Phases = phased(
		func() (Outcome, error) { return True(v1alpha1.ReasonSucceeded, "m"), nil },
		func() (Outcome, error) { return Unchanged, problem.NewNotReady(v1alpha1.ReasonUserNotReady, "n") },
	)
	var versions []string
	for range 2 {
		if _, err := l.Reconcile(t.Context(), requestFor(l.user)); err != nil {
			t.Fatal(err)
		}
		versions = append(versions, l.version())
		l.clock.Step(time.Hour)
	}
	if versions[0] != versions[1] {
		t.Error("the second reconcile wrote the status, although it ended as the first")
	}
}

func TestTheTransitionTimeIsThatOfTheTransition(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	if _, err := l.ends(nil); err != nil {
		t.Fatal(err)
	}
	began := l.clock.Now()
	l.clock.Step(time.Hour)
	if _, err := l.ends(nil); err != nil {
		t.Fatal(err)
	}
	ready := meta.FindStatusCondition(statusOf(t, l.c, l.user).Conditions, "Ready")
	if !ready.LastTransitionTime.Time.Equal(began) {
		t.Errorf("it is %v, want %v", ready.LastTransitionTime, began)
	}
}

func TestASuspendedObjectIsLeftAlone(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	if _, err := l.ends(problem.NewNotReady(v1alpha1.ReasonUserNotReady, "m")); err != nil {
		t.Fatal(err)
	}
	suspend := func(yes bool) {
		t.Helper()
		if err := l.c.Get(t.Context(), client.ObjectKeyFromObject(l.user), l.user); err != nil {
			t.Fatal(err)
		}
		l.user.Spec.Suspend = yes
		if err := l.c.Update(t.Context(), l.user); err != nil {
			t.Fatal(err)
		}
	}
	suspend(true)
	l.phase = func(context.Context, *Run[*v1alpha1.SmileUser]) error { return errors.New("must not run") }
	result, err := l.Reconcile(t.Context(), requestFor(l.user))
	if err != nil || result != (ctrl.Result{}) {
		t.Errorf("got %+v, %v", result, err)
	}
	l.expect("Provisioned=False/UserNotReady", "Ready=False/UserNotReady", "Suspended=True/Suspended")
	suspend(false)
	if _, err := l.ends(nil); err != nil {
		t.Fatal(err)
	}
	l.expect("Provisioned=True/Succeeded", "Ready=True/Succeeded")
}

func TestPhasesRunInOrderUntilOneFails(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	var ran []string
	phase := func(name string, err error) Phase[*v1alpha1.SmileUser] {
		return Phase[*v1alpha1.SmileUser]{Condition: name, Run: Step(func(context.Context, *Run[*v1alpha1.SmileUser]) error {
			ran = append(ran, name)
			return err
		})}
	}
	l.Kind.Phases = func() ([]Phase[*v1alpha1.SmileUser], Conclude[*v1alpha1.SmileUser]) {
		return []Phase[*v1alpha1.SmileUser]{
			phase("ConnectionReady", nil), phase("", nil),
			phase("Provisioned", problem.NewInvalid(v1alpha1.ReasonUserNotOwned, "m")), phase("TokenIssued", nil),
		}, nil
	}
	if _, err := l.Reconcile(t.Context(), requestFor(l.user)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ConnectionReady", "", "Provisioned"}, ran); diff != "" {
		t.Error(diff)
	}
	l.expect("ConnectionReady=True/Succeeded", "Provisioned=False/UserNotOwned", "Ready=False/UserNotOwned", "Stalled=True/UserNotOwned")
}

// phased makes phases that all write the condition Provisioned.
func phased(outcomes ...func() (Outcome, error)) func() ([]Phase[*v1alpha1.SmileUser], Conclude[*v1alpha1.SmileUser]) {
	return func() (phases []Phase[*v1alpha1.SmileUser], _ Conclude[*v1alpha1.SmileUser]) {
		for _, outcome := range outcomes {
			phases = append(phases, Phase[*v1alpha1.SmileUser]{
				Condition: v1alpha1.ConditionProvisioned,
				Run:       func(context.Context, *Run[*v1alpha1.SmileUser]) (Outcome, error) { return outcome() },
			})
		}
		return phases, nil
	}
}

func TestPhasesReturnTheValueOfTheirCondition(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	do := func(outcome Outcome) {
		t.Helper()
		l.Kind.Phases = phased(func() (Outcome, error) { return outcome, nil })
		if _, err := l.Reconcile(t.Context(), requestFor(l.user)); err != nil {
			t.Fatal(err)
		}
	}
	do(False(v1alpha1.ReasonAwaitingEndUser, "m"))
	l.expect("Provisioned=False/AwaitingEndUser", "Ready=True/Succeeded")
	do(Unchanged)
	l.expect("Provisioned=False/AwaitingEndUser", "Ready=True/Succeeded")
	do(Absent)
	l.expect("Ready=True/Succeeded")
	do(True(v1alpha1.ReasonEndUserActionRequired, "m"))
	l.expect("Provisioned=True/EndUserActionRequired", "Ready=True/Succeeded")
	do(Succeeded)
	l.expect("Provisioned=True/Succeeded", "Ready=True/Succeeded")
}

func TestReadyMayHaveAnotherReasonThanSuccess(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.phase = func(_ context.Context, r *Run[*v1alpha1.SmileUser]) error {
		r.SetReady(v1alpha1.ReasonAwaitingEndUser, "m")
		return nil
	}
	if _, err := l.Reconcile(t.Context(), requestFor(l.user)); err != nil {
		t.Fatal(err)
	}
	l.expect("Provisioned=True/Succeeded", "Ready=True/AwaitingEndUser")
	if _, err := l.ends(nil); err != nil {
		t.Fatal(err)
	}
	l.expect("Provisioned=True/Succeeded", "Ready=True/Succeeded")
}

// What concludes the phases sees how they ended, writes conditions, and may end the reconcile otherwise.
func TestTheConclusionSeesHowThePhasesEnded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ended, concluded error
		want             []string
	}{
		"in success":       {nil, nil, []string{"Provisioned=True/Succeeded", "Ready=True/Succeeded", "TokenIssued=False/Progressing"}},
		"with nothing due": {ErrRest, ErrRest, []string{"TokenIssued=False/Progressing"}},
		"in trouble": {
			problem.NewInvalid(v1alpha1.ReasonUserNotOwned, "m"), problem.NewNotReady(v1alpha1.ReasonUserNotReady, "m").On("TokenIssued"),
			[]string{"Ready=False/UserNotReady", "Reconciling=True/UserNotReady", "TokenIssued=False/UserNotReady"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			phases := phased(func() (Outcome, error) { return Succeeded, test.ended })
			l.Kind.Phases = func() ([]Phase[*v1alpha1.SmileUser], Conclude[*v1alpha1.SmileUser]) {
				all, _ := phases()
				return all, func(r *Run[*v1alpha1.SmileUser], err error) error {
					if !errors.Is(err, test.ended) {
						t.Errorf("Conclude got %v", err)
					}
					r.Set("TokenIssued", False(v1alpha1.ReasonProgressing, "m"))
					return test.concluded
				}
			}
			if _, err := l.Reconcile(t.Context(), requestFor(l.user)); err != nil {
				t.Fatal(err)
			}
			l.expect(test.want...)
		})
	}
}

func TestAnObjectThatIsGoneIsForgotten(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	var forgotten []string
	l.Kind.Gone = func(name client.ObjectKey) { forgotten = append(forgotten, name.String()) }
	for range 2 {
		_, _ = l.ends(problem.NewTransient(v1alpha1.ReasonSmileUnavailable, "m"))
	}
	if err := l.c.Delete(t.Context(), l.user); err != nil {
		t.Fatal(err)
	}
	if result, err := l.ends(nil); err != nil || result != (ctrl.Result{}) {
		t.Errorf("got %+v, %v", result, err)
	}
	if diff := cmp.Diff([]string{"n/george"}, forgotten); diff != "" {
		t.Error(diff)
	}
	if l.memory.failed(client.ObjectKeyFromObject(l.user)) != 1 {
		t.Error("the failures of the former object count for the next one of its name")
	}
}
