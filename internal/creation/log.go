package creation

import (
	"context"
	"errors"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

const (
	// ancient is how old the record of another process's call must be, by two clocks, so that any listing shows its outcome. The
	// clocks of two processes are compared only here, so the margin is wide.
	ancient = 12 * time.Minute
	// freshness is the longest time between the naming of a call and its sending: a call whose name is ancient was sent long ago.
	freshness = time.Minute
	// takeOverRetry is how long after a failed takeover the next one is tried.
	takeOverRetry = time.Second
)

var (
	// ErrTakenOver ends a process that is no longer the leader: another one has taken over its log.
	ErrTakenOver = errors.New("another process has taken over the creation log: this process creates no more users, and ends")

	errNotNamed = problem.NewTransient(v1alpha1.ReasonProgressing,
		"the call waited too long after it was named in the creation log: it is named again")
)

// Term is a process's time as the leader, as the leader Lease shows it.
type Term struct {
	// Number of the leader, one more than that of the one before; 0 in a Lease that was just created.
	Number int64
	// Holder is the name of this process.
	Holder string
	// Acquired is when it became the leader.
	Acquired time.Time
	// Former is the leader before; nil if there was no Lease.
	Former *Former
}

// Former is a leader as the Lease shows it to the next one.
type Former struct {
	// Holder is its name; "" if it has released the Lease.
	Holder string
	// Acquired is when it became the leader. A release by a version that keeps no log replaces it.
	Acquired time.Time
}

// LogConfig is what a Log needs.
type LogConfig struct {
	// Leases reads and writes Leases, without a cache and behind the fence.
	Leases client.Client
	// Name of the Lease that holds the log.
	Name types.NamespacedName
	// Term of this process; nil without leader election. Led is false while it does not lead.
	Term func() (t Term, led bool)
	// Used reports whether users may have been created before there was a log.
	Used func(context.Context) (bool, error)
	// Clock of everything.
	Clock clock.PassiveClock
}

// Log is the creation log. It names the subjects for which a call may be open, so that the next leader knows them even if the
// objects that the calls were made for were deleted. It is stored in a Lease. The leader takes it over before it creates any
// user. It names each subject in the log before it sends the call, and drops the name once any listing shows the created user.
type Log struct {
	config LogConfig
	// self is the name of this process if there is no leader election.
	self string
	// lost is closed when another process has taken over the log.
	lost   chan struct{}
	taking sync.Mutex
	// former is the term that was found first during the takeover. It is guarded by taking.
	former *term

	mu sync.Mutex
	// term is that of this process, once it has tried to take over.
	term term
	// lease as it was last read or written, by a takeover or a write.
	lease *coordinationv1.Lease
	// takenOver is when the takeover was acknowledged; zero before.
	takenOver time.Time
	inherited inheritance
	named     names
	writes    writes
}

// NewLog returns a log that is not taken over yet.
func NewLog(config LogConfig) *Log {
	return &Log{config: config, self: string(uuid.NewUUID()), lost: make(chan struct{}), named: newNames()}
}

// NeedLeaderElection makes the manager start the log when this process leads.
func (*Log) NeedLeaderElection() bool { return true }

// Start takes the log over and returns when ctx ends, or with ErrTakenOver when another process has taken it over.
func (l *Log) Start(ctx context.Context) error {
	for {
		err := l.TakeOver(ctx)
		switch {
		case err == nil:
			return l.watch(ctx)
		case errors.Is(err, ErrTakenOver):
			return err
		case ctx.Err() == nil:
			log.FromContext(ctx).Error(err, "taking over the creation log failed and is retried; no user is created meanwhile")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(takeOverRetry):
		}
	}
}

func (l *Log) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-l.lost:
		return ErrTakenOver
	}
}

// TakeOver takes the log over, unless this process already has. No user may be created before.
func (l *Log) TakeOver(ctx context.Context) error {
	if l.since().IsZero() {
		l.taking.Lock()
		defer l.taking.Unlock()
	}
	if l.isLost() {
		return ErrTakenOver
	}
	if !l.since().IsZero() {
		return nil
	}
	return l.takeOver(ctx)
}

// since is when the takeover was acknowledged; zero before. A user that an earlier listing did not show may exist.
func (l *Log) since() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.takenOver
}

// lose records that another process has taken over the log.
func (l *Log) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.lost:
	default:
		close(l.lost)
	}
}

func (l *Log) isLost() bool {
	select {
	case <-l.lost:
		return true
	default:
		return false
	}
}
