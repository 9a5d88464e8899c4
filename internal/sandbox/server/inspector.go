package server

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/smile-operator/smile-operator/internal/sandbox/bodies"
	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/traffic"
)

// The inspector: what the page shows of a call, a delivery and a user.

// InspectedCall is a call with its headers and bodies, if these are still kept.
type InspectedCall struct {
	Entry traffic.Entry `json:"entry"`
	Kept  bool          `json:"kept"`
	bodies.View
}

// InspectedDelivery is a delivery with its event and attempts, if these are still
// kept.
type InspectedDelivery struct {
	Delivery delivery.Delivery   `json:"delivery"`
	Kept     bool                `json:"kept"`
	Event    *bodies.MessageView `json:"event,omitempty"`
	// Attempts of the Delivery, with their headers and bodies.
	Attempts []bodies.View `json:"attempts"`
}

// InspectedUser is everything that the sandbox has about a user.
type InspectedUser struct {
	UserOverview
	Data     []accountOfUser `json:"data"`
	Tasks    []taskWire      `json:"tasks"`
	Archives []archiveWire   `json:"archives"`
	// Invite is the one that created the user, Mail is its mail.
	Invite *Invite `json:"invite"`
	Mail   *Mail   `json:"mail"`
}

// inspectorRoutes is the part of the control API for the inspector. Secrets are
// masked unless ?secrets=true.
func (s *Sandbox) inspectorRoutes(r chi.Router) {
	r.Get("/journal/{seq}", numbered(func(r *http.Request, seq int) (any, error) {
		return s.InspectCall(seq, wantsSecrets(r))
	}))
	r.Get("/deliveries/{seq}", numbered(func(r *http.Request, seq int) (any, error) {
		return s.InspectDelivery(seq, wantsSecrets(r))
	}))
	r.Post("/deliveries/{seq}/resend", numbered(func(_ *http.Request, seq int) (any, error) { return s.Resend(seq) }))
	r.Get("/users/{id}", answering(func(r *http.Request) (any, error) { return s.InspectUser(chi.URLParam(r, "id")) }))
	r.Get("/keys", answering(func(r *http.Request) (any, error) { return s.keyPairs(wantsSecrets(r)), nil }))
}

func wantsSecrets(r *http.Request) bool { return r.URL.Query().Get("secrets") == "true" }

func numbered(how func(*http.Request, int) (any, error)) http.HandlerFunc {
	return answering(func(r *http.Request) (any, error) {
		seq, err := strconv.Atoi(chi.URLParam(r, "seq"))
		if err != nil {
			return nil, invalid("%q is not a sequence number", chi.URLParam(r, "seq"))
		}
		return how(r, seq)
	})
}

// InspectCall shows a call of the journal.
func (s *Sandbox) InspectCall(seq int, secrets bool) (InspectedCall, error) {
	entry, ok := s.journal.Get(seq)
	if !ok {
		return InspectedCall{}, notFound("call", strconv.Itoa(seq))
	}
	found, kept := s.bodies.Call(seq)
	return InspectedCall{entry, kept, found.View(secrets)}, nil
}

// InspectDelivery shows a delivery.
func (s *Sandbox) InspectDelivery(seq int, secrets bool) (InspectedDelivery, error) {
	d, ok := s.deliveries.Get(seq)
	if !ok {
		return InspectedDelivery{}, notFound("delivery", strconv.Itoa(seq))
	}
	shown := InspectedDelivery{Delivery: d, Attempts: []bodies.View{}}
	if event, kept := s.bodies.Event(seq); kept {
		shown.Kept = true
		shown.Event = bodies.Exchange{Request: bodies.NewMessage(nil, event)}.View(secrets).Request
	}
	for attempt := range d.Attempts {
		made, _ := s.bodies.Attempt(seq, attempt+1)
		shown.Attempts = append(shown.Attempts, made.View(secrets))
	}
	return shown, nil
}

// Resend sends the event of a delivery again, as a new delivery.
func (s *Sandbox) Resend(seq int) (delivery.Delivery, error) {
	d, ok := s.deliveries.Get(seq)
	if !ok {
		return d, notFound("delivery", strconv.Itoa(seq))
	}
	t := s.tenants[d.Key]
	t.mu.RLock()
	hook := t.webhooks.byID[d.WebhookID]
	gone := hook == nil || hook.deleted
	t.mu.RUnlock()
	if gone {
		return d, &ControlError{http.StatusConflict, "the webhook was deleted"}
	}
	defer s.flush()
	made, err := s.deliveries.Resend(seq, hook.target())
	if errors.Is(err, delivery.ErrForgotten) {
		return d, &ControlError{http.StatusGone, err.Error()}
	}
	return made, err
}

// InspectUser shows a user.
func (s *Sandbox) InspectUser(id string) (InspectedUser, error) {
	return inTenantWith(s, s.clock.Now(), func(t *tenant) (InspectedUser, bool, error) {
		u, ok := t.users.byID[id]
		if !ok {
			return InspectedUser{}, false, nil
		}
		return t.inspect(u), true, nil
	}, notFound("user", id))
}

// inspect shows a user. The caller holds mu for writing.
func (t *tenant) inspect(u *user) InspectedUser {
	shown := InspectedUser{
		UserOverview: u.overview(&t.box.behavior), Data: []accountOfUser{}, Tasks: []taskWire{}, Archives: []archiveWire{},
	}
	for _, a := range u.accounts {
		if a.status == Connected {
			shown.Data = append(shown.Data, accountOfUser{a.id, a.provider.ID, t.payload(a)})
		}
	}
	for _, ran := range t.tasks.order {
		if ran.owner() == u {
			shown.Tasks = append(shown.Tasks, ran.wire(&t.box.behavior))
		}
	}
	for _, a := range u.archives {
		shown.Archives = append(shown.Archives, a.wire())
	}
	if u.invite != nil {
		invite := u.invite.wire()
		shown.Invite, shown.Mail = &invite, &u.invite.mail
	}
	return shown
}

// shownPair is a key pair on the page.
type shownPair struct {
	Key    string `json:"key"`
	Secret string `json:"secret"`
	Mode   Mode   `json:"mode"`
}

// keyPairs lists the key pairs. The secret of the default pair is public.
func (s *Sandbox) keyPairs(secrets bool) []shownPair {
	listed := []shownPair{}
	for _, key := range s.keys {
		pair := s.tenants[key].pair
		shown := shownPair{key, pair.Secret, s.tenants[key].pair.Mode}
		if !secrets && pair.Key+":"+pair.Secret != DefaultKeys {
			shown.Secret = ""
		}
		listed = append(listed, shown)
	}
	return listed
}
