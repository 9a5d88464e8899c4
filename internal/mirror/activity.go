package mirror

import (
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/schedule"
)

// activityPause is the least time between two polls because of activities, however many there are: users who get tokens in the
// same seconds are refreshed together.
const activityPause = 5 * time.Second

// activities are the users who probably act at the moment, because they just got a link token. The zero activities is empty.
type activities struct {
	mu sync.Mutex
	// since is when each user got the last token, and next when a refresh is due.
	byUser map[string]activity
	// polled is when refreshes were last due.
	polled time.Time
}

type activity struct{ since, next time.Time }

// note records that a user got a token.
func (a *activities) note(userID string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byUser == nil {
		a.byUser = map[string]activity{}
	}
	a.byUser[userID] = activity{now, schedule.AfterActivity(now, now).Next}
}

// due returns the users to refresh now, and since when; none if that was requested of others a moment ago. Each user is due at
// growing distances, and then forgotten.
func (a *activities) due(now time.Time) (users map[string]time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Before(a.polled.Add(activityPause)) {
		return nil
	}
	users = map[string]time.Time{}
	for id, held := range a.byUser {
		if held.next.After(now) {
			continue
		}
		due := schedule.AfterActivity(held.since, now)
		users[id] = due.Last
		if held.next = due.Next; held.next.IsZero() {
			delete(a.byUser, id)
		} else {
			a.byUser[id] = held
		}
	}
	if len(users) > 0 {
		a.polled = now
	}
	return users
}

// next is when users will be due; ok is false if none will.
func (a *activities) next() (next time.Time, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, held := range a.byUser {
		if !ok || held.next.Before(next) {
			next, ok = held.next, true
		}
	}
	if earliest := a.polled.Add(activityPause); ok && next.Before(earliest) {
		next = earliest
	}
	return next, ok
}
