package connection

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const (
	// standbyReread is how often a standby reads the Secret of a connection again, as the leader does.
	standbyReread = 30 * time.Second
	// standbyPause is the least time between two such reads.
	standbyPause = time.Second
)

// standbyReads are when a standby last read the Secret of each connection.
type standbyReads struct {
	mu sync.Mutex
	at map[types.NamespacedName]time.Time
}

// ForStandby is For in a process that does not lead. No controller reads Secrets again there, so this does: every 30 seconds, and
// when the leader has changed to another key pair. A pair counts as proven if the status shows that the leader has proven it: a
// standby proves none.
func (r *Registry) ForStandby(
	ctx context.Context, namespace string, ref v1alpha1.ConnectionReference,
) (*Connection, error) {
	var obj v1alpha1.SmileConnection
	err := r.config.Connections.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, &obj)
	if err == nil && meta.IsStatusConditionTrue(obj.Status.Conditions, v1alpha1.ConditionReady) {
		if err := r.follow(ctx, &obj); err != nil {
			return nil, err
		}
	}
	return r.For(ctx, namespace, ref)
}

// follow reads the Secret of a connection again if that is due.
func (r *Registry) follow(ctx context.Context, obj *v1alpha1.SmileConnection) error {
	name := client.ObjectKeyFromObject(obj)
	conn, now := r.current(name, obj), r.config.Clock.Now()
	settled := conn != nil && conn.proven.Load() && conn.session.provenFor(obj)
	if !r.standby.take(name, now, conn != nil, settled) {
		return nil
	}
	conn, err := r.Refresh(ctx, obj)
	if err != nil {
		r.standby.forget(name)
		return err
	}
	if conn.session.provenFor(obj) {
		conn.proven.Store(true)
	}
	return nil
}

// take reports whether the Secret of a connection must be read now. known is whether it was read for the present object, and
// settled whether the pair in it is the one that the leader uses.
func (s *standbyReads) take(name types.NamespacedName, now time.Time, known, settled bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := standbyReread
	if !settled {
		pause = standbyPause
	}
	last, read := s.at[name]
	if known && read && now.Sub(last) < pause {
		return false
	}
	if s.at == nil {
		s.at = map[types.NamespacedName]time.Time{}
	}
	s.at[name] = now
	return true
}

// forget has the next call read the Secret again.
func (s *standbyReads) forget(name types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.at, name)
}
