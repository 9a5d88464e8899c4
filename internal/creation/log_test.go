package creation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// cluster holds the Lease, and fails writes as configured.
type cluster struct {
	t     *testing.T
	kube  client.WithWatch
	clock *clocktesting.FakeClock
	// used is whether users were created before there was a log.
	used bool
	// writing happens around each write of a Lease; nil writes.
	writing func(write func() error) error
	writes  atomic.Int32
	leaders int
}

var leaseName = types.NamespacedName{Namespace: "system", Name: "leader-creations"}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := coordinationv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, clock: clocktesting.NewFakeClock(noon)}
	c.kube = interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).Build(), interceptor.Funcs{
		Create: func(ctx context.Context, inner client.WithWatch, obj client.Object, options ...client.CreateOption) error {
			return c.write(func() error { return inner.Create(ctx, obj, options...) })
		},
		Update: func(ctx context.Context, inner client.WithWatch, obj client.Object, options ...client.UpdateOption) error {
			return c.write(func() error { return inner.Update(ctx, obj, options...) })
		},
	})
	return c
}

func (c *cluster) write(write func() error) error {
	c.writes.Add(1)
	if c.writing != nil {
		return c.writing(write)
	}
	return write()
}

// leader makes the log of the leader with this number, which follows another leader, or none if that is nil.
func (c *cluster) leader(number int64, former *Term) (*Log, *Term) {
	c.t.Helper()
	c.leaders++
	own := &Term{Number: number, Holder: fmt.Sprintf("leader-%d", c.leaders), Acquired: c.clock.Now()}
	if former != nil {
		own.Former = &Former{Holder: former.Holder, Acquired: former.Acquired}
	}
	return c.log(func() (Term, bool) { return *own, true }), own
}

func (c *cluster) log(own func() (Term, bool)) *Log {
	return NewLog(LogConfig{
		Leases: c.kube, Name: leaseName, Term: own, Clock: c.clock,
		Used: func(context.Context) (bool, error) { return c.used, nil },
	})
}

