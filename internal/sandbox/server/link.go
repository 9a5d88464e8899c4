package server

import (
	"cmp"
	"slices"
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
func (r LinkRequest) outcome(p *fixtures.Provider, who *fixtures.Person, passwordKnown bool) outcome {
	switch {
	case who == nil || !passwordKnown && r.Password != who.Password:
		return outcome{Failed, "INVALID_CREDENTIALS"}
	case !p.MFA:
		return outcome{Connected, ""}
	case r.MFA == "":
		return outcome{AwaitingMFA, ""}
	case r.MFA != who.MFA:
		return outcome{Failed, "INVALID_MFA"}
	}
	return outcome{Connected, ""}
}

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
	who := fixtures.FindPerson(l.people, req.Login)
	a := u.accountFor(p, who)
	if a != nil && (a.status == Connected || a.status == Pending) {
		return a
	}
	continued := a != nil && a.status == AwaitingMFA && req.Login == ""
	if continued {
		who = a.person
	}
	if continued && req.MFA == "" {
		return a
	}
	var happened []occurrence
	if a == nil {
		a = l.newAccount(t, u, p, now)
		happened = append(happened, accountCreatedEvent(a, now))
	}
	a.person = who
	if !continued {
		a.login = req.Login
	}
	a.attempt++
	a.setStatus(Pending, "", "", now)
	a.pending = &pendingLogin{req.outcome(p, who, continued), now.Add(l.linkDelay)}
	t.commit(a, happened...)
	t.schedule(a.pending.due, loginSettled{l, a, a.attempt})
	t.settle(now)
	return a
}

// accountFor returns the account that a login belongs to: one that is connected
// as the same person, otherwise one whose login is not finished.
func (u *user) accountFor(p *fixtures.Provider, who *fixtures.Person) *account {
	for _, a := range slices.Backward(u.accounts) {
		if a.provider != p || a.status == Disconnected {
			continue
		}
		if a.status != Connected || a.person == who {
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
	outcome outcome
	due     time.Time
}

func (e loginSettled) happen(t *tenant, at time.Time) {
	if e.account.status != Pending || e.account.attempt != e.attempt {
		return
	}
	settled := e.account.pending.outcome
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
		l.scheduleLife(t, a, at)
	}
	t.commit(a, t.accountStatusEvents(a, at)...)
}

// startTask starts a task of which the kind and the account or archive are set.
// The caller holds mu.
func (l *linker) startTask(t *tenant, begun *task, at time.Time) {
	begun.id, begun.ordinal = l.ids.Next("task-"), len(t.tasks.order)
	begun.startedAt, begun.dueAt = at, at.Add(l.dataDelay)
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
	if a.status != Connected {
		e.task.errorCode = cmp.Or(a.errorCode, "ACCOUNT_INACCESSIBLE")
		t.commit(e.task, t.taskEndEvent(e.task, at))
		return
	}
	a.refreshes = append(a.refreshes, at)
	e.task.datapoints = a.provider.Supported
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
