package server

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/traffic"
)

// ControlError is a refusal of the control API.
type ControlError struct {
	// Status is the HTTP status.
	Status int
	// Problem is the message.
	Problem string
}

func (e *ControlError) Error() string { return e.Problem }

func notFound(what, id string) error {
	return &ControlError{http.StatusNotFound, fmt.Sprintf("there is no %s %q", what, id)}
}

func invalid(format string, values ...any) error {
	return &ControlError{http.StatusBadRequest, fmt.Sprintf(format, values...)}
}

// Stats is statistics about the sandbox.
type Stats struct {
	// Requests counts the calls of the Open API and the Link API by operation
	// id and by the status that was sent. The id of unknown paths and methods
	// is empty. The status of a call that was cut off is 0.
	Requests   map[string]map[int]int `json:"requests"`
	Users      int                    `json:"users"`
	Accounts   int                    `json:"accounts"`
	Webhooks   int                    `json:"webhooks"`
	Deliveries int                    `json:"deliveries"`
	// PeakRPS is the largest number of calls within a second.
	PeakRPS int `json:"peakRPS"`
}

// Stats returns the totals of all tenants since the start or the last Reset.
func (s *Sandbox) Stats() Stats {
	sum := Stats{Requests: s.stats.Snapshot(), PeakRPS: s.meter.Largest(), Deliveries: s.deliveries.Count()}
	for _, t := range s.tenants {
		t.mu.RLock()
		sum.Users += len(t.users.order)
		sum.Accounts += len(t.accounts.order)
		sum.Webhooks += t.liveWebhooks()
		t.mu.RUnlock()
	}
	return sum
}

// Journal returns the calls with a sequence number greater than since.
func (s *Sandbox) Journal(since int) []traffic.Entry { return s.journal.Since(since) }

// Canaries lists the canaries made since the last Reset.
func (s *Sandbox) Canaries() []string { return s.canaries.All() }

// Faults lists the faults that were set last.
func (s *Sandbox) Faults() []Fault { return s.faults.list() }

// SetFaults replaces all faults and restarts their counts.
func (s *Sandbox) SetFaults(wanted []Fault) error {
	if err := s.faults.set(wanted); err != nil {
		return invalid("%v", err)
	}
	return nil
}

// Deliveries returns the deliveries with a sequence number greater than since.
func (s *Sandbox) Deliveries(since int) []delivery.Delivery { return s.deliveries.Since(since) }

// DeliveryFaults lists the delivery faults that were set last.
func (s *Sandbox) DeliveryFaults() []delivery.Fault { return s.deliveries.Faults() }

// SetDeliveryFaults replaces all delivery faults and restarts their counts. What
// the former ones held back is sent.
func (s *Sandbox) SetDeliveryFaults(wanted []delivery.Fault) error {
	if err := s.deliveries.SetFaults(wanted); err != nil {
		return invalid("%v", err)
	}
	return nil
}

// Now is the time on the sandbox clock, in UTC.
func (s *Sandbox) Now() time.Time { return s.clock.Now() }

// Advance moves the sandbox clock forward. Everything that is due by then
// happens.
func (s *Sandbox) Advance(d time.Duration) error {
	if d < 0 {
		return invalid("the clock can only be moved forward")
	}
	s.clock.Advance(d)
	defer s.flush()
	_ = s.disk.SetMeta(metaSkipped, s.clock.Skipped())
	now := s.clock.Now()
	for _, t := range s.tenants {
		t.catchUp(now)
	}
	s.deliveries.Wake()
	return nil
}

// Reset deletes state, journal, statistics, faults, canaries and skipped time.
// No id is issued again.
func (s *Sandbox) Reset() {
	for _, t := range s.tenants {
		t.mu.Lock()
		t.clear()
		t.mu.Unlock()
	}
	_ = errors.Join(s.disk.Reset(), s.disk.SetMeta(metaSkipped, 0))
	s.clock.Reset()
	s.deliveries.Reset()
	s.files.Reset()
	s.journal.Reset()
	s.stats.Reset()
	s.meter.Reset()
	s.limiter.Reset()
	s.canaries.Reset()
	_ = s.faults.set(nil)
}

// Users lists all users of a tenant in the order of their creation. The quirk
// list-lag does not apply.
func (s *Sandbox) Users(key string) ([]User, error) {
	t, ok := s.tenants[key]
	if !ok {
		return nil, notFound("key", key)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	shown := make([]User, len(t.users.order))
	for i, u := range t.users.order {
		shown[i] = u.wire(&s.behavior)
	}
	return shown, nil
}

// Link does what a person does in the widget. It returns the account without
// waiting for delays.
func (s *Sandbox) Link(req LinkRequest) (Account, error) {
	p := fixtures.ProviderByID(req.ProviderID)
	if p == nil {
		return Account{}, notFound("provider", req.ProviderID)
	}
	if !p.AccountConnection {
		return Account{}, invalid("provider %q has no login", p.ID)
	}
	defer s.flush()
	now := s.clock.Now()
	for _, t := range s.tenants {
		t.catchUp(now)
		t.mu.Lock()
		if u, ok := t.users.byID[req.UserID]; ok {
			defer t.mu.Unlock()
			return s.linker.link(t, u, p, req, now).wire(), nil
		}
		t.mu.Unlock()
	}
	return Account{}, notFound("user", req.UserID)
}

// Disconnect withdraws consent, as a person does at the provider.
func (s *Sandbox) Disconnect(accountID string) (Account, error) {
	return s.changeAccount(accountID, func(t *tenant, a *account, now time.Time) error {
		if a.status == Disconnected {
			return invalid("account %q is disconnected already", a.id)
		}
		t.revokeAccount(a, now)
		return nil
	})
}

// Fail makes an account's login fail with one of the API's account error codes.
func (s *Sandbox) Fail(accountID, code string) (Account, error) {
	return s.changeAccount(accountID, func(t *tenant, a *account, now time.Time) error {
		if _, ok := accountErrors[code]; !ok {
			return invalid("error code %q does not exist", code)
		}
		if a.status == Disconnected {
			return invalid("account %q is disconnected", a.id)
		}
		a.awaited = nil
		s.linker.conclude(t, a, outcome{Failed, code}, now)
		return nil
	})
}

// Resync fetches a connected account's data again: a task runs, and everything
// that recurs monthly gets one more item.
func (s *Sandbox) Resync(accountID string) (Account, error) {
	return s.changeAccount(accountID, func(t *tenant, a *account, now time.Time) error {
		if a.status != Connected {
			return invalid("account %q is not connected", a.id)
		}
		s.linker.startTask(t, &task{kind: updateAccount, account: a}, now)
		t.settle(now)
		return nil
	})
}

func (s *Sandbox) changeAccount(accountID string, how func(*tenant, *account, time.Time) error) (Account, error) {
	defer s.flush()
	now := s.clock.Now()
	for _, t := range s.tenants {
		t.catchUp(now)
		t.mu.Lock()
		if a, ok := t.accounts.byID[accountID]; ok {
			defer t.mu.Unlock()
			if err := how(t, a, now); err != nil {
				return Account{}, err
			}
			return a.wire(), nil
		}
		t.mu.Unlock()
	}
	return Account{}, notFound("account", accountID)
}

// problemOf returns the status and the message for an error of the control API.
func problemOf(err error) (int, string) {
	var control *ControlError
	if errors.As(err, &control) {
		return control.Status, control.Problem
	}
	return http.StatusBadRequest, err.Error()
}
