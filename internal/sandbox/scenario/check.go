package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// checker finds problems before a step is done.
type checker struct {
	users map[string]bool // that earlier steps name
	found []struct {
		at   place
		text string
	}
}

func (c *checker) problem(at place, format string, values ...any) {
	c.found = append(c.found, struct {
		at   place
		text string
	}{at, fmt.Sprintf(format, values...)})
}

func (c *checker) scenario(s *Scenario, set func(flag, value string) error) {
	for _, flag := range sorted(s.Sandbox) {
		if err := set(flag, s.Sandbox[flag]); err != nil {
			c.problem(place{"sandbox", flag}, "%v", err)
		}
	}
	if len(s.Steps) == 0 {
		c.problem(place{"steps"}, "there are no steps")
	}
	for i := range s.Steps {
		at := place{"steps", i}
		done := s.Steps[i].actions()
		if len(done) != 1 {
			c.problem(at, "a step has exactly one of %s; this one has %d", strings.Join(actionNames, ", "), len(done))
			continue
		}
		done[0].check(c, at.and(done[0].name()))
	}
}

// given finds a required field that is missing.
func (c *checker) given(at place, field, value string) {
	if value == "" {
		c.problem(at.and(field), "is required")
	}
}

// oneOf finds a value that does not exist. Empty is permitted.
func (c *checker) oneOf(at place, field, value string, permitted []string) {
	if value != "" && !slices.Contains(permitted, value) {
		c.problem(at.and(field), "%q does not exist: want one of %s", value, strings.Join(permitted, ", "))
	}
}

// user finds a name that no earlier step has given. Empty is permitted.
func (c *checker) user(at place, name string) {
	if name != "" && !c.users[name] {
		c.problem(at.and("user"), "no earlier step has a user or findUser with as: %s", name)
	}
}

// names records the name of a user.
func (c *checker) names(at place, name string) {
	c.given(at, "as", name)
	if c.users[name] {
		c.problem(at.and("as"), "an earlier step has named a user %s", name)
	}
	c.users[name] = true
}

func (u *NewUser) check(c *checker, at place)  { c.names(at, u.As) }
func (u *FindUser) check(c *checker, at place) { c.names(at, u.As) }

func (w *Webhook) check(c *checker, at place) {
	c.given(at, "url", w.URL)
	c.given(at, "secret", w.Secret)
	for i, event := range w.Events {
		if !slices.Contains(delivery.EventTypes, event) {
			c.problem(at.and("events", i), "event type %q does not exist", event)
		}
	}
}

func (a *AccountOf) check(c *checker, at place) {
	c.given(at, "user", a.User)
	c.user(at, a.User)
	c.given(at, "provider", a.Provider)
	c.oneOf(at, "provider", a.Provider, providers())
}

func (l *Link) check(c *checker, at place) {
	l.AccountOf.check(c, at)
	c.given(at, "login", l.Login)
	if l.Login != "" && l.Password == nil && testPerson(l.Login) == nil {
		c.problem(at.and("login"), "%q is not a test person: give a password too, or take a login of docs/sandbox.md", l.Login)
	}
}

func (f *Failure) check(c *checker, at place) {
	f.AccountOf.check(c, at)
	c.given(at, "errorCode", f.ErrorCode)
	c.oneOf(at, "errorCode", f.ErrorCode, server.ErrorCodes())
}

func (a *Advance) check(c *checker, at place) {
	if a.Duration == 0 {
		c.problem(at, "want a duration such as 744h")
	}
}

func (f *Faults) check(c *checker, at place) {
	for i, fault := range *f {
		if err := fault.Check(); err != nil {
			c.problem(at.and(i), "%v", err)
		}
	}
}

func (f *DeliveryFaults) check(c *checker, at place) {
	for i, fault := range *f {
		if err := fault.Check(); err != nil {
			c.problem(at.and(i), "%v", err)
		}
	}
}

func (r *Command) check(c *checker, at place) {
	if len(*r) == 0 || (*r)[0] == "" {
		c.problem(at, "want a program and its arguments, as in [npm, test]")
	}
}

func (e *Expectation) check(c *checker, at place) {
	subjects := e.subjects()
	if len(subjects) != 1 {
		c.problem(at, "want exactly one of calls, deliveries and accounts; there are %d", len(subjects))
		return
	}
	subjects[0].check(c, at.and(subjects[0].name()))
	if e.Count != nil && (e.AtLeast != nil || e.AtMost != nil) {
		c.problem(at.and("count"), "excludes atLeast and atMost")
	}
	least, most := e.bounds()
	if least < 0 || most < least {
		c.problem(at, "no number is at least %d and at most %d", least, most)
	}
}

func (w *Calls) check(c *checker, at place) {
	c.user(at, w.User)
	if w.Operation != "" && !slices.Contains(server.Operations(), w.Operation) {
		c.problem(at.and("operation"), "%q does not exist: want an operationId of Smile, such as create-user", w.Operation)
	}
}

func (w *Deliveries) check(c *checker, at place) {
	c.user(at, w.User)
	c.oneOf(at, "event", w.Event, delivery.EventTypes)
	c.oneOf(at, "state", string(w.State), texts(delivery.States))
}

func (w *Accounts) check(c *checker, at place) {
	c.given(at, "user", w.User)
	c.user(at, w.User)
	c.oneOf(at, "provider", w.Provider, providers())
	c.oneOf(at, "status", string(w.Status), texts(server.ConnectionStatuses))
	c.oneOf(at, "errorCode", w.ErrorCode, server.ErrorCodes())
}

func texts[T ~string](values []T) []string {
	var all []string
	for _, value := range values {
		all = append(all, string(value))
	}
	return all
}

func providers() []string {
	var ids []string
	for _, p := range fixtures.Linkable() {
		ids = append(ids, p.ID)
	}
	return ids
}

// testPerson is the person with a login, nil if there is none.
func testPerson(login string) *fixtures.Person {
	everybody, err := fixtures.People()
	if err != nil {
		return nil // the sandbox does not start then
	}
	return fixtures.FindPerson(everybody, login)
}
