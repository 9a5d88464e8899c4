package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// ControlError is why the control API did not do something.
type ControlError struct {
	// Status is the HTTP status that says so: 400 or 404.
	Status int
	// Problem is a sentence for a person.
	Problem string
}

func (e *ControlError) Error() string { return e.Problem }

func notFound(what, id string) error {
	return &ControlError{http.StatusNotFound, fmt.Sprintf("there is no %s %q", what, id)}
}

func invalid(format string, values ...any) error {
	return &ControlError{http.StatusBadRequest, fmt.Sprintf(format, values...)}
}

// Stats counts what the Open API was asked.
type Stats struct {
	// Requests counts by operation id and status sent. The id of unknown paths
	// and methods is empty; the status of a call that was cut off is 0.
	Requests   map[string]map[int]int `json:"requests"`
	Users      int                    `json:"users"`
	Accounts   int                    `json:"accounts"`
	Webhooks   int                    `json:"webhooks"`
	Deliveries int                    `json:"deliveries"`
	// PeakRPS is the largest number of calls within any second.
	PeakRPS int `json:"peakRPS"`
}

// Stats sums up all tenants since the start or the last Reset.
func (s *Sandbox) Stats() Stats {
	sum := Stats{Requests: s.stats.snapshot(), PeakRPS: s.meter.largest(), Deliveries: s.deliveries.Count()}
	for _, t := range s.tenants {
		t.mu.RLock()
		sum.Users += len(t.users.order)
		sum.Accounts += len(t.accounts.order)
		sum.Webhooks += t.liveWebhooks()
		t.mu.RUnlock()
	}
	return sum
}

// Journal gives the calls with a sequence number greater than since.
func (s *Sandbox) Journal(since int) []JournalEntry { return s.journal.since(since) }

// Canaries lists every canary made so far.
func (s *Sandbox) Canaries() []string { return s.canaries.All() }

// Faults lists the faults that were set last.
func (s *Sandbox) Faults() []Fault { return s.faults.list() }

// SetFaults replaces all faults and starts to count calls anew.
func (s *Sandbox) SetFaults(wanted []Fault) error {
	if err := s.faults.set(wanted); err != nil {
		return invalid("%v", err)
	}
	return nil
}

// Deliveries returns the deliveries with a sequence number greater than since.
func (s *Sandbox) Deliveries(since int) []Delivery { return s.deliveries.Since(since) }

// DeliveryFaults lists the delivery faults that were set last.
func (s *Sandbox) DeliveryFaults() []DeliveryFault { return s.deliveries.Faults() }

// SetDeliveryFaults replaces all delivery faults and restarts their counts. What
// the former ones held back is sent.
func (s *Sandbox) SetDeliveryFaults(wanted []DeliveryFault) error {
	if err := s.deliveries.SetFaults(wanted); err != nil {
		return invalid("%v", err)
	}
	return nil
}

// Now is the time on the sandbox clock, in UTC.
func (s *Sandbox) Now() time.Time { return s.clock.Now() }

// Advance moves the sandbox clock, and lets happen what lies between.
func (s *Sandbox) Advance(d time.Duration) error {
	if d < 0 {
		return invalid("the clock only goes forward")
	}
	s.clock.Advance(d)
	defer s.flush()
	_ = s.disk.setMeta(metaSkipped, s.clock.Skipped())
	now := s.clock.Now()
	for _, t := range s.tenants {
		t.catchUp(now)
	}
	s.deliveries.Wake()
	return nil
}

// Reset forgets state, journal, statistics, faults, canaries and skipped time.
// Ids go on: none is given again.
func (s *Sandbox) Reset() {
	for _, t := range s.tenants {
		t.mu.Lock()
		t.clear()
		t.mu.Unlock()
	}
	_ = errors.Join(s.disk.reset(), s.disk.setMeta(metaSkipped, 0))
	s.clock.Reset()
	s.deliveries.Reset()
	s.journal.reset()
	s.stats.reset()
	s.meter.reset()
	s.limiter.reset()
	s.canaries.Reset()
	_ = s.faults.set(nil)
}

// Users lists the users of a tenant in the order of their creation, all of
// them, whatever the list-lag.
func (s *Sandbox) Users(key string) ([]User, error) {
	t, known := s.tenants[key]
	if !known {
		return nil, notFound("key", key)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	shown := make([]User, len(t.users.order))
	for i, u := range t.users.order {
		shown[i] = u.wire(&s.behaviour)
	}
	return shown, nil
}

// Link does what a person does in the widget, and gives the account as far as
// it came without waiting.
func (s *Sandbox) Link(req LinkRequest) (Account, error) {
	p := providerByID(req.ProviderID)
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
		if u, known := t.users.byID[req.UserID]; known {
			defer t.mu.Unlock()
			return s.linker.link(t, u, p, req, now).wire(), nil
		}
		t.mu.Unlock()
	}
	return Account{}, notFound("user", req.UserID)
}

// Disconnect does what a person does who withdraws consent at the provider.
func (s *Sandbox) Disconnect(accountID string) (Account, error) {
	return s.change(accountID, func(t *tenant, a *account, now time.Time) error {
		if a.status == Disconnected {
			return invalid("account %q is disconnected already", a.id)
		}
		t.revoke(a, now)
		return nil
	})
}

// Fail ends an account's login with one of the API's account error codes.
func (s *Sandbox) Fail(accountID, code string) (Account, error) {
	return s.change(accountID, func(t *tenant, a *account, now time.Time) error {
		if _, known := accountErrors[code]; !known {
			return invalid("error code %q does not exist", code)
		}
		if a.status == Disconnected {
			return invalid("account %q is disconnected", a.id)
		}
		s.linker.move(t, a, outcome{Failed, code}, now)
		return nil
	})
}

// Resync fetches a connected account's data again: a task runs, and everything
// that recurs monthly has one more item afterwards.
func (s *Sandbox) Resync(accountID string) (Account, error) {
	return s.change(accountID, func(t *tenant, a *account, now time.Time) error {
		if a.status != Connected {
			return invalid("account %q is not connected", a.id)
		}
		s.linker.begin(t, updateAccount, a, now)
		t.settle(now)
		return nil
	})
}

func (s *Sandbox) change(accountID string, how func(*tenant, *account, time.Time) error) (Account, error) {
	defer s.flush()
	now := s.clock.Now()
	for _, t := range s.tenants {
		t.catchUp(now)
		t.mu.Lock()
		if a, known := t.accounts.byID[accountID]; known {
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

// problemOf is how an error of the control API is answered.
func problemOf(err error) (int, string) {
	var control *ControlError
	if errors.As(err, &control) {
		return control.Status, control.Problem
	}
	return http.StatusBadRequest, err.Error()
}
