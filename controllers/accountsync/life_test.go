package accountsync

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/smile"
)

var (
	moment = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	at     = func(t time.Time) *metav1.Time { return &metav1.Time{Time: t} }
)

// entry is an account in a status, such as "CONNECTED", "ERROR SYSTEM_ERROR" or "DISCONNECTED released". With "kept", it has data
// that was fetched an hour ago.
func entry(words ...string) v1alpha1.SyncedAccount {
	a := v1alpha1.SyncedAccount{ID: "a-1", ProviderID: "sss_ph", ConnectionStatus: words[0]}
	for _, word := range words[1:] {
		switch word {
		case "kept":
			a.Datapoints = []v1alpha1.DatapointStatus{{Type: "INCOMES", FetchedAt: metav1.NewTime(moment.Add(-time.Hour))}}
			a.FinishedTasks, a.DataAsOf = 2, at(moment.Add(-2*time.Hour))
		case "released":
			a.ReleasedAt = at(moment)
		case "acknowledged":
			a.RevokeAcknowledgedAt = at(moment.Add(time.Minute))
		case string(smile.MonitorUserActionRequired):
			a.MonitorStatus = word
		default:
			a.ErrorCode = word
		}
	}
	return a
}

func TestConnectedness(t *testing.T) {
	t.Parallel()
	type accounts = []v1alpha1.SyncedAccount
	for name, test := range map[string]struct {
		accounts accounts
		want     connectedness
	}{
		"none":                                   {nil, nobody},
		"connected":                              {accounts{entry("CONNECTED")}, allConnected},
		"logging in":                             {accounts{entry("PENDING")}, loggingIn},
		"second factor":                          {accounts{entry("AWAITING_MFA")}, loggingIn},
		"a status of the future":                 {accounts{entry("TELEPORTING"), entry("PENDING")}, statusUnknown},
		"disconnected":                           {accounts{entry("DISCONNECTED")}, nobody},
		"retained":                               {accounts{entry("DISCONNECTED", "kept")}, nobody},
		"released":                               {accounts{entry("DISCONNECTED", "kept", "released")}, released},
		"released and over":                      {accounts{entry("DISCONNECTED", "released")}, nobody},
		"wrong password":                         {accounts{entry("ERROR", "INVALID_CREDENTIALS")}, mustAct},
		"an error of the future":                 {accounts{entry("ERROR", "MOON_PHASE")}, mustAct},
		"an error without a code":                {accounts{entry("ERROR")}, mustAct},
		"provider down":                          {accounts{entry("ERROR", "SERVICE_UNAVAILABLE")}, providerDown},
		"at Smile":                               {accounts{entry("ERROR", "SYSTEM_ERROR")}, askSmile},
		"not supported":                          {accounts{entry("ERROR", "UNSUPPORTED_MFA_METHOD")}, askSmile},
		"a failed login and a connected account": {accounts{entry("ERROR", "INVALID_MFA"), entry("CONNECTED")}, allConnected},
		"data that is no longer updated":         {accounts{entry("CONNECTED"), entry("ERROR", "SERVICE_UNAVAILABLE", "kept")}, providerDown},
		"cannot be kept current":                 {accounts{entry("CONNECTED", "USER_ACTION_REQUIRED")}, staleConsent},
	} {
		if got := connectednessOf(test.accounts); got != test.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestMustErase(t *testing.T) {
	t.Parallel()
	sync := func(policy v1alpha1.DisconnectPolicy, ttl time.Duration, providers ...string) *v1alpha1.SmileAccountSync {
		s := &v1alpha1.SmileAccountSync{}
		s.Spec.Providers = providers
		s.Spec.Retention = &v1alpha1.Retention{OnDisconnect: policy}
		if ttl > 0 {
			s.Spec.Retention.TTL = &metav1.Duration{Duration: ttl}
		}
		return s
	}
	plain := &v1alpha1.SmileAccountSync{}
	for name, test := range map[string]struct {
		sync    *v1alpha1.SmileAccountSync
		account v1alpha1.SyncedAccount
		want    auditlog.Reason
	}{
		"connected":                   {plain, entry("CONNECTED", "kept"), ""},
		"in trouble":                  {plain, entry("ERROR", "kept"), ""},
		"disconnected":                {plain, entry("DISCONNECTED", "kept"), auditlog.ReasonWithdrawn},
		"disconnected, erased":        {plain, entry("DISCONNECTED"), ""},
		"released":                    {plain, entry("DISCONNECTED", "kept", "released"), ""},
		"disconnected, Delete":        {sync("Delete", 0), entry("DISCONNECTED", "kept"), auditlog.ReasonWithdrawn},
		"disconnected, Retain":        {sync("Retain", 2*time.Hour), entry("DISCONNECTED", "kept"), ""},
		"disconnected, Retain, over":  {sync("Retain", time.Hour), entry("DISCONNECTED", "kept"), auditlog.ReasonExpired},
		"released, over":              {sync("", time.Hour), entry("DISCONNECTED", "kept", "released"), auditlog.ReasonExpired},
		"connected, not quite over":   {sync("", time.Hour+time.Nanosecond), entry("CONNECTED", "kept"), ""},
		"connected, over":             {sync("", time.Hour), entry("CONNECTED", "kept"), auditlog.ReasonExpired},
		"connected, over and erased":  {sync("", time.Hour), entry("CONNECTED"), ""},
		"another provider":            {sync("", 0, "cdecorp"), entry("CONNECTED", "kept"), auditlog.ReasonNotSelected},
		"released, another provider":  {sync("", 0, "cdecorp"), entry("DISCONNECTED", "kept", "released"), auditlog.ReasonNotSelected},
		"withdrawn and over":          {sync("", time.Hour, "cdecorp"), entry("DISCONNECTED", "kept"), auditlog.ReasonWithdrawn},
		"another provider, never had": {sync("", 0, "cdecorp"), entry("CONNECTED"), ""},
	} {
		if got := mustErase(test.sync, test.account, moment); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func account(status smile.ConnectionStatus) smile.Account {
	return smile.Account{
		ID: "a-1", ProviderID: "sss_ph", UserID: "u", CreatedAt: moment,
		Connection: smile.Connection{Status: status, UpdatedAt: moment.Add(time.Minute)},
	}
}

func TestEntries(t *testing.T) {
	t.Parallel()
	keptOf := func(e v1alpha1.SyncedAccount) string {
		return fmt.Sprintf("%s kept=%v tasks=%d erased=%v released=%v", e.ConnectionStatus, isKept(e), e.FinishedTasks, e.ErasedAt != nil, e.ReleasedAt != nil)
	}
	for name, test := range map[string]struct {
		before v1alpha1.SyncedAccount
		listed []smile.Account
		want   string
	}{
		"goes on":              {entry("CONNECTED", "kept"), []smile.Account{account("CONNECTED")}, "CONNECTED kept=true tasks=2 erased=false released=false"},
		"in trouble":           {entry("CONNECTED", "kept"), []smile.Account{account("ERROR")}, "ERROR kept=true tasks=2 erased=false released=false"},
		"disconnected":         {entry("CONNECTED", "kept"), []smile.Account{account("DISCONNECTED")}, "DISCONNECTED kept=true tasks=2 erased=false released=false"},
		"gone":                 {entry("CONNECTED", "kept"), nil, "DISCONNECTED kept=true tasks=2 erased=false released=false"},
		"erased":               {erased(entry("DISCONNECTED", "kept"), moment), nil, "DISCONNECTED kept=false tasks=0 erased=true released=false"},
		"erased and back":      {erased(entry("DISCONNECTED", "kept"), moment), []smile.Account{account("CONNECTED")}, "CONNECTED kept=false tasks=0 erased=false released=false"},
		"retained and back":    {entry("DISCONNECTED", "kept"), []smile.Account{account("CONNECTED")}, "CONNECTED kept=true tasks=0 erased=false released=false"},
		"released":             {entry("CONNECTED", "kept", "released"), []smile.Account{account("DISCONNECTED")}, "DISCONNECTED kept=true tasks=2 erased=false released=true"},
		"released, seen late":  {entry("DISCONNECTED", "kept", "released"), []smile.Account{account("CONNECTED")}, "DISCONNECTED kept=true tasks=2 erased=false released=true"},
		"expired, still there": {erased(entry("CONNECTED", "kept"), moment), []smile.Account{account("CONNECTED")}, "CONNECTED kept=false tasks=2 erased=true released=false"},
	} {
		sync := &v1alpha1.SmileAccountSync{Status: v1alpha1.SmileAccountSyncStatus{Accounts: []v1alpha1.SyncedAccount{test.before}}}
		setAccounts(sync, test.listed)
		if len(sync.Status.Accounts) != 1 || keptOf(sync.Status.Accounts[0]) != test.want {
			t.Errorf("%s: %+v", name, sync.Status.Accounts)
		}
	}
}

// A person may link and disconnect for years. Entries without data are dropped to make room, entries with data never are.
func TestTheStatusStaysBounded(t *testing.T) {
	t.Parallel()
	var entries []v1alpha1.SyncedAccount
	for i := range 150 {
		e := entry("DISCONNECTED")
		e.ID, e.AvailableUntil = fmt.Sprintf("a-%03d", i), at(moment.Add(time.Duration(i)*time.Hour))
		entries = append(entries, e)
	}
	entries[0], entries[1] = entry("CONNECTED"), entry("DISCONNECTED", "kept", "released")
	entries[0].ID, entries[1].ID = "a-000", "a-001"
	got := namesOf(bounded(entries), func(v1alpha1.SyncedAccount) bool { return true })
	want := []string{"a-000", "a-001"}
	for i := 52; i < 150; i++ {
		want = append(want, fmt.Sprintf("a-%03d", i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBaselineIsByTheClockOfSmile(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return time.Date(2026, 5, 1, 12, 0, seconds, 0, time.UTC) }
	never := time.Time{}
	known := tasksOf{finished: 2, last: at(10)}
	for name, test := range map[string]struct {
		former               tasksOf
		eventAt, respondedAt time.Time
		want                 tasksOf
	}{
		"the event's time":                 {known, at(20), at(21), tasksOf{1, at(20)}},
		"the response's, if it is earlier": {known, at(30), at(21), tasksOf{1, at(21)}},
		"in the same second":               {known, at(20), at(20), tasksOf{1, at(20)}},
		"never earlier than before":        {known, at(5), at(21), known},
		"nor another count in that second": {known, at(10), at(21), known},
		"a response without a date":        {known, at(20), never, known},
		"an event without a time":          {known, never, at(21), known},
		"the first data":                   {tasksOf{}, at(20), at(21), tasksOf{1, at(20)}},
		"the first data, without a date":   {tasksOf{}, at(20), never, tasksOf{}},
	} {
		if got := baseline(test.former, test.eventAt, test.respondedAt); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestContentHasAnOwnerIfAllItsPartsAgree(t *testing.T) {
	t.Parallel()
	of := func(userID, sourceID string) dataOwner {
		return ownershipOf(smile.Source{UserID: userID, SourceID: sourceID}, "u", "a")
	}
	for want, sources := range map[dataOwner][][2]string{
		ownershipProven: {{"u", "a"}}, ownershipUnsaid: {{"", "a"}, {"u", ""}, {"", ""}}, ownershipForeign: {{"v", "a"}, {"u", "b"}, {"v", ""}, {"", "b"}},
	} {
		for _, source := range sources {
			if got := of(source[0], source[1]); got != want {
				t.Errorf("%v: %v, want %v", source, got, want)
			}
		}
	}
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	part := func(owner dataOwner, at time.Time) content { return content{owner: owner, at: at} }
	for name, test := range map[string]struct {
		parts []content
		want  content
	}{
		"the earliest": {[]content{part(ownershipProven, noon.Add(1)), part(ownershipProven, noon)}, part(ownershipProven, noon)},
		"one foreign":  {[]content{part(ownershipProven, noon), part(ownershipForeign, noon)}, part(ownershipForeign, noon)},
		"one undated":  {[]content{part(ownershipUnsaid, noon), part(ownershipProven, time.Time{})}, part(ownershipUnsaid, time.Time{})},
	} {
		if got := joined(nil, test.parts); got.owner != test.want.owner || !got.at.Equal(test.want.at) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestNextRefresh(t *testing.T) {
	t.Parallel()
	type accounts = []v1alpha1.SyncedAccount
	hour := &metav1.Duration{Duration: time.Hour}
	for name, test := range map[string]struct {
		every *metav1.Duration
		kept  accounts
		now   time.Time
		next  time.Time
		due   bool
	}{
		"not asked for":           {nil, accounts{entry("CONNECTED", "kept")}, moment, time.Time{}, false},
		"nothing fetched yet":     {hour, accounts{entry("CONNECTED")}, moment, time.Time{}, false},
		"in a minute":             {hour, accounts{entry("CONNECTED", "kept")}, moment.Add(-time.Minute), moment, false},
		"now":                     {hour, accounts{entry("CONNECTED", "kept")}, moment, moment.Add(time.Hour), true},
		"overdue":                 {hour, accounts{entry("ERROR", "kept")}, moment.Add(time.Hour), moment.Add(2 * time.Hour), true},
		"retained, not refreshed": {hour, accounts{entry("DISCONNECTED", "kept")}, moment, time.Time{}, false},
	} {
		sync := &v1alpha1.SmileAccountSync{}
		sync.Spec.RefreshInterval, sync.Status.Accounts = test.every, test.kept
		if next, due := nextRefresh(sync, test.now); due != test.due || !next.Equal(test.next) {
			t.Errorf("%s: due is %v, next at %v", name, due, next)
		}
	}
}

func TestWhenDataWasLastFetched(t *testing.T) {
	t.Parallel()
	at := func(ago time.Duration) v1alpha1.SyncedAccount {
		return v1alpha1.SyncedAccount{Datapoints: []v1alpha1.DatapointStatus{{FetchedAt: metav1.NewTime(moment.Add(-ago))}}}
	}
	accounts := []v1alpha1.SyncedAccount{{}, at(3 * time.Hour), at(time.Hour), at(2 * time.Hour)}
	if got := lastFetchedAt(accounts); got == nil || !got.Equal(new(metav1.NewTime(moment.Add(-time.Hour)))) {
		t.Errorf("%v, want an hour ago", got)
	}
	if got := lastFetchedAt([]v1alpha1.SyncedAccount{{}}); got != nil {
		t.Errorf("%v without data", got)
	}
}
