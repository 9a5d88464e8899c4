package server

import "time"

// backendName is the metadata that names a user whom a backend creates by MintFor.
const backendName = "name"

// MintedToken is a link token that an application's backend has minted.
type MintedToken struct {
	AccessToken string
	ExpiresAt   time.Time
	Mode        Mode
	UserID      string
}

// MintFor mints a link token as the backend of a tenant would, for the user whose metadata has a name. Without one, it creates
// that user first. Nothing is limited, counted or written to the journal.
func (s *Sandbox) MintFor(key, name string) (MintedToken, error) {
	t, known := s.tenants[key]
	if !known {
		return MintedToken{}, notFound("key", key)
	}
	now := s.clock.Now()
	defer s.flush()
	t.catchUp(now)
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.named(name)
	if u == nil {
		u = t.addUser(s.ids, map[string]string{backendName: name}, now)
	}
	token := (&call{box: s, tenant: t, arrived: now, now: now}).mint(u)
	return MintedToken{token.AccessToken, token.ExpiresAt.Time, token.Mode, u.id}, nil
}

// named is the first user with a name; nil if there is none. The caller holds mu.
func (t *tenant) named(name string) *user {
	for _, u := range t.users.order {
		if u.metadata[backendName] == name {
			return u
		}
	}
	return nil
}
