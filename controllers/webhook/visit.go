package webhook

import (
	"context"
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/schedule"
)

type (
	pass         = engine.Run[*v1alpha1.SmileWebhookSubscription]
	registration = v1alpha1.WebhookRegistration
)

// visit is what the phases of one pass hand on to each other.
type visit struct {
	*Controller

	conn    *connection.Connection
	connErr error

	// stored is the Secret of the pairs as it was read.
	stored *output.Stored
	// takenBack is true until the Secret, which a deleted object has left behind, is written as this object's.
	takenBack bool
	// pairs that it holds, by their ids.
	pairs map[string]hook.Pair
	// secret that the Secret offers, usable or not; "" when there is none.
	secret string
	// undeclared is true when the Secret that spec.secretRef names does not permit that its value is registered.
	undeclared bool
	// kept are the pairs that were in use when the pass began: a Secret loses a pair no sooner than the status.
	kept []string
}

// connect looks for the connection. That there is none ready stops only what needs one: a webhook with nothing due
// stays as it is.
func (v *visit) connect(ctx context.Context, p *pass) (engine.Outcome, error) {
	v.conn, v.connErr = v.Connections.For(ctx, p.Object.Namespace, p.Object.Spec.ConnectionRef)
	if v.connErr != nil {
		return engine.Unchanged, nil
	}
	return engine.Succeeded, nil
}

// connection gives the connection to a step that has something to call.
func (v *visit) connection() (*connection.Connection, *mirror.Mirror, error) {
	if v.connErr != nil {
		return nil, nil, v.connErr
	}
	return v.conn, v.Mirrors.For(v.conn), nil
}

// alive tells whether a webhook is at Smile, or may be.
func alive(r registration) bool { return r.AcceptedUntil == nil }

func serving(r registration) bool { return alive(r) && r.RetiredAt == nil }

// at gives the registration of a pair, as it is in the status; nil when there is none.
func at(p *pass, pair string) *registration {
	for i := range p.Object.Status.Registrations {
		if r := &p.Object.Status.Registrations[i]; r.ID == pair {
			return r
		}
	}
	return nil
}

func (v *visit) drop(p *pass, which func(registration) bool) {
	p.Object.Status.Registrations = slices.DeleteFunc(p.Object.Status.Registrations, func(r registration) bool {
		dropped := which(r)
		if dropped {
			v.attempts.forget(r.ID)
		}
		return dropped
	})
}

// expire takes out the pairs of deleted webhooks whose time is over.
func (v *visit) expire(p *pass) {
	v.drop(p, func(r registration) bool { return !alive(r) && !r.AcceptedUntil.After(p.Now) })
	for _, r := range p.Object.Status.Registrations {
		if !alive(r) {
			p.WakeAt(r.AcceptedUntil.Time)
		}
	}
}

// due is when the webhooks at Smile are looked at.
func (v *visit) due(p *pass) (due schedule.Due, look bool) {
	due = schedule.Grid(v.conn.Account(), v.conn.ResyncInterval, p.Now)
	if engine.Requested(p.Object, p.Object.Status.LastHandledRequest) {
		return schedule.Due{Last: p.Now, Next: due.Next}, true
	}
	return due, due.Last.After(v.Mirrors.Started())
}

// soon is how often the Secrets are read: nobody watches them.
const soon = 30 * time.Second
