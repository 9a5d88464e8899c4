package accountsync

import (
	"slices"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
)

// Three conditions depend on what several phases find. They are decided here, when the phases have ended, as pure functions of
// findings.

// findings are what the phases found. The zero value is that of a reconcile that ended before it found anything.
type findings struct {
	// accounts is the state of the accounts; nil if they were not observed.
	accounts *connectedness
	// noData is why there is no data to fetch; nil if there is some.
	noData *connectedness
	// fetch is how far the fetching came.
	fetch fetchProgress
	// expired is true when data was erased because its ttl has passed, and Smile has no newer data of the account.
	expired bool
	// output is what became of the output.
	output outputState
}

type fetchProgress int

const (
	_ fetchProgress = iota // the reconcile ended before anything was fetched
	// fetchLacking: everything available was fetched, and a problem says what is missing.
	fetchLacking
	// fetchFailed: not everything was fetched.
	fetchFailed
	// fetchComplete: the data is what Smile has gathered.
	fetchComplete
)

type outputState int

const (
	// outputUnchanged: the condition stays as it is.
	outputUnchanged outputState = iota
	// outputUnwanted: the spec asks for no output.
	outputUnwanted
	// outputEmpty: there is no data to write yet.
	outputEmpty
	// outputWritten: the output holds the data.
	outputWritten
)

// accountsConnected is the value of the condition AccountsConnected.
func (f findings) accountsConnected() engine.Outcome {
	if f.accounts == nil {
		return engine.Unchanged
	}
	return f.accounts.outcome()
}

// dataSynced is the value of the condition DataSynced, unless the reconcile ends with a problem that shows on it.
func (f findings) dataSynced() engine.Outcome {
	switch {
	case f.noData != nil:
		return engine.False(f.noData.reason, f.noData.message)
	case f.expired:
		return engine.False(v1alpha1.ReasonDataExpired, dataExpired)
	case f.fetch == fetchComplete:
		return engine.True(v1alpha1.ReasonSucceeded, "the data is what Smile has gathered")
	default:
		return engine.Unchanged
	}
}

// outputReady is the value of the condition OutputReady, unless the reconcile ends with a problem that shows on it.
func (f findings) outputReady() engine.Outcome {
	switch f.output {
	case outputUnwanted:
		return engine.Absent
	case outputEmpty:
		return engine.False(v1alpha1.ReasonAwaitingEndUser, "there is no data to write yet")
	case outputWritten:
		return engine.True(v1alpha1.ReasonSucceeded, "the output holds the data")
	default:
		return engine.Unchanged
	}
}

const dataExpired = "data was erased because spec.retention.ttl has passed: it comes back when Smile has newer data"

// conclude writes the conditions that depend on several phases, and returns the problem with which the reconcile ends.
func (s *scope) conclude(run *run, err error) error {
	if err == nil {
		err = s.finish(run)
	}
	if f := s.found.fetch; f == fetchFailed || f == fetchComplete {
		s.found.expired = slices.ContainsFunc(run.Object.Status.Accounts, s.isExpired)
	}
	run.Set(v1alpha1.ConditionAccountsConnected, s.found.accountsConnected())
	run.Set(v1alpha1.ConditionDataSynced, s.found.dataSynced())
	run.Set(v1alpha1.ConditionOutputReady, s.found.outputReady())
	if accounts := s.found.accounts; accounts != nil && run.Object.Status.ConnectedAccounts == 0 {
		run.SetReady(accounts.reason, accounts.message)
	}
	run.Object.Status.LastFetchedAt = lastFetchedAt(run.Object.Status.Accounts)
	return s.explain(err)
}
