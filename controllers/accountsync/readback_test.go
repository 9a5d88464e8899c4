package accountsync

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/smile"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	good := func(shown smile.ConnectionStatus, changes ...func(*copied)) copied {
		c := copied{sealed: true, selected: true, shown: shown}
		for _, change := range changes {
			change(&c)
		}
		return c
	}
	unsealed := func(c *copied) { c.sealed = false }
	unselected := func(c *copied) { c.selected = false }
	expired := func(c *copied) { c.expired = true }
	acknowledged := func(c *copied) { c.acknowledged = true }
	retained := func(c *copied) { c.retain = true }
	inLedger := func(c *copied) { c.erasedBefore = true }

	taken := func(reason auditlog.Reason) verdict { return verdict{what: take, reason: reason} }
	refused := func(reason auditlog.Reason) verdict { return verdict{what: refuse, reason: reason} }
	withdrawn := verdict{what: refuse, reason: auditlog.ReasonNotConnected, withdrawn: true}
	refetched := verdict{what: replace, reason: auditlog.ReasonSealMismatch}

	for name, test := range map[string]struct {
		copied copied
		want   verdict
	}{
		"connected":                             {good("CONNECTED"), taken(auditlog.ReasonConnected)},
		"connected, over":                       {good("CONNECTED", expired), refused(auditlog.ReasonExpired)},
		"connected, not selected":               {good("CONNECTED", unselected), refused(auditlog.ReasonNotSelected)},
		"linked again after an erasure":         {good("CONNECTED", inLedger), taken(auditlog.ReasonConnected)},
		"linked again after our revoke":         {good("CONNECTED", acknowledged), taken(auditlog.ReasonConnected)},
		"in error":                              {good("ERROR"), taken(auditlog.ReasonConnected)},
		"in error, after an erasure":            {good("ERROR", inLedger), refused(auditlog.ReasonInErasureLedger)},
		"logging in, after an erasure":          {good("PENDING", inLedger), refused(auditlog.ReasonInErasureLedger)},
		"disconnected":                          {good("DISCONNECTED"), withdrawn},
		"disconnected, over":                    {good("DISCONNECTED", expired), withdrawn},
		"disconnected, not selected":            {good("DISCONNECTED", unselected), withdrawn},
		"disconnected, in the ledger":           {good("DISCONNECTED", inLedger), refused(auditlog.ReasonInErasureLedger)},
		"gone":                                  {good(""), withdrawn},
		"released":                              {good("DISCONNECTED", acknowledged), taken(auditlog.ReasonReleased)},
		"released and gone":                     {good("", acknowledged), taken(auditlog.ReasonReleased)},
		"released, over":                        {good("", acknowledged, expired), refused(auditlog.ReasonExpired)},
		"released, then erased on request":      {good("", acknowledged, inLedger), refused(auditlog.ReasonInErasureLedger)},
		"retained":                              {good("DISCONNECTED", retained), taken(auditlog.ReasonRetained)},
		"retained and gone":                     {good("", retained), taken(auditlog.ReasonRetained)},
		"retained, over":                        {good("", retained, expired), refused(auditlog.ReasonExpired)},
		"retained, but withdrawn under Delete":  {good("", retained, inLedger), refused(auditlog.ReasonInErasureLedger)},
		"retained, not selected":                {good("", retained, unselected), refused(auditlog.ReasonNotSelected)},
		"not sealed, connected":                 {good("CONNECTED", unsealed), refetched},
		"not sealed, in error":                  {good("ERROR", unsealed), refetched},
		"not sealed, connected, not selected":   {good("CONNECTED", unsealed, unselected), refused(auditlog.ReasonSealMismatch)},
		"not sealed, disconnected":              {good("DISCONNECTED", unsealed), refused(auditlog.ReasonSealMismatch)},
		"not sealed, said to be released":       {good("", unsealed, acknowledged), refused(auditlog.ReasonSealMismatch)},
		"not sealed, disconnected and retained": {good("DISCONNECTED", unsealed, retained), refused(auditlog.ReasonSealMismatch)},
	} {
		if diff := cmp.Diff(test.want, decide(test.copied), cmp.AllowUnexported(verdict{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The purposes of the rules, checked for all possible facts.
func TestNothingIsTakenBackThatMustNotBe(t *testing.T) {
	t.Parallel()
	shown := []smile.ConnectionStatus{"", "PENDING", "AWAITING_MFA", "CONNECTED", "ERROR", "DISCONNECTED", "TELEPORTING"}
	for bits := range 1 << 6 {
		for _, status := range shown {
			bit := func(n int) bool { return bits&(1<<n) != 0 }
			c := copied{
				sealed: bit(0), selected: bit(1), expired: bit(2), acknowledged: bit(3), retain: bit(4), erasedBefore: bit(5),
				shown: status,
			}
			got, gone := decide(c), status == "" || status == "DISCONNECTED"
			for broken, is := range map[string]bool{
				"taken without a seal":                    got.what == take && !c.sealed,
				"taken though the spec does not cover it": got.what == take && !c.selected,
				"taken though its ttl is over":            got.what == take && c.expired,
				"taken from the ledger":                   got.what == take && c.erasedBefore && status != "CONNECTED",
				"taken though withdrawn":                  got.what == take && gone && !c.acknowledged && !c.retain,
				"replaced though it is gone":              got.what == replace && gone,
				"recorded though it was our own revoke":   got.withdrawn && (!gone || c.acknowledged || c.retain),
				"refused though nothing speaks against it": got.what == refuse && c.sealed && c.selected && !c.expired &&
					(status == "CONNECTED" || !c.erasedBefore && (!gone || c.acknowledged || c.retain)),
			} {
				if is {
					t.Errorf("%+v: %s: %+v", c, broken, got)
				}
			}
		}
	}
}

// Smile is asked about an account only if the answer can change the verdict.
func TestSmileIsAskedOnlyWhereItMatters(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		copied copied
		want   bool
	}{
		"sealed":                    {copied{sealed: true, selected: true}, true},
		"our own revoke":            {copied{sealed: true, selected: true, acknowledged: true}, false},
		"retained":                  {copied{sealed: true, selected: true, retain: true}, false},
		"released, and erased":      {copied{sealed: true, selected: true, acknowledged: true, erasedBefore: true}, true},
		"over, but maybe withdrawn": {copied{sealed: true, selected: true, expired: true}, true},
	} {
		if got := needsSmile(test.copied); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The facts of a seal suffice to restore an entry, except for what a listing shows.
func TestAnEntryComesBackFromItsFacts(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{{"CONNECTED", "kept"}, {"ERROR", "kept"}, {"DISCONNECTED", "kept", "released", "acknowledged"}} {
		before := entry(words...)
		data := output.Account{ID: before.ID}
		blank := v1alpha1.SyncedAccount{ID: before.ID, ProviderID: before.ProviderID, ConnectionStatus: before.ConnectionStatus}
		got := takenBack(blank, factsOf(before), data)
		if before.ReleasedAt != nil {
			before.ReleasedAt = before.RevokeAcknowledgedAt
		}
		if diff := cmp.Diff(before, got); diff != "" {
			t.Errorf("%v: %s", words, diff)
		}
		if !sameFetch(got, factsOf(before)) {
			t.Errorf("%v: the entry is of another fetch than the copy", words)
		}
	}
}

func TestACopyDoesNotRestartATTL(t *testing.T) {
	t.Parallel()
	sync := &v1alpha1.SmileAccountSync{}
	sync.Spec.Retention = &v1alpha1.Retention{TTL: &metav1.Duration{Duration: time.Hour}}
	got := takenBack(v1alpha1.SyncedAccount{}, factsOf(entry("CONNECTED", "kept")), output.Account{})
	if at := expiresAt(sync, got); !at.Equal(moment) {
		t.Errorf("it expires at %v", at)
	}
}
