package webhook

import (
	"slices"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

type registration = v1alpha1.WebhookRegistration

// alive reports whether the webhook of a registration is at Smile, or may be.
func alive(r registration) bool { return r.AcceptedUntil == nil }

// serving reports whether a registration is alive and was not replaced.
func serving(r registration) bool { return alive(r) && r.RetiredAt == nil }

// at returns the registration of a pair, as it is in the status; nil if there is none.
func at(run *run, pair string) *registration {
	for i := range run.Object.Status.Registrations {
		if r := &run.Object.Status.Registrations[i]; r.ID == pair {
			return r
		}
	}
	return nil
}

// drop removes registrations from the status.
func (s *scope) drop(run *run, which func(registration) bool) {
	run.Object.Status.Registrations = slices.DeleteFunc(run.Object.Status.Registrations, func(r registration) bool {
		dropped := which(r)
		if dropped {
			s.r.attempts.forget(r.ID)
		}
		return dropped
	})
}

// expire removes the registrations of deleted webhooks whose events are no longer accepted.
func (s *scope) expire(run *run) {
	s.drop(run, func(r registration) bool { return !alive(r) && !r.AcceptedUntil.After(run.Now) })
	for _, r := range run.Object.Status.Registrations {
		if !alive(r) {
			run.WakeAt(r.AcceptedUntil.Time)
		}
	}
}
