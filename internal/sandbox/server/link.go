package server

import (
	"slices"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/canary"
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/ids"
)

// LinkRequest is what a person enters into the widget. Login is a user name, an
// e-mail address or a phone number. A second request for the same user and
// provider that only adds MFA continues one that is AWAITING_MFA.
type LinkRequest struct {
	UserID     string `json:"userId"`
	ProviderID string `json:"providerId"`
	Login      string `json:"login"`
	Password   string `json:"password"`
	MFA        string `json:"mfa"`
}

// outcome is the result of a login.
type outcome struct {
	status ConnectionStatus
	code   string
}

// outcome decides a login. who is the person with that login, nil if there is
// none.
func (r LinkRequest) outcome(p *fixtures.Provider, who *fixtures.Person) outcome {
	switch {
	case who == nil || r.Password != who.Password:
		return outcome{Failed, "INVALID_CREDENTIALS"}
	case !p.MFA:
		return outcome{Connected, ""}
	case r.MFA == "":
		return outcome{AwaitingMFA, ""}
	case plainCode(r.MFA) != who.MFA:
		return outcome{Failed, "INVALID_MFA"}
	}
	return outcome{Connected, ""}
}

// plainCode returns a code without spaces, which people add to read it.
func plainCode(code string) string { return strings.Join(strings.Fields(code), "") }

// linker links accounts.
type linker struct {
	ids       *ids.Source
	canaries  *canary.Marker
	people    []*fixtures.Person
	linkDelay time.Duration
	dataDelay time.Duration
	dataLife  time.Duration
}

// link handles a login, up to the first delay. The caller holds mu.
func (l *linker) link(t *tenant, u *user, p *fixtures.Provider, req LinkRequest, now time.Time) *account {
	if req.Login == "" {
		if a := u.awaitingCode(p); a != nil {
			return l.enterCode(t, a, a.attempt, req.MFA, now)
		}
	}
	who := fixtures.FindPerson(l.people, req.Login)
	a := u.accountFor(p, who)
	if a != nil && (a.status == Connected || a.status == Pending) {
		return a
	}
	var happened []occurrence
	if a == nil {
		a = l.newAccount(t, u, p, now)
		happened = append(happened, accountCreatedEvent(a, now))
	}
	a.person, a.login = who, req.Login
	return l.settleLater(t, a, pendingLogin{outcome: req.outcome(p, who)}, now, happened...)
}

// enterCode handles the one-time code of a login. Nothing happens if that login
// does not wait for a code. The caller holds mu.
func (l *linker) enterCode(t *tenant, a *account, attempt int, code string, now time.Time) *account {
	wrong, awaited := a.awaited[attempt]
	code = plainCode(code)
	if !awaited || code == "" {
		return a
	}
	delete(a.awaited, attempt)
	checked := pendingLogin{outcome: outcome{Connected, ""}}
	switch {
	case a.person != nil && code == a.person.MFA:
	case wrong+1 < t.box.behavior.CodeTries():
		checked = pendingLogin{outcome: outcome{AwaitingMFA, ""}, wrongCodes: wrong + 1}
	default:
		checked.outcome = outcome{Failed, "INVALID_MFA"}
	}
	return l.settleLater(t, a, checked, now)
}

// settleLater lets the provider respond to a login or a code after the delay. The
// caller holds mu.
func (l *linker) settleLater(t *tenant, a *account, response pendingLogin, now time.Time, happened ...occurrence) *account {
	a.attempt++
	a.setStatus(Pending, "", "", now)
	response.due = now.Add(l.linkDelay + a.trouble().Slow)
	a.pending = &response
	t.commit(a, happened...)
	t.schedule(response.due, loginSettled{l, a, a.attempt})
	t.settle(now)
	return a
}

// accountFor returns the account that a login belongs to: that of the same
// person, otherwise one that has failed and that nobody is logging in to.
func (u *user) accountFor(p *fixtures.Provider, who *fixtures.Person) *account {
	var reusable *account
	for _, a := range slices.Backward(u.accounts) {
		switch {
		case a.provider != p || a.status == Disconnected:
		case a.person == who:
			return a
		case a.status == Failed && len(a.awaited) == 0 && reusable == nil:
			reusable = a
		}
	}
	return reusable
}

