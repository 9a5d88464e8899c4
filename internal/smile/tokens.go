package smile

import (
	"context"
	"net/url"
	"time"
)

// Mode is the half of Smile that a key pair belongs to. Only tokens show it.
type Mode string

// The modes.
const (
	ModeSandbox    Mode = "SANDBOX"
	ModeProduction Mode = "PRODUCTION"
)

// Token is a link token: it initializes the widget for one user.
type Token struct {
	// ID is empty if the response does not contain it.
	ID          string
	ExpiresAt   time.Time
	Mode        Mode
	AccessToken Sensitive[string]
}

type tokenWire struct {
	ID          string            `json:"id"`
	ExpiresAt   timestamp         `json:"expiresAt"`
	Mode        enum              `json:"mode"`
	AccessToken Sensitive[string] `json:"accessToken"`
}

func (w tokenWire) domain() (Token, error) {
	token := Token{ID: w.ID, ExpiresAt: w.ExpiresAt.Time, Mode: Mode(w.Mode), AccessToken: w.AccessToken}
	switch {
	case w.AccessToken.Reveal() == "":
		return token, missing("accessToken")
	case w.ExpiresAt.IsZero():
		return token, missing("expiresAt")
	case w.ID != "" && !validID(w.ID):
		return token, ProblemBadID
	default:
		return token, nil
	}
}

// CreateToken mints a link token of a user, valid for five hours.
func (m *Mutator) CreateToken(ctx context.Context, userID string) (Token, error) {
	if !validID(userID) {
		return Token{}, invalidArgument("userID", ProblemBadID)
	}
	return fetch[tokenWire](ctx, m.Client, call{
		operation: opCreateToken,
		path:      []string{"tokens"},
		query:     url.Values{"userId": {userID}},
	})
}
