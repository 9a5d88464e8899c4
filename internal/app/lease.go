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
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"

	usercontroller "github.com/smile-operator/smile-operator/controllers/user"
)

// The times of the lease. A call that cannot be undone ends 8 s after it was sent, and is sent only within the
// renewal deadline, so that it is over before the lease is and another leader starts.
const (
	leaseName     = "smile-operator.smile-operator.io"
	leaseDuration = 30 * time.Second
	renewDeadline = 20 * time.Second
	retryPeriod   = 4 * time.Second
)

var errNotLeader = errors.New("the leader lease was not renewed in time: another process may be the leader")

// fencedLock is a lock that remembers when it was last renewed. Leader election alone does not fence: a process
// that was stopped for a while and goes on believes itself the leader until it looks at the clock.
type fencedLock struct {
	resourcelock.Interface

	clock   clock.PassiveClock
	renewed atomic.Pointer[time.Time]

	// lastSent is when this process may last have sent a call that creates a user; nil when it cannot tell.
	lastSent func() time.Time
	// seen is the record that was last read, and before what is known of the leaders before this process.
	seen   resourcelock.LeaderElectionRecord
	before atomic.Pointer[usercontroller.Succession]
}

func newFencedLock(config *rest.Config, namespace string, clk clock.PassiveClock) (*fencedLock, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming this process for the leader election: %w", err)
	}
	config = rest.AddUserAgent(rest.CopyConfig(config), "leader-election")
	config.Timeout = renewDeadline / 2
	core, err := corev1.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	coordination, err := coordinationv1.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, namespace, leaseName, core, coordination,
		resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())})
	return &fencedLock{Interface: lock, clock: clk}, err
}

// clockSkew is by how much the clocks of two leaders may differ, and a call of the one that was renewed last may have
// been sent later.
const clockSkew = time.Minute

// Get reads the record, which tells of the leader before.
func (l *fencedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil {
		l.seen = *record
	}
	return record, raw, err
}

// acquired notes what is known of the leaders before, when this process becomes one. The renewal time of a record
// bounds when its leader may have sent something: it is the last renewal of one that died, and what release wrote of
// one that ended in good order.
func (l *fencedLock) acquired(now time.Time) {
	before := &usercontroller.Succession{Led: now}
	if renewed := l.seen.RenewTime.Time; !renewed.IsZero() {
		before.Sent = renewed.Add(clockSkew)
		if before.Sent.After(now) {
			before.Sent = now
		}
	}
	l.before.Store(before)
}

// succession says what is known of the leaders before this process.
func (l *fencedLock) succession() usercontroller.Succession {
	if before := l.before.Load(); before != nil {
		return *before
	}
	now := l.clock.Now() // not the leader, as far as is known
	return usercontroller.Succession{Sent: now, Led: now}
}

// released is the record of a release: its renewal time is when this process, or one before it, may last have sent
// something, if any did, so that the next leader need not wait when that was long ago.
func (l *fencedLock) released(record resourcelock.LeaderElectionRecord) resourcelock.LeaderElectionRecord {
	before := l.before.Load()
	if before == nil || l.lastSent == nil {
		return record
	}
	last := l.lastSent()
	if before.Sent.After(last) {
		last = before.Sent
	}
	record.RenewTime = metav1.NewTime(last)
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

// renew counts a renewal from before it was sent, and a release not at all.
func (l *fencedLock) renew(record resourcelock.LeaderElectionRecord, write func() error) error {
	now := l.clock.Now()
	if err := write(); err != nil {
		return err
	}
	if record.HolderIdentity == l.Identity() {
		if l.before.Load() == nil {
			l.acquired(now)
		}
		l.renewed.Store(&now)
	} else {
		l.renewed.Store(nil)
	}
	return nil
}

// check refuses once the last renewal is older than the renewal deadline by either clock: the monotonic one stands still while a
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
