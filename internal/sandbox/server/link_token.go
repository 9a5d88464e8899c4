package server

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/ids"
)

// readLinkToken reads a token that this sandbox has issued and that has not
// expired. A prefix such as a canary is ignored.
func readLinkToken(ids *ids.Source, token string, now time.Time) (tokenClaims, tokenFault) {
	var claims tokenClaims
	parts := strings.Split(token, ".")
	if len(parts) < 3 || parts[len(parts)-3] != "smile" {
		return claims, tokenMalformed
	}
	body, signature := parts[len(parts)-2], parts[len(parts)-1]
	if subtle.ConstantTimeCompare([]byte(ids.Sign(body)), []byte(signature)) != 1 {
		return claims, tokenForged
	}
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return claims, tokenMalformed
	}
	if !now.Before(claims.ExpiresAt.Time) {
		return claims, tokenExpired
	}
	return claims, ""
}

// authenticateLink finds tenant and user by the link token.
func (c *call) authenticateLink() *reply {
	scheme, token, _ := strings.Cut(c.request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return tokenAbsent.reply()
	}
	claims, fault := readLinkToken(c.box.ids, token, c.box.clock.Now())
	if fault != "" {
		return fault.reply()
	}
	t, ok := c.box.tenants[claims.Key]
	if !ok {
		return tokenForeign.reply()
	}
	if t.voided(claims) {
		return tokenExpired.reply()
	}
	c.tenant, c.userID, c.link = t, claims.UserID, claims
	return nil
}

// voided reports whether a newer token has replaced this one. A quirk decides
// that.
func (t *tenant) voided(claims tokenClaims) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	u, ok := t.users.byID[claims.UserID]
	return ok && u.onlyToken != "" && u.onlyToken != claims.TokenID
}
