package sandbox

import (
	"encoding/base64"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/ids"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// tokenLife is how long a link token opens the widget.
const tokenLife = 5 * time.Hour

func listUsers(c *call) reply {
	start, end := c.filter("startDate"), c.filter("endDate")
	visible := func(u *user) bool {
		return c.now.Sub(u.createdAt) >= c.box.behaviour.listLag && c.during(u.createdAt, start, end)
	}
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	return paginate(c, c.tenant.users.after(c.paging.from), visible, func(u *user) any { return u.wire(&c.box.behaviour) })
}

func getUser(c *call) reply {
	c.userID = c.id()
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	u, known := c.tenant.users.byID[c.userID]
	if !known {
		return missing()
	}
	return ok(u.wire(&c.box.behaviour))
}

func createUser(c *call) reply {
	metadata, wrong := readUserBody(c.body)
	if wrong != nil {
		return wrong.reply()
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	u := c.tenant.addUser(c.box.ids, metadata, c.now)
	c.userID, c.committed = u.id, true
	return created(createdUser{User: u.wire(&c.box.behaviour), Token: c.mint(u)})
}

// addUser makes a user and tells of it. The caller holds mu.
func (t *tenant) addUser(ids *ids.Source, metadata map[string]string, at time.Time) *user {
	u := t.placeUser(ids, metadata, at)
	t.commit(u, userCreated(u, at))
	return u
}

// placeUser makes a user of whom nobody is told. The caller holds mu.
func (t *tenant) placeUser(ids *ids.Source, metadata map[string]string, at time.Time) *user {
	u := &user{id: ids.Next("tenant-"), ordinal: len(t.users.order), metadata: metadata, createdAt: at}
	t.users.add(u.id, u)
	return u
}

func createToken(c *call) reply {
	wanted := c.filter("userId")
	if wanted == "" {
		var wrong *problem
		if wanted, wrong = readTokenBody(c.body); wrong != nil {
			return wrong.reply()
		}
	}
	c.userID = wanted
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	u, known := c.tenant.users.byID[wanted]
	if !known {
		return missing()
	}
	c.committed = true
	return created(c.mint(u))
}

// tokenClaims is what a link token says, to the sandbox alone: to everybody
// else it is opaque.
type tokenClaims struct {
	TokenID   string         `json:"jti"`
	UserID    string         `json:"sub"`
	Key       string         `json:"iss"`
	Mode      Mode           `json:"mode"`
	ExpiresAt wire.Timestamp `json:"exp"`
}

// mint makes a link token. The caller holds mu.
func (c *call) mint(u *user) linkToken {
	claims := tokenClaims{
		TokenID: c.box.ids.Next("tk-"), UserID: u.id, Key: c.tenant.pair.Key, Mode: c.tenant.pair.Mode,
		ExpiresAt: wire.Timestamp{Time: c.now.Add(tokenLife)},
	}
	if c.box.behaviour.newToken == "voids" {
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
