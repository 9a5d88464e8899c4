package server

import (
	"cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

// maxSeededUsers bounds the users of one request.
const maxSeededUsers = 1_000_000

// SeedRequest requests users in bulk. They have no metadata. Each has connected
// accounts of a test person at the first providers.
type SeedRequest struct {
	Users           int `json:"users"`
	AccountsPerUser int `json:"accountsPerUser"`
	// Key is the tenant's API key; default is the first one of the sandbox.
	Key string `json:"key"`
}

// Seed creates users in bulk. Their data is readable at once. Webhooks get no
// events.
func (s *Sandbox) Seed(req SeedRequest) error {
	key := cmp.Or(req.Key, s.keys[0])
	t, ok := s.tenants[key]
	if !ok {
		return notFound("key", key)
	}
	if req.Users < 0 || req.Users > maxSeededUsers {
		return invalid("users must be from 0 to %d", maxSeededUsers)
	}
	at := fixtures.Linkable()
	if req.AccountsPerUser < 0 || req.AccountsPerUser > len(at) {
		return invalid("accountsPerUser must be from 0 to %d", len(at))
	}
	now := s.clock.Now()
	defer s.flush()
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range req.Users {
		u := t.addUserSilently(s.ids, nil, now)
		t.commit(u)
		for _, p := range at[:req.AccountsPerUser] {
			a := s.linker.newAccount(t, u, p, now)
			a.person = s.linker.people[i%len(s.linker.people)]
			a.setStatus(Connected, "", "", now)
			a.refreshes = append(a.refreshes, now)
			s.linker.scheduleLife(t, a, now)
			linked := &task{
				id: s.ids.Next("task-"), ordinal: len(t.tasks.order), kind: linkAccount, account: a,
				startedAt: now, finishedAt: now, datapoints: p.Supported,
			}
			t.tasks.add(linked.id, linked)
			t.commit(a)
			t.commit(linked)
		}
	}
	return nil
}
