package accountsync

import (
	"errors"
	"testing"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/problem"
)

func TestDataSyncedIsDecidedFromWhatThePhasesFound(t *testing.T) {
	t.Parallel()
	expired := engine.False(v1alpha1.ReasonDataExpired, dataExpired)
	complete := engine.True(v1alpha1.ReasonSucceeded, "the data is what Smile has gathered")
	for name, test := range map[string]struct {
		found findings
		want  engine.Outcome
	}{
		"nothing":                            {findings{}, engine.Unchanged},
		"no account has data":                {findings{noData: &released}, engine.False(released.reason, released.message)},
		"no account has data any more":       {findings{noData: &nobody, expired: true}, engine.False(nobody.reason, nobody.message)},
		"an erasure, and then no more":       {findings{expired: true}, expired},
		"an erasure, and incomplete data":    {findings{expired: true, fetch: fetchLacking}, expired},
		"an erasure, and a fetch":            {findings{expired: true, fetch: fetchComplete}, expired},
		"an erasure, and a fetch that fails": {findings{expired: true, fetch: fetchFailed}, expired},
		"incomplete data":                    {findings{fetch: fetchLacking}, engine.Unchanged},
		"a fetch that fails":                 {findings{fetch: fetchFailed}, engine.Unchanged},
		"a fetch":                            {findings{fetch: fetchComplete}, complete},
	} {
		if got := test.found.dataSynced(); got != test.want {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

func TestFetchProgress(t *testing.T) {
	t.Parallel()
	lacking := problem.NewInvalid(v1alpha1.ReasonDatapointUnsupported, "m")
	failure := errors.New("no answer")
	for _, test := range []struct {
		lacking *problem.Problem
		err     error
		want    fetchProgress
	}{
		{nil, nil, fetchComplete}, {nil, failure, fetchFailed}, {lacking, nil, fetchLacking}, {lacking, failure, fetchLacking},
	} {
		if got := progressOf(test.lacking, test.err); got != test.want {
			t.Errorf("%v, %v: got %d, want %d", test.lacking, test.err, got, test.want)
		}
	}
}

func TestTheOtherConditionsStayWithoutFindings(t *testing.T) {
	t.Parallel()
	none := findings{}
	if none.accountsConnected() != engine.Unchanged || none.outputReady() != engine.Unchanged {
		t.Error("a reconcile that found nothing changes a condition")
	}
	if got := (findings{accounts: &mustAct}).accountsConnected(); got != engine.False(mustAct.reason, mustAct.message) {
		t.Errorf("AccountsConnected is %+v", got)
	}
	if got := (findings{output: outputUnwanted}).outputReady(); got != engine.Absent {
		t.Errorf("without an output, OutputReady is %+v", got)
	}
}
