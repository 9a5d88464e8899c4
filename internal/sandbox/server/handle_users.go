package server

import (
	"encoding/base64"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/ids"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// tokenLife is how long a link token is valid.
const tokenLife = 5 * time.Hour

func listUsers(c *call) reply {
	start, end := c.filter("startDate"), c.filter("endDate")
	visible := func(u *user) bool {
		return c.now.Sub(u.createdAt) >= c.box.behavior.ListLag && c.during(u.createdAt, start, end)
	}
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	return paginate(c, c.tenant.users.after(c.paging.from), visible, func(u *user) any { return u.wire(&c.box.behavior) })
}

func getUser(c *call) reply {
	c.userID = c.id()
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	u, found := c.tenant.users.byID[c.userID]
	if !found {
		return missing()
	}
	return ok(u.wire(&c.box.behavior))
}

func createUser(c *call) reply {
	metadata, wrong := validate.UserMetadata(c.body)
	if wrong != nil {
		return badRequest(wrong)
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	u := c.tenant.addUser(c.box.ids, metadata, c.now)
	c.userID, c.committed = u.id, true
	return created(CreatedUser{User: u.wire(&c.box.behavior), Token: c.mint(u)})
}

// addUser creates a user and notifies the webhooks. The caller holds mu.
func (t *tenant) addUser(ids *ids.Source, metadata map[string]string, at time.Time) *user {
	u := t.addUserSilently(ids, metadata, at)
	t.commit(u, userCreatedEvent(u, at))
	return u
}

// addUserSilently creates a user without an event. The caller holds mu.
func (t *tenant) addUserSilently(ids *ids.Source, metadata map[string]string, at time.Time) *user {
	u := &user{id: ids.Next("tenant-"), ordinal: len(t.users.order), metadata: metadata, createdAt: at}
	t.users.add(u.id, u)
	return u
}

func createToken(c *call) reply {
	wanted := c.filter("userId")
	if wanted == "" {
		var wrong *validate.Problem
		if wanted, wrong = validate.UserID(c.body); wrong != nil {
			return badRequest(wrong)
		}
	}
	c.userID = wanted
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	u, ok := c.tenant.users.byID[wanted]
	if !ok {
		return missing()
	}
	c.committed = true
	return created(c.mint(u))
}

// tokenClaims is the content of a link token. Only the sandbox reads it;
// clients treat a token as opaque.
type tokenClaims struct {
	TokenID   string         `json:"jti"`
	UserID    string         `json:"sub"`
	Key       string         `json:"iss"`
	Mode      Mode           `json:"mode"`
	ExpiresAt wire.Timestamp `json:"exp"`
}

// mint issues a link token. The caller holds mu.
func (c *call) mint(u *user) linkToken {
	claims := tokenClaims{
		TokenID: c.box.ids.Next("tk-"), UserID: u.id, Key: c.tenant.pair.Key, Mode: c.tenant.pair.Mode,
		ExpiresAt: wire.Timestamp{Time: c.now.Add(tokenLife)},
	}
	if c.box.behavior.NewToken == "voids" {
		u.onlyToken = claims.TokenID
		c.tenant.commit(u)
	}
	body := base64.RawURLEncoding.EncodeToString(wire.Encode(claims))
	token := "smile." + body + "." + c.box.ids.Sign(body)
	if canary := c.box.canaries.New("accessToken"); canary != "" {
		token = canary + "." + token
	}
	return linkToken{ID: claims.TokenID, ExpiresAt: claims.ExpiresAt, Mode: claims.Mode, AccessToken: token}
}
