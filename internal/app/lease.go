package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
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

func (l *fencedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.renew(record, func() error { return l.Interface.Create(ctx, record) })
}

func (l *fencedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.renew(record, func() error { return l.Interface.Update(ctx, record) })
}

// renew counts a renewal from before it was sent, and a release not at all.
func (l *fencedLock) renew(record resourcelock.LeaderElectionRecord, write func() error) error {
	now := l.clock.Now()
	if err := write(); err != nil {
		return err
	}
	if record.HolderIdentity == l.Identity() {
		l.renewed.Store(&now)
	} else {
		l.renewed.Store(nil)
	}
	return nil
}

// check refuses once the last renewal is older than the renewal deadline.
func (l *fencedLock) check() error {
	renewed := l.renewed.Load()
	if renewed == nil || l.clock.Since(*renewed) >= renewDeadline {
		return errNotLeader
	}
	return nil
}
