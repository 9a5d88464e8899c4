package sandbox

import (
	"cmp"
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/canary"
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

// outcome is where a login leads to.
type outcome struct {
	status ConnectionStatus
	code   string
}

// judge decides a login of somebody, nil if nobody has that login.
func (r LinkRequest) judge(p *Provider, who *person, passwordKnown bool) outcome {
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

// linker is what linking needs to know of the sandbox.
type linker struct {
	ids       *ids.Source
	canaries  *canary.Marker
	people    []*person
	linkDelay time.Duration
	dataDelay time.Duration
	dataLife  time.Duration
}

// link takes a login, up to where it leads without waiting. The caller holds mu.
func (l *linker) link(t *tenant, u *user, p *Provider, req LinkRequest, now time.Time) *account {
	who := whoHas(l.people, req.Login)
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
	var told []occurrence
	if a == nil {
		a = l.open(t, u, p, now)
		told = append(told, accountCreated(a, now))
	}
	a.person = who
	if !continued {
		a.login = req.Login
	}
	a.attempt++
	a.become(Pending, "", "", now)
	a.pending = &pendingLogin{req.judge(p, who, continued), now.Add(l.linkDelay)}
	t.commit(a, told...)
	t.schedule(a.pending.due, loginSettled{l, a, a.attempt})
	t.settle(now)
	return a
}

// accountFor is the account that a login of that person goes to: one that is
// connected as the same person, else one whose login is not finished.
func (u *user) accountFor(p *Provider, who *person) *account {
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

// open makes an account without a login. The caller holds mu.
func (l *linker) open(t *tenant, u *user, p *Provider, now time.Time) *account {
	a := &account{
		id: l.ids.Next("a-"), ordinal: len(t.accounts.order), owner: u, provider: p, createdAt: now,
		monitor: MonitorUnsupported, items: map[string][]*item{},
	}
	t.accounts.add(a.id, a)
	u.accounts = append(u.accounts, a)
	return a
}

// loginSettled is the provider's answer to a login.
type loginSettled struct {
	linker  *linker
	account *account
	attempt int
}

// pendingLogin is a login that the provider has not answered yet.
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
	e.linker.move(t, e.account, settled, at)
	if settled.status == Connected {
		t.inviteFollowed(e.account.owner, Linked, at)
		e.linker.begin(t, linkAccount, e.account, at)
	}
}

// move ends a login. The caller holds mu.
func (l *linker) move(t *tenant, a *account, to outcome, at time.Time) {
	message := ""
	if to.code != "" {
		message = l.canaries.In("errorMessage", accountErrors[to.code])
	}
	a.become(to.status, to.code, message, at)
	if to.status == Connected {
		l.live(t, a, at)
	}
	t.commit(a, t.accountMoved(a, at)...)
}

// begin starts a task that brings data. The caller holds mu.
func (l *linker) begin(t *tenant, kind string, a *account, at time.Time) {
	begun := &task{id: l.ids.Next("task-"), ordinal: len(t.tasks.order), kind: kind, account: a, startedAt: at, dueAt: at.Add(l.dataDelay)}
	t.tasks.add(begun.id, begun)
	t.commit(begun, taskStarted(begun, at))
	t.schedule(begun.dueAt, taskFinished{begun})
}

// taskFinished brings the account's data, unless it was taken away meanwhile,
// or what an archive says.
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
		t.commit(e.task, t.taskEnded(e.task, at))
		return
	}
	a.refreshes = append(a.refreshes, at)
	e.task.datapoints = a.provider.Supported
	if t.listened() {
		t.commit(a, t.dataArrived(a, at)...)
	} else {
		t.commit(a)
	}
	t.commit(e.task, t.taskEnded(e.task, at))
}

// revoke ends an account for good and forgets its data. The caller holds mu.
func (t *tenant) revoke(a *account, at time.Time) {
	t.forget(a)
	a.become(Disconnected, "", "", at)
	t.commit(a, t.accountMoved(a, at)...)
	if !slices.ContainsFunc(a.owner.accounts, func(other *account) bool { return other.status != Disconnected }) {
		t.inviteFollowed(a.owner, InviteRevoked, at)
	}
}

// forget drops the data of an account. The caller holds mu.
func (t *tenant) forget(a *account) {
	for _, items := range a.items {
		for _, i := range items {
			delete(t.items, i.id)
		}
	}
	a.items, a.refreshes, a.harvested = map[string][]*item{}, nil, 0
}

// accountErrors is every reason for which a login can fail or end.
var accountErrors = map[string]string{
	"ACCOUNT_DISABLED":       "The provider has disabled the account.",
	"ACCOUNT_INACCESSIBLE":   "The account cannot be reached at the provider.",
	"ACCOUNT_INCOMPLETE":     "The account is not set up completely at the provider.",
	"ACCOUNT_LOCKED":         "The provider has locked the account.",
	"AUTH_REQUIRED":          "The person has to log in again.",
	"EXPIRED_CREDENTIALS":    "The password has expired.",
	"INVALID_ACCOUNT_TYPE":   "Accounts of this type hold no employment data.",
	"INVALID_AUTH":           "The login was refused.",
	"INVALID_CREDENTIALS":    "Login or password is wrong.",
	"INVALID_MFA":            "The one-time code is wrong.",
	"MFA_TIMEOUT":            "The one-time code came too late.",
	"SERVICE_UNAVAILABLE":    "The provider does not answer.",
	"SYSTEM_ERROR":           "Something failed between Smile and the provider.",
	"TOS_REQUIRED":           "The person has to accept the provider's terms first.",
	"UNSUPPORTED_AUTH_TYPE":  "The account uses a login that is not supported.",
	"UNSUPPORTED_MFA_METHOD": "The account uses a second factor that is not supported.",
}
