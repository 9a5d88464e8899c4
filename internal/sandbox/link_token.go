package sandbox

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/ids"
)

// tokenFault is why a link token opens nothing. The Link API sends it as
// data.reason, so that the widget can tell expiry from everything else.
type tokenFault string

const (
	tokenAbsent    tokenFault = "ABSENT"
	tokenMalformed tokenFault = "MALFORMED"
	tokenForged    tokenFault = "FORGED"
	tokenForeign   tokenFault = "FOREIGN"
	tokenExpired   tokenFault = "EXPIRED"
)

// tokenFaultTexts are sentences for people.
var tokenFaultTexts = map[tokenFault]string{
	tokenAbsent:    "The call carries no link token.",
	tokenMalformed: "What the call carries is no link token.",
	tokenForged:    "The link token was not issued here.",
	tokenForeign:   "The link token is of a tenant that does not exist here.",
	tokenExpired:   "The link token has expired.",
}

func (f tokenFault) reply() *reply {
	refusal := refuse(http.StatusUnauthorized, tokenFaultTexts[f])
	refusal.data = map[string]tokenFault{"reason": f}
	return &refusal
}

// readLinkToken opens a token that this sandbox has issued and that has not
// expired. What stands in front of it, such as a canary, is ignored.
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

// admit finds tenant and user by the link token.
func (c *call) admit() *reply {
	scheme, token, _ := strings.Cut(c.request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return tokenAbsent.reply()
	}
	claims, fault := readLinkToken(c.box.ids, token, c.box.clock.Now())
	if fault != "" {
		return fault.reply()
	}
	t, known := c.box.tenants[claims.Key]
	if !known {
		return tokenForeign.reply()
	}
	if t.voided(claims) {
		return tokenExpired.reply()
	}
	c.tenant, c.userID, c.link = t, claims.UserID, claims
	return nil
}

// voided tells whether a newer token has ended this one, which a quirk decides.
func (t *tenant) voided(claims tokenClaims) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	u, known := t.users.byID[claims.UserID]
	return known && u.onlyToken != "" && u.onlyToken != claims.TokenID
}
