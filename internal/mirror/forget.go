package mirror

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// unusedFor is how long a mirror is kept that no connection uses any more. It is much longer than a reconcile, so that
// nobody holds a mirror that is not the set's.
const unusedFor = time.Hour

var errPanicked = errors.New("a listing panicked")

// recovered makes an error of a panic. Nothing of it is logged: it may quote what Smile has answered.
func recovered(ctx context.Context, work func() error) (err error) {
	defer func() {
		if recover() != nil {
			panics.Inc()
			log.FromContext(ctx).Error(nil, "a listing panicked and is tried again; what it was is withheld")
			err = errPanicked
		}
	}()
	return work()
}

// ForgetClaims drops what a deleted SmileUser has claimed.
func (s *Set) ForgetClaims(name types.NamespacedName) {
	for _, m := range s.all() {
		m.mu.Lock()
		for userID, holder := range m.claims {
			if holder.Object == name {
				delete(m.claims, userID)
			}
		}
		m.mu.Unlock()
	}
}

// forgetUnused drops the mirrors of API accounts whose connections were deleted.
func (s *Set) forgetUnused() {
	for _, m := range s.all() {
		if !m.idle() {
			continue
		}
		s.mu.Lock()
		if s.now()-moment(m.usedAt.Load()) > moment(unusedFor) {
			delete(s.mirrors, m.account)
		}
		s.mu.Unlock()
	}
}

// idle reports whether no connection uses the mirror and no listing is running.
func (m *shared) idle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.rounds.connections) == 0 && m.walks.running == nil && !m.rounds.running.Load()
}
