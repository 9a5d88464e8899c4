package server

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
)

// How many users of a tenant one overview shows.
const (
	maxOverviewUsers     = 500
	defaultOverviewUsers = 30
)

// Overview is what the overview page shows. It contains no secrets.
type Overview struct {
	// Now is the time on the sandbox clock.
	Now     time.Time        `json:"now"`
	Stats   Stats            `json:"stats"`
	Tenants []TenantOverview `json:"tenants"`
	// Providers, People, ErrorCodes and Operations are the choices on the page.
	Providers  []*fixtures.Provider `json:"providers"`
	People     []testLogin          `json:"people"`
	ErrorCodes []string             `json:"errorCodes"`
	Operations []string             `json:"operations"`
	Faults     []Fault              `json:"faults"`
	// DeliveryFaults are those set, EventTypes those that they can name.
	DeliveryFaults []delivery.Fault `json:"deliveryFaults"`
	EventTypes     []string         `json:"eventTypes"`
	Quirks         []quirks.Setting `json:"quirks"`
	// Bodies reports whether headers and bodies are kept.
	Bodies bool `json:"bodies"`
}

// TenantOverview is the part of an Overview that belongs to one key pair.
type TenantOverview struct {
	Key  string `json:"key"`
	Mode Mode   `json:"mode"`
	// Users are the users found, newest first.
	Users    []UserOverview    `json:"users"`
	Webhooks []WebhookOverview `json:"webhooks"`
}

// UserOverview is a user with all accounts.
type UserOverview struct {
	User     User      `json:"user"`
	Accounts []Account `json:"accounts"`
}

// WebhookOverview is a webhook without its secret.
type WebhookOverview struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	URL        string   `json:"url"`
	EventTypes []string `json:"eventTypes"`
	Active     bool     `json:"active"`
}

// pageRoutes is the part of the control API for the overview page.
func (s *Sandbox) pageRoutes(r chi.Router) {
	r.Get("/overview", answering(func(r *http.Request) (any, error) {
		limit, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("users"), strconv.Itoa(defaultOverviewUsers)))
		if err != nil || limit < 0 || limit > maxOverviewUsers {
			return nil, invalid("users must be from 0 to %d", maxOverviewUsers)
		}
		return s.Overview(limit, r.URL.Query().Get("find")), nil
	}))
	r.Post("/users/{id}/token", answering(func(r *http.Request) (any, error) { return s.NewToken(chi.URLParam(r, "id")) }))
}

// Overview shows the newest users of each tenant, at most limit per tenant,
// whose id or metadata contains find.
func (s *Sandbox) Overview(limit int, find string) Overview {
	shown := Overview{
		Now: s.Now(), Stats: s.Stats(), Providers: fixtures.Providers, People: s.testPeople(),
		ErrorCodes: ErrorCodes(), Faults: s.Faults(), DeliveryFaults: s.DeliveryFaults(),
		Operations: Operations(), EventTypes: delivery.EventTypes, Quirks: s.quirks, Bodies: s.bodies.Keeps(),
	}
	for _, key := range s.keys {
		shown.Tenants = append(shown.Tenants, s.tenants[key].overview(&s.behavior, shown.Now, limit, find))
	}
	return shown
}

func (t *tenant) overview(b *quirks.Behavior, now time.Time, limit int, find string) TenantOverview {
	t.catchUp(now)
	t.mu.RLock()
	defer t.mu.RUnlock()
	shown := TenantOverview{Key: t.pair.Key, Mode: t.pair.Mode, Users: []UserOverview{}, Webhooks: []WebhookOverview{}}
	for _, u := range slices.Backward(t.users.order) {
		if len(shown.Users) == limit {
			break
		}
		if u.mentions(find) {
			shown.Users = append(shown.Users, u.overview(b))
		}
	}
	for _, w := range t.webhooks.order {
		shown.Webhooks = append(shown.Webhooks, WebhookOverview{w.id, w.Name, w.URL, w.EventTypes, w.Active})
	}
	return shown
}

func (u *user) overview(b *quirks.Behavior) UserOverview {
	shown := UserOverview{User: u.wire(b), Accounts: []Account{}}
	for _, a := range u.accounts {
		shown.Accounts = append(shown.Accounts, a.wire())
	}
	return shown
}

// mentions reports whether a text occurs in the user's id or metadata.
func (u *user) mentions(text string) bool {
	if strings.Contains(u.id, text) {
		return true
	}
	for key, value := range u.metadata {
		if strings.Contains(key, text) || strings.Contains(value, text) {
			return true
		}
	}
	return false
}

// testPeople are the usual test people, followed by those with trouble.
func (s *Sandbox) testPeople() []testLogin {
	shown := []testLogin{}
	for _, p := range s.linker.people {
		shown = append(shown, testLogin{Login: p.Logins[0], Password: p.Password, MFA: p.MFA})
	}
	for _, trouble := range fixtures.Troubles {
		shown = append(shown, testLogin{
			trouble.Login, fixtures.TroublePassword, fixtures.TroubleCode, trouble.ErrorCode, trouble.Effect,
		})
	}
	return shown
}

// NewToken issues a link token for a user, as the application's backend would.
func (s *Sandbox) NewToken(userID string) (any, error) {
	for _, key := range s.keys {
		t := s.tenants[key]
		t.mu.RLock()
		_, ok := t.users.byID[userID]
		t.mu.RUnlock()
		if ok {
			return s.asBackend(key, createToken, &call{filters: url.Values{"userId": {userID}}})
		}
	}
	return nil, notFound("user", userID)
}

// asBackend runs a handler of the Open API without a request: nothing is
// limited, counted or written to the journal. The call has the body or the filters.
func (s *Sandbox) asBackend(key string, how func(*call) reply, c *call) (any, error) {
	t, ok := s.tenants[key]
	if !ok {
		return nil, notFound("key", key)
	}
	now := s.clock.Now()
	defer s.flush()
	t.catchUp(now)
	c.box, c.tenant, c.arrived, c.now = s, t, now, now
	answer := how(c)
	if answer.status >= http.StatusBadRequest {
		return nil, &ControlError{answer.status, answer.message}
	}
	return answer.data, nil
}
