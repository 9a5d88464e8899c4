package mirror

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// unusedFor is for how long a mirror is kept that no connection uses any more: much longer than a reconcile, so that no reconcile
// still holds one that was dropped.
const unusedFor = time.Hour

// ForgetClaims drops the claims of a SmileUser that was deleted.
func (s *Set) ForgetClaims(name types.NamespacedName) {
	for _, m := range s.all() {
		m.forget(name)
	}
}

// forgetUnused drops the mirrors of API accounts whose connections were deleted.
func (s *Set) forgetUnused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for account, m := range s.mirrors {
		if m.poller.unusedFor() > unusedFor && m.listings.idle() && !m.poller.running.Load() {
			delete(s.mirrors, account)
		}
	}
}