// awaitingCode returns the newest account that waits for a code.
func (u *user) awaitingCode(p *fixtures.Provider) *account {
	for _, a := range slices.Backward(u.accounts) {
		if a.provider == p && a.status == AwaitingMFA {
			return a
		}
	}
	return nil
}

// newAccount creates an account without a login. The caller holds mu.
func (l *linker) newAccount(t *tenant, u *user, p *fixtures.Provider, now time.Time) *account {
	a := &account{
		id: l.ids.Next("a-"), ordinal: len(t.accounts.order), owner: u, provider: p, createdAt: now,
		monitor: MonitorUnsupported, items: map[string][]*item{},
	}
	t.accounts.add(a.id, a)
	u.accounts = append(u.accounts, a)
	return a
}

// loginSettled is the provider's response to a login.
type loginSettled struct {
	linker  *linker
	account *account
	attempt int
}

// pendingLogin is a login without a response of the provider.
type pendingLogin struct {
	outcome    outcome
	wrongCodes int // so far
	due        time.Time
}

func (e loginSettled) happen(t *tenant, at time.Time) {
	if e.account.status != Pending || e.account.attempt != e.attempt {
		return
	}
	settled := e.account.troubled(e.account.pending.outcome)
	if settled.status == AwaitingMFA {
		e.account.awaitCode(e.account.pending.wrongCodes)
	}
	e.account.pending = nil
	e.linker.conclude(t, e.account, settled, at)
	if settled.status == Connected {
		t.updateInviteOf(e.account.owner, Linked, at)
		e.linker.startTask(t, &task{kind: linkAccount, account: e.account}, at)
	}
}

// conclude ends a login with its outcome. The caller holds mu.
func (l *linker) conclude(t *tenant, a *account, to outcome, at time.Time) {
	message := ""
	if to.code != "" {
		message = l.canaries.In("errorMessage", accountErrors[to.code])
	}
	a.setStatus(to.status, to.code, message, at)
	if to.status == Connected {
		a.awaited = nil // of other windows
		l.scheduleLife(t, a, at)
	}
	t.commit(a, t.accountStatusEvents(a, at)...)
}

// startTask starts a task of which the kind and the account or archive are set.
// The caller holds mu.
func (l *linker) startTask(t *tenant, begun *task, at time.Time) {
	begun.id, begun.ordinal = l.ids.Next("task-"), len(t.tasks.order)
	begun.startedAt, begun.dueAt = at, at.Add(l.taskDelay(begun))
	t.tasks.add(begun.id, begun)
	t.commit(begun, taskStartEvent(begun, at))
	t.schedule(begun.dueAt, taskFinished{begun})
}

// taskFinished is the end of a task: the account has its data, unless it was
// disconnected meanwhile, or the archive was read.
type taskFinished struct{ task *task }

func (e taskFinished) happen(t *tenant, at time.Time) {
	e.task.finishedAt = at
	if e.task.archive != nil {
		t.archiveRead(e.task, at)
		return
	}
	a := e.task.account
	if code := e.task.failure(); code != "" {
		e.task.errorCode = code
		t.commit(e.task, t.taskEndEvent(e.task, at))
		return
	}
	a.refreshes = append(a.refreshes, at)
	e.task.datapoints = a.supported()
	if t.hasActiveWebhook() {
		t.commit(a, t.dataEvents(a, at)...)
	} else {
		t.commit(a)
	}
	t.commit(e.task, t.taskEndEvent(e.task, at))
}

// revokeAccount disconnects an account permanently and deletes its data. The
// caller holds mu.
func (t *tenant) revokeAccount(a *account, at time.Time) {
	t.dropData(a)
	a.setStatus(Disconnected, "", "", at)
	t.commit(a, t.accountStatusEvents(a, at)...)
	if !slices.ContainsFunc(a.owner.accounts, func(other *account) bool { return other.status != Disconnected }) {
		t.updateInviteOf(a.owner, InviteRevoked, at)
	}
}

// dropData deletes the data of an account. The caller holds mu.
func (t *tenant) dropData(a *account) {
	for _, items := range a.items {
		for _, i := range items {
			delete(t.items, i.id)
		}
	}
	a.items, a.refreshes, a.materialized = map[string][]*item{}, nil, 0
}
