package server

import "time"

// The states of a user's session.
const (
	inProgress = "IN_PROGRESS"
	completed  = "COMPLETED"
)

func (u *user) session() session {
	status := inProgress
	if u.completed {
		status = completed
	}
	return session{UserID: u.id, Channel: "Default", Status: status}
}

// userPayload is the data of a user's session.
type userPayload struct {
	Metadata session         `json:"metadata"`
	Forms    []any           `json:"forms"`
	Accounts []accountOfUser `json:"accounts"`
	Archives []archiveOfUser `json:"archives"`
}

type accountOfUser struct {
	ID         string         `json:"id"`
	ProviderID string         `json:"providerId"`
	Payload    map[string]any `json:"payload"`
}

type archiveOfUser struct {
	ID       string         `json:"id"`
	FileType string         `json:"fileType"`
	Payload  map[string]any `json:"payload"`
}

// sessionPayload is the data of the accounts and archives that a user has added
// since the session was reset. The caller holds mu for writing.
func (t *tenant) sessionPayload(u *user) userPayload {
	shown := userPayload{Metadata: u.session(), Forms: []any{}, Accounts: []accountOfUser{}, Archives: []archiveOfUser{}}
	for _, a := range u.accounts {
		if a.status != Connected || a.createdAt.Before(u.sessionSince) {
			continue
		}
		shown.Accounts = append(shown.Accounts, accountOfUser{a.id, a.provider.ID, t.payload(a)})
	}
	for _, a := range u.archives {
		if a.status == analyzed && !a.createdAt.Before(u.sessionSince) {
			shown.Archives = append(shown.Archives, archiveOfUser{a.id, a.fileType, noPayload()})
		}
	}
	return shown
}

func getUserPayload(c *call) reply {
	c.userID = c.id()
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	u, found := c.tenant.users.byID[c.userID]
	if !found {
		return missing()
	}
	return ok(c.tenant.sessionPayload(u))
}

// resetSession empties the session. Accounts stay linked.
func resetSession(c *call) reply {
	c.userID = c.id()
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	u, ok := c.tenant.users.byID[c.userID]
	if !ok {
		return missing()
	}
	u.completed, u.sessionSince = false, c.now
	c.tenant.commit(u, occurrence{
		kind: "USER_SESSION_RESET", at: c.now,
		data: func() details { return details{"session": u.session()} },
	})
	c.committed = true
	return done()
}

// completeSession ends a session. The caller holds mu.
func (t *tenant) completeSession(u *user, at time.Time) {
	if u.completed {
		return
	}
	u.completed = true
	t.commit(u, occurrence{kind: "USER_SESSION_COMPLETED", at: at, data: func() details {
		return details{"session": u.session(), "payload": t.sessionPayload(u)}
	}})
}