// takeOver makes the log of a leader, and takes it over.
func (c *cluster) takeOver(number int64, former *Term) (*Log, *Term) {
	c.t.Helper()
	log, own := c.leader(number, former)
	if err := log.TakeOver(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	return log, own
}

// stored is the record in the Lease.
func (c *cluster) stored() record {
	c.t.Helper()
	var lease coordinationv1.Lease
	if err := c.kube.Get(c.t.Context(), leaseName, &lease); err != nil {
		c.t.Fatal(err)
	}
	content, err := decode(lease.Annotations[v1alpha1.AnnotationCreations])
	if err != nil {
		c.t.Fatal(err)
	}
	return content
}

// change changes the stored Lease.
func (c *cluster) change(how func(*coordinationv1.Lease)) {
	c.t.Helper()
	var lease coordinationv1.Lease
	if err := c.kube.Get(c.t.Context(), leaseName, &lease); err != nil {
		c.t.Fatal(err)
	}
	how(&lease)
	if err := c.kube.Update(c.t.Context(), &lease); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) erase() {
	c.t.Helper()
	lease := &coordinationv1.Lease{}
	lease.Namespace, lease.Name = leaseName.Namespace, leaseName.Name
	if err := c.kube.Delete(c.t.Context(), lease); err != nil {
		c.t.Fatal(err)
	}
}

func named(t *testing.T, log *Log, key string) *call {
	t.Helper()
	c, err := log.name(t.Context(), subjectOf(key))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// unheard is the clock of a remote host that has not responded.
func unheard() (time.Time, bool) { return time.Time{}, false }

// doubts returns how long a subject must wait; negative if it need not wait.
func (c *cluster) doubts(log *Log, key string, remote func() (time.Time, bool)) time.Duration {
	settled, doubted := log.mayBeOpen(subjectOf(key), remote)
	if !doubted {
		return -1
	}
	return max(0, settled.Sub(c.clock.Now()))
}

func TestTheNextLeaderWaitsForWhatWasNamed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	first, own := c.takeOver(0, nil)
	named(t, first, "open")
	first.created(named(t, first, "just created"))
	first.drop(named(t, first, "refused"))
	c.clock.Step(time.Minute)
	named(t, first, "last") // which stores what was dropped, too
	next, _ := c.takeOver(1, own)
	for key, want := range map[string]time.Duration{
		"open": smile.ListingLag, "just created": smile.ListingLag, "last": smile.ListingLag, "refused": -1, "anybody else": -1,
	} {
		if got := c.doubts(next, key, unheard); got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
}

func TestTheNextLeaderAlsoWaitsAfterAnOrderlyShutdown(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	first, own := c.takeOver(0, nil)
	named(t, first, "open")
	next, _ := c.takeOver(1, &Term{Acquired: own.Acquired}) // a released Lease names nobody
	if got := c.doubts(next, "anybody else", unheard); got != -1 {
		t.Errorf("any other subject: %v", got)
	}
	if got := c.doubts(next, "open", unheard); got != smile.ListingLag {
		t.Errorf("open: %v", got)
	}
}

func TestAllSubjectsWaitIfTheLogIsIncomplete(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*cluster, *Term) *Term{
		"it was deleted": func(c *cluster, own *Term) *Term { c.used = true; c.erase(); return own },
		"it cannot be read": func(c *cluster, own *Term) *Term {
			c.change(func(l *coordinationv1.Lease) { l.Annotations = nil })
			return own
		},
		"another led since": func(_ *cluster, own *Term) *Term {
			return &Term{Number: own.Number + 1, Holder: own.Holder, Acquired: own.Acquired}
		},
		"it was another's time": func(_ *cluster, own *Term) *Term {
			return &Term{Holder: own.Holder, Acquired: own.Acquired.Add(time.Second)}
		},
		"it was another's name":    func(_ *cluster, own *Term) *Term { return &Term{Holder: "other", Acquired: own.Acquired} },
		"the leader Lease is gone": func(*cluster, *Term) *Term { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			_, own := c.takeOver(0, nil)
			former := prepare(c, own)
			number := int64(0)
			if former != nil {
				number = former.Number + 1
			}
			next, own := c.takeOver(number, former)
			if got := c.doubts(next, "anybody", unheard); got != smile.ListingLag {
				t.Errorf("%v, want %v", got, smile.ListingLag)
			}
			// The log records that, so the leader after that waits too, until the wait is over.
			after, own := c.takeOver(number+1, own)
			if got := c.doubts(after, "anybody", unheard); got != smile.ListingLag {
				t.Errorf("the one after: %v, want %v", got, smile.ListingLag)
			}
			c.clock.Step(smile.ListingLag)
			named(t, after, "somebody")
			last, _ := c.takeOver(number+2, own)
			if got := c.doubts(last, "anybody", unheard); got != -1 {
				t.Errorf("the last one: %v", got)
			}
		})
	}
}

func TestNothingWaitsAfterTheFirstStart(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	first, _ := c.takeOver(0, nil)
	if got := c.doubts(first, "anybody", unheard); got != -1 {
		t.Errorf("%v", got)
	}
}

// Calls that the previous leader has inherited are inherited again, until any listing shows their users.
func TestTwoTakeoversInARow(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	first, own := c.takeOver(0, nil)
	named(t, first, "open")
	_, own = c.takeOver(1, own)
	third, own := c.takeOver(2, own)
	if got := c.doubts(third, "open", unheard); got != smile.ListingLag {
		t.Errorf("%v, want %v", got, smile.ListingLag)
	}
	c.clock.Step(smile.ListingLag)
	named(t, third, "somebody else")
	if got := c.doubts(third, "open", unheard); got != 0 {
		t.Errorf("within the same process: %v: a listing must settle it", got)
	}
	fourth, _ := c.takeOver(3, own)
	if got := c.doubts(fourth, "open", unheard); got != -1 {
		t.Errorf("%v: not dropped", got)
	}
}

