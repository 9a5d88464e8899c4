package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/internal/creation"
)

// The times of the lease. A call that cannot be undone ends 8 s after it was sent, and is sent only within the
// renewal deadline, so that it is over before the lease is and another leader starts.
const (
	defaultLeaseName = "smile-operator.smile-operator.io"

	leaseDuration = 30 * time.Second
	renewDeadline = 20 * time.Second
	// retryPeriod is how often the Lease is renewed. A standby reads it every 1 to 2.2 of these periods: its lease begins when it
	// has seen a renewal, so it takes over up to 4.4 periods after the lease of a leader that was killed. A shorter period is one
	// small write a second for a cluster, and less than one read a second for each standby.
	retryPeriod = time.Second
)

var errNotLeader = errors.New("the leader lease was not renewed in time: another process may be the leader")

// fencedLock is a lock that remembers when it was last renewed. Leader election alone does not fence: a process
// that was stopped for a while and continues considers itself the leader until it checks the clock.
type fencedLock struct {
	resourcelock.Interface

	clock   clock.PassiveClock
	renewed atomic.Pointer[time.Time]

	// lastSent returns when this process may last have sent a call that creates a user; nil if that is unknown.
	lastSent func() time.Time
	// seen is the record that was last read; nil if there was no Lease.
	seen *resourcelock.LeaderElectionRecord
	// term of this process; nil until it has become the leader.
	term atomic.Pointer[creation.Term]
	// sent is when a leader before this one may last have sent such a call, for a former version that leads next.
	sent time.Time
}

// newFencedLock makes the lock of a Lease, which the election reads and writes by the Leases that wrap returns.
func newFencedLock(
	config *rest.Config,
	namespace, name string,
	wrap func(coordinationv1.LeasesGetter) coordinationv1.LeasesGetter,
	clk clock.PassiveClock,
) (*fencedLock, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming this process for the leader election: %w", err)
	}
	config = rest.AddUserAgent(rest.CopyConfig(config), "leader-election")
	config.Timeout = renewDeadline / 2
	coordination, err := coordinationv1.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: name},
		Client:     wrap(coordination),
		LockConfig: resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())},
	}
	return &fencedLock{Interface: lock, clock: clk}, nil
}

// clockSkew is by how much the clocks of two leaders may differ. A call of the leader that was renewed last may have been sent so
// much later.
const clockSkew = time.Minute

// Get reads the record, which identifies the previous leader.
func (l *fencedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil {
		seen := *record
		l.seen = &seen
	}
	return record, raw, err
}

// acquired records the term of this process when it becomes the leader, and until when a previous leader may have sent a call:
// until its last renewal if it crashed, or the time that its release wrote after an orderly shutdown.
func (l *fencedLock) acquired(record resourcelock.LeaderElectionRecord, now time.Time) {
	own := &creation.Term{Number: int64(record.LeaderTransitions), Holder: record.HolderIdentity, Acquired: record.AcquireTime.Time}
	if l.seen != nil {
		own.Former = &creation.Former{Holder: l.seen.HolderIdentity, Acquired: l.seen.AcquireTime.Time}
		if renewed := l.seen.RenewTime.Time; !renewed.IsZero() {
			l.sent = renewed.Add(clockSkew)
		}
		if l.sent.After(now) {
			l.sent = now
		}
	}
	l.term.Store(own)
}

// leads returns the term of this process; led is false while it has not become the leader.
func (l *fencedLock) leads() (own creation.Term, led bool) {
	if held := l.term.Load(); held != nil {
		return *held, true
	}
	return creation.Term{}, false
}

// released is the record of a release. It keeps the time when this process became the leader, from which the next leader knows
// that no other led in between. Its renewal time is when this process, or an earlier one, may last have sent a call. If an
// earlier version leads next, it does not know the creation log, and waits until enough time has passed since then.
func (l *fencedLock) released(record resourcelock.LeaderElectionRecord) resourcelock.LeaderElectionRecord {
	own := l.term.Load()
	if own == nil || l.lastSent == nil {
		return record
	}
	last := l.lastSent()
	if l.sent.After(last) {
		last = l.sent
	}
	record.RenewTime, record.AcquireTime = metav1.NewTime(last), metav1.NewTime(own.Acquired)
	return record
}

func (l *fencedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.renew(record, func() error { return l.Interface.Create(ctx, record) })
}

func (l *fencedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if record.HolderIdentity == "" {
		record = l.released(record)
	}
	return l.renew(record, func() error { return l.Interface.Update(ctx, record) })
}

// renew records when a renewal was sent. A release clears it.
func (l *fencedLock) renew(record resourcelock.LeaderElectionRecord, write func() error) error {
	now := l.clock.Now()
	if err := write(); err != nil {
		return err
	}
	if record.HolderIdentity == l.Identity() {
		if l.term.Load() == nil {
			l.acquired(record, now)
		}
		l.renewed.Store(&now)
	} else {
		l.renewed.Store(nil)
	}
	return nil
}

// check fails once the last renewal is older than the renewal deadline by either clock: the monotonic one stands still while a
// virtual machine is suspended, and the wall clock may be set back.
func (l *fencedLock) check() error {
	renewed := l.renewed.Load()
	if renewed == nil || max(l.clock.Since(*renewed), wallSince(l.clock, *renewed)) >= renewDeadline {
		return errNotLeader
	}
	return nil
}

// wallSince is the time since a moment by the wall clock alone.
func wallSince(clk clock.PassiveClock, at time.Time) time.Duration {
	return clk.Now().Round(0).Sub(at.Round(0))
}
