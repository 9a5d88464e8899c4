package server

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// peopleRoutes is the part of the control API that does what people do outside
// of the widget, and that shows what they receive.
func (s *Sandbox) peopleRoutes(r chi.Router) {
	r.Post("/users", reading(func(_ *http.Request, body NewUserRequest) (any, error) { return s.NewUser(body) }))
	r.Get("/mails", answering(func(*http.Request) (any, error) { return s.Mails(), nil }))
	r.Post("/invites/{id}", reading(func(r *http.Request, body inviteChange) (any, error) {
		return s.AdvanceInvite(chi.URLParam(r, "id"), body.Status)
	}))
	r.Post("/users/{id}/complete", answering(func(r *http.Request) (any, error) { return s.CompleteSession(chi.URLParam(r, "id")) }))
	r.Get("/exports/{id}", s.serveExport)
	r.Get("/samples/payslip.pdf", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/pdf")
		_, _ = w.Write(fixtures.SamplePayslip())
	})
}

// NewUserRequest is a user to create. Key is the API key of the tenant; default is the
// first one of the sandbox.
type NewUserRequest struct {
	Key              string            `json:"key"`
	ExternalMetadata map[string]string `json:"externalMetadata"`
}

// DefaultKey is the API key of the first tenant.
func (s *Sandbox) DefaultKey() string { return s.keys[0] }

// NewUser creates a user, as the application's backend would. Like everything in the
// control API, this is neither counted nor in the journal.
func (s *Sandbox) NewUser(wanted NewUserRequest) (CreatedUser, error) {
	body := wire.Encode(map[string]any{"externalMetadata": wanted.ExternalMetadata})
	made, err := s.asBackend(cmp.Or(wanted.Key, s.keys[0]), createUser, &call{body: body})
	if err != nil {
		return CreatedUser{}, err
	}
	return made.(CreatedUser), nil
}

// NewWebhook registers a webhook, as the application's backend would. Key is the API
// key of the tenant; default is the first one of the sandbox.
func (s *Sandbox) NewWebhook(key string, wanted WebhookRequest) error {
	_, err := s.asBackend(cmp.Or(key, s.keys[0]), createWebhook, &call{body: wire.Encode(wanted)})
	return err
}

type inviteChange struct {
	Status InviteStatus `json:"status"`
}

// Mails lists the mails of all invites by tenant. They are not sent.
func (s *Sandbox) Mails() []Mail {
	written := []Mail{}
	for _, key := range s.keys {
		t := s.tenants[key]
		t.mu.RLock()
		for _, i := range t.invites.order {
			written = append(written, i.mail)
		}
		t.mu.RUnlock()
	}
	return written
}

// AdvanceInvite does what an invited person does: open the mail, the landing
// page or the widget. The link of an invite expires after 14 days.
func (s *Sandbox) AdvanceInvite(id string, to InviteStatus) (Invite, error) {
	if !slices.Contains(inviteStatuses, to) {
		return Invite{}, invalid("invite status %q does not exist", to)
	}
	now := s.clock.Now()
	return inTenantWith(s, now, func(t *tenant) (Invite, bool, error) {
		i, ok := t.invites.byID[id]
		if !ok {
			return Invite{}, false, nil
		}
		if !now.Before(i.mail.ExpiresAt) {
			return Invite{}, true, invalid("the link of invite %q has expired", id)
		}
		t.advance(i, to, now)
		return i.wire(), true, nil
	}, notFound("invite", id))
}

// CompleteSession completes a user's session, as Done does in the widget.
func (s *Sandbox) CompleteSession(userID string) (User, error) {
	now := s.clock.Now()
	return inTenantWith(s, now, func(t *tenant) (User, bool, error) {
		u, ok := t.users.byID[userID]
		if !ok {
			return User{}, false, nil
		}
		t.completeSession(u, now)
		return u.wire(&s.behavior), true, nil
	}, notFound("user", userID))
}

// inTenantWith calls how with each locked tenant until one has the object. If
// none has it, the error is otherwise.
func inTenantWith[T any](s *Sandbox, now time.Time, how func(*tenant) (T, bool, error), otherwise error) (T, error) {
	defer s.flush()
	for _, t := range s.tenants {
		t.catchUp(now)
		t.mu.Lock()
		result, found, err := how(t)
		t.mu.Unlock()
		if found {
			return result, err
		}
	}
	var none T
	return none, otherwise
}