// Otherwise a process that is killed every minute would restart the wait each time, and never end it.
func TestCallsThatAreOldByTwoClocksNeedNoWait(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	first, own := c.takeOver(0, nil)
	named(t, first, "open")
	log := first
	for number := int64(1); number <= 12; number++ {
		c.clock.Step(time.Minute)
		log, own = c.takeOver(number, own)
		if got := c.doubts(log, "open", func() (time.Time, bool) { return c.clock.Now(), true }); number < 12 && got != smile.ListingLag {
			t.Fatalf("after %d minutes: %v", number, got)
		}
	}
	for name, remote := range map[string]func() (time.Time, bool){
		"unheard":                 unheard,
		"Smile's clock is before": func() (time.Time, bool) { return c.clock.Now().Add(-time.Second), true },
	} {
		if got := c.doubts(log, "open", remote); got != smile.ListingLag {
			t.Errorf("%s: %v", name, got)
		}
	}
	settled, _ := log.mayBeOpen(subjectOf("open"), func() (time.Time, bool) { return c.clock.Now(), true })
	if !settled.Equal(c.clock.Now()) {
		t.Errorf("settled by a listing from %v, want %v", settled, c.clock.Now())
	}
	c.clock.Step(time.Second)
	if again, _ := log.mayBeOpen(subjectOf("open"), func() (time.Time, bool) { return c.clock.Now(), true }); !again.Equal(settled) {
		t.Error("every attempt requests another listing")
	}
}

func TestAFullLogSaysSo(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	log, own := c.takeOver(0, nil)
	for i := range mostEntries {
		log.named.calls[&call{subject: subjectOf(fmt.Sprint(i)), named: c.clock.Now(), ends: c.clock.Now().Add(ancient)}] = struct{}{}
	}
	named(t, log, "one more")
	if stored := c.stored(); !stored.unnamed.Equal(noon) || len(stored.sent) != mostEntries {
		t.Fatalf("unnamed %v, %d entries", stored.unnamed, len(stored.sent))
	}
	next, _ := c.takeOver(1, own)
	if got := c.doubts(next, "anybody", unheard); got != smile.ListingLag {
		t.Errorf("%v, want %v", got, smile.ListingLag)
	}
}

func TestWaitingCallsShareAWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		log, _ := c.takeOver(0, nil)
		c.writes.Store(0)
		c.writing = func(write func() error) error { time.Sleep(time.Second); return write() }
		began := time.Now()
		var group sync.WaitGroup
		for i := range 50 {
			group.Go(func() { named(t, log, fmt.Sprint(i)) })
		}
		group.Wait()
		if took, writes := time.Since(began), c.writes.Load(); took > 2100*time.Millisecond || writes > 2 {
			t.Errorf("%d writes in %v", writes, took)
		}
		if got := len(c.stored().sent); got != 50 {
			t.Errorf("%d names", got)
		}
	})
}

// A panic in a write is recovered by the engine. It must not block the calls that wait for the write.
func TestAWriteThatPanicsDelaysNoOtherCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		log, _ := c.takeOver(0, nil)
		var once sync.Once
		c.writing = func(write func() error) error {
			time.Sleep(time.Second)
			once.Do(func() { panic("a write failed") })
			return write()
		}
		var group sync.WaitGroup
		group.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was not passed on to the caller")
				}
			}()
			_, _ = log.name(t.Context(), subjectOf("a"))
		})
		synctest.Wait()
		waiting, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		group.Go(func() {
			if _, err := log.name(waiting, subjectOf("b")); err != nil {
				t.Errorf("the call that waited for the write: %v", err)
			}
		})
		group.Wait()
		if _, err := log.name(waiting, subjectOf("c")); err != nil {
			t.Errorf("the next call: %v", err)
		}
	})
}

var errTimeout = errors.New("no answer")

// A write without a response counts as failed: the log is read and written again.
func TestAWriteWithoutAResponse(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{false, true} {
		for _, fails := range []int{1, 2} {
			t.Run(fmt.Sprintf("done %v, %d times", done, fails), func(t *testing.T) {
				t.Parallel()
				c := newCluster(t)
				log, _ := c.takeOver(0, nil)
				left := fails
				c.writing = func(write func() error) error {
					if left == 0 {
						return write()
					}
					left--
					if done {
						_ = write()
					}
					return errTimeout
				}
				call, err := log.name(t.Context(), subjectOf("a"))
				if (err == nil) != (fails == 1) {
					t.Fatalf("%v", err)
				}
				if err == nil && log.permits(call) != nil {
					t.Error("the call may not be sent")
				}
				named(t, log, "b")
				if _, ok := c.stored().sent[subjectOf("b")]; !ok {
					t.Error("the next call is not named")
				}
			})
		}
	}
}

func TestADeletedLogIsWrittenAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	log, _ := c.takeOver(0, nil)
	named(t, log, "a")
	c.erase()
	named(t, log, "b")
	if got := len(c.stored().sent); got != 2 {
		t.Errorf("%d names, want both", got)
	}
}

func TestAFormerLeaderNeverTakesTheLogBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	former, own := c.takeOver(0, nil)
	call := named(t, former, "a")
	c.takeOver(1, own)
	before := c.stored()
	if _, err := former.name(t.Context(), subjectOf("b")); !errors.Is(err, ErrTakenOver) {
		t.Errorf("%v", err)
	}
	if err := former.permits(call); !errors.Is(err, ErrTakenOver) {
		t.Errorf("a call that was named before the takeover: %v", err)
	}
	if err := former.Start(t.Context()); !errors.Is(err, ErrTakenOver) {
		t.Errorf("the process does not end: %v", err)
	}
	if c.stored().term != before.term {
		t.Error("the former leader overwrote the log")
	}
}

// A late write of the former leader arrives between reading and writing. The calls that it names are inherited too.
func TestALateWriteOfTheFormerLeaderIsInherited(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	former, own := c.takeOver(0, nil)
	next, _ := c.leader(1, own)
	late := true
	c.writing = func(write func() error) error {
		if late {
			late = false
			named(t, former, "late")
		}
		return write()
	}
	if err := next.TakeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.doubts(next, "late", unheard); got != smile.ListingLag {
		t.Errorf("%v, want %v", got, smile.ListingLag)
	}
}

// A takeover without a response was stored. The calls that it inherited must not be lost.
func TestATakeoverWithoutAResponse(t *testing.T) {
	t.Parallel()
	for name, elected := range map[string]bool{"elected": true, "without election": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			former, own := c.takeOver(0, nil)
			named(t, former, "open")
			next, _ := c.leader(1, own)
			if !elected {
				next = c.log(nil)
				next.config.Term = nil
			}
			c.writing = func(write func() error) error { _ = write(); return errTimeout }
			if err := next.TakeOver(t.Context()); err == nil {
				t.Fatal("the takeover succeeded without a response")
			}
			c.writing = nil
			if err := next.TakeOver(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := c.doubts(next, "open", unheard); got != smile.ListingLag {
				t.Errorf("open: %v, want %v", got, smile.ListingLag)
			}
			if got := c.doubts(next, "anybody else", unheard); got != -1 {
				t.Errorf("any other subject: %v", got)
			}
		})
	}
}

func TestOnlyOneOfTwoTakesOver(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	_, own := c.takeOver(0, nil)
	slow, _ := c.leader(1, own)
	quick, _ := c.leader(2, own)
	first := true
	c.writing = func(write func() error) error {
		if first {
			first = false
			if err := quick.TakeOver(t.Context()); err != nil {
				t.Error(err)
			}
		}
		return write()
	}
	if err := slow.TakeOver(t.Context()); !errors.Is(err, ErrTakenOver) {
		t.Errorf("%v", err)
	}
}

func TestACallThatWasNamedLongAgoIsNotSent(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	log, _ := c.takeOver(0, nil)
	call := named(t, log, "a")
	c.clock.Step(freshness)
	if err := log.permits(call); err != nil {
		t.Errorf("just in time: %v", err)
	}
	c.clock.Step(time.Second)
	if err := log.permits(call); err == nil {
		t.Error("it may be sent")
	}
}

func TestTheLogOfAProcessThatDoesNotLeadIsNotTakenOver(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	log := c.log(func() (Term, bool) { return Term{}, false })
	if err := log.TakeOver(t.Context()); err == nil {
		t.Error("taken over")
	}
	if err := c.kube.Get(t.Context(), leaseName, new(coordinationv1.Lease)); !apierrors.IsNotFound(err) {
		t.Errorf("a Lease: %v", err)
	}
}
