package broker

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
)

// AnnotationLeader is the annotation of the leader Lease that holds the leader's address.
const AnnotationLeader = "smile-operator.io/leader"

// Leader is the address at which the leader accepts calls that other replicas forward.
type Leader struct {
	// Address, as host:port.
	Address string `json:"address"`
	// Certificate is the SHA-256 of the certificate that the process shows there, in hexadecimal.
	Certificate string `json:"certificate"`
}

// announcement is the value of AnnotationLeader. It is valid only in a Lease with the same holder and transitions: another
// leader may have taken over without replacing it.
type announcement struct {
	Leader
	Holder      string `json:"holder"`
	Transitions int32  `json:"transitions"`
}

// Board announces this process in the leader Lease while it leads, and knows the leader's address otherwise. It sees the Lease
// when leader election reads and writes it, so that it costs no request.
type Board struct {
	own   Leader
	clock clock.PassiveClock

	mu sync.Mutex
	// identity of this process in the election; empty before it led for the first time.
	identity string
	seen     coordinationv1.Lease
	// seenAt is when the newest renewal was first seen, by the clock of this process.
	seenAt time.Time
}

// NewBoard makes the board of a process. Without an address the process announces nothing.
func NewBoard(own Leader, clk clock.PassiveClock) *Board { return &Board{own: own, clock: clk} }

// Leader returns the address of the leader. It returns false if no leader is known, or if this process leads.
func (b *Board) Leader() (Leader, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	spec := b.seen.Spec
	holder := ptr.Deref(spec.HolderIdentity, "")
	lease := time.Duration(ptr.Deref(spec.LeaseDurationSeconds, 0)) * time.Second
	if holder == "" || holder == b.identity || b.clock.Since(b.seenAt) >= lease {
		return Leader{}, false
	}
	var said announcement
	if json.Unmarshal([]byte(b.seen.Annotations[AnnotationLeader]), &said) != nil ||
		said.Holder != holder || said.Transitions != ptr.Deref(spec.LeaseTransitions, 0) {
		return Leader{}, false
	}
	return said.Leader, said.Address != ""
}

// Wrap returns Leases by which the election reads and writes its Lease.
func (b *Board) Wrap(leases coordination.LeasesGetter) coordination.LeasesGetter {
	return watchedGetter{leases, b}
}

// announce adds the announcement to a Lease that is about to be written, or removes it if the Lease is being released.
func (b *Board) announce(lease *coordinationv1.Lease) {
	holder := ptr.Deref(lease.Spec.HolderIdentity, "")
	if holder == "" || b.own.Address == "" {
		delete(lease.Annotations, AnnotationLeader)
		return
	}
	text, err := json.Marshal(announcement{b.own, holder, ptr.Deref(lease.Spec.LeaseTransitions, 0)})
	if err != nil {
		return // texts and a number can be encoded
	}
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, AnnotationLeader, string(text))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.identity = holder
}

// see records a Lease that a request has read or written. The time is when that request began.
func (b *Board) see(lease *coordinationv1.Lease, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !equality.Semantic.DeepEqual(lease.Spec, b.seen.Spec) {
		b.seenAt = at
	}
	b.seen = coordinationv1.Lease{ObjectMeta: *lease.ObjectMeta.DeepCopy(), Spec: *lease.Spec.DeepCopy()}
}

type watchedGetter struct {
	coordination.LeasesGetter
	board *Board
}

func (g watchedGetter) Leases(namespace string) coordination.LeaseInterface {
	return watchedLeases{g.LeasesGetter.Leases(namespace), g.board}
}

// watchedLeases are the three requests of leader election.
type watchedLeases struct {
	coordination.LeaseInterface
	board *Board
}

func (l watchedLeases) Get(ctx context.Context, name string, options metav1.GetOptions) (*coordinationv1.Lease, error) {
	return l.seen(func() (*coordinationv1.Lease, error) { return l.LeaseInterface.Get(ctx, name, options) })
}

func (l watchedLeases) Create(
	ctx context.Context,
	lease *coordinationv1.Lease,
	options metav1.CreateOptions,
) (*coordinationv1.Lease, error) {
	l.board.announce(lease)
	return l.seen(func() (*coordinationv1.Lease, error) { return l.LeaseInterface.Create(ctx, lease, options) })
}

func (l watchedLeases) Update(
	ctx context.Context,
	lease *coordinationv1.Lease,
	options metav1.UpdateOptions,
) (*coordinationv1.Lease, error) {
	l.board.announce(lease)
	return l.seen(func() (*coordinationv1.Lease, error) { return l.LeaseInterface.Update(ctx, lease, options) })
}

func (l watchedLeases) seen(request func() (*coordinationv1.Lease, error)) (*coordinationv1.Lease, error) {
	began := l.board.clock.Now()
	lease, err := request()
	if err == nil {
		l.board.see(lease, began)
	}
	return lease, err
}
