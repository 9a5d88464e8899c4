package server

import (
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

// noTrouble is that of everybody else.
var noTrouble = &fixtures.Trouble{}

// trouble is what happens to the person who has logged in.
func (a *account) trouble() *fixtures.Trouble {
	if a.person == nil || a.person.Trouble == nil {
		return noTrouble
	}
	return a.person.Trouble
}

// troubled returns the outcome of a login with the trouble of the person.
func (a *account) troubled(usual outcome) outcome {
	trouble := a.trouble()
	switch {
	case trouble.ErrorCode == "" || trouble.Later > 0 || usual.status == Failed:
		return usual
	case trouble.AfterCode && usual.status == AwaitingMFA:
		return usual
	}
	return outcome{Failed, trouble.ErrorCode}
}

// supported are the data points that the provider returns for the account.
func (a *account) supported() []string { return a.trouble().Restrict(a.provider.Supported) }

// taskDelay is how long a task takes: reading an archive has no trouble.
func (l *linker) taskDelay(begun *task) time.Duration {
	if begun.account == nil {
		return l.dataDelay
	}
	return l.dataDelay + begun.account.trouble().DataLate
}

// failure is the code with which a task of an account fails, "" if it succeeds.
func (t *task) failure() string {
	a := t.account
	switch {
	case a.status == Connected:
		return a.trouble().TaskError
	case a.errorCode != "":
		return a.errorCode
	}
	return "ACCOUNT_INACCESSIBLE"
}

// scheduleTrouble schedules what happens to a connected account later. The caller
// holds mu.
func (l *linker) scheduleTrouble(t *tenant, a *account) {
	if later := a.trouble().Later; later > 0 && a.status == Connected {
		t.schedule(a.connectedAt.Add(later), troubleComes{l, a, a.attempt})
	}
}

// troubleComes ends a connected account, or fetches its data again.
type troubleComes struct {
	linker  *linker
	account *account
	attempt int
}

func (e troubleComes) happen(t *tenant, at time.Time) {
	a, trouble := e.account, e.account.trouble()
	switch {
	case a.attempt != e.attempt || a.status != Connected:
	case trouble.Refreshed:
		e.linker.startTask(t, &task{kind: updateAccount, account: a}, at)
	case trouble.ErrorCode != "":
		e.linker.conclude(t, a, outcome{Failed, trouble.ErrorCode}, at)
	default:
		t.revokeAccount(a, at)
	}
}
