package user

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/smile"
)

var noon = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

func TestRenewAt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		life   time.Duration
		jitter float64
		want   time.Duration
	}{
		"half of its life":           {5 * time.Hour, 0, 150 * time.Minute},
		"minus a tenth at most":      {5 * time.Hour, 1, 135 * time.Minute},
		"minus something":            {5 * time.Hour, 0.5, 142*time.Minute + 30*time.Second},
		"one that has expired":       {-time.Hour, 0, 5 * time.Minute},
		"one that expires now":       {0, 1, 4*time.Minute + 30*time.Second},
		"one that never expires":     {math.MaxInt64, 0, 12 * time.Hour},
		"one with a very short life": {time.Minute, 0, 5 * time.Minute},
		"in whole seconds":           {5*time.Hour + time.Second, 0, 150 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := renewAt(noon, noon.Add(test.life), test.jitter).Sub(noon); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// Whatever the expiry of Smile's tokens is, a user gets at most one token every few minutes.
func TestTokensAreNeverMintedByTheMinute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		expires := noon.Add(time.Duration(rapid.Int64Range(-1<<40, 1<<60).Draw(t, "life")))
		renewal := renewAt(noon, expires, rapid.Float64Range(0, 1).Draw(t, "jitter")).Sub(noon)
		if renewal < 4*time.Minute || renewal > 12*time.Hour {
			t.Fatalf("renewed after %v", renewal)
		}
		if life := expires.Sub(noon); life >= shortestLife && renewal > life/2 {
			t.Fatalf("renewed after %v of %v", renewal, life)
		}
	})
}

// The content of a Secret counts as this user's token only if it is complete, and newer than the token in the status.
func TestRecovered(t *testing.T) {
	t.Parallel()
	expires := noon.Add(5 * time.Hour)
	content := func(change func(output.Content)) output.Content {
		c := output.Content{
			keyAccessToken: []byte("smile.1"), keyExpiresAt: []byte(expires.Format(time.RFC3339)),
			keyMode: []byte("SANDBOX"), keyUserID: []byte("tenant-1"),
		}
		change(c)
		return c
	}
	expiring := func(at time.Time) output.Content {
		return content(func(c output.Content) { c[keyExpiresAt] = []byte(at.Format(time.RFC3339)) })
	}
	whole := content(func(output.Content) {})
	for name, test := range map[string]struct {
		content output.Content
		held    time.Time
		want    bool
	}{
		"whole":                   {whole, time.Time{}, true},
		"newer than the status's": {whole, expires.Add(-time.Second), true},
		"the status's":            {whole, expires, false},
		"older":                   {whole, expires.Add(time.Hour), false},
		"nothing":                 {nil, time.Time{}, false},
		"another person's":        {content(func(c output.Content) { c[keyUserID] = []byte("tenant-2") }), time.Time{}, false},
		"without a token":         {content(func(c output.Content) { c[keyAccessToken] = nil }), time.Time{}, false},
		"without a mode":          {content(func(c output.Content) { c[keyMode] = nil }), time.Time{}, false},
		"with something else":     {content(func(c output.Content) { c["password"] = []byte("x") }), time.Time{}, false},
		"nearly expired":          {expiring(noon.Add(shortestLife)), time.Time{}, false},
		"of an absurd life":       {expiring(noon.Add(longestLife + time.Second)), time.Time{}, false},
	} {
		user := &v1alpha1.SmileUser{Status: v1alpha1.SmileUserStatus{UserID: "tenant-1"}}
		if !test.held.IsZero() {
			user.Status.LinkToken = &v1alpha1.LinkTokenStatus{ExpiresAt: metav1.NewTime(test.held)}
		}
		got := recovered(test.content, user, noon)
		if (got != nil) != test.want {
			t.Errorf("%s: %+v", name, got)
		}
		if got != nil && (!got.expires.Equal(expires) || !got.renewal.After(noon.Add(2*time.Hour)) || got.renewal.After(noon.Add(150*time.Minute))) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestHoldsToken(t *testing.T) {
	t.Parallel()
	held := &v1alpha1.LinkTokenStatus{ExpiresAt: metav1.NewTime(noon.In(time.FixedZone("here", 3600)))}
	key, _ := identity.NewKey()
	content := func(token, expires string) output.Content {
		return output.Content{keyAccessToken: []byte(token), keyExpiresAt: []byte(expires)}
	}
	printed := held.DeepCopy()
	printed.Fingerprint = fingerprintOf(content("t", "2026-03-31T12:00:00Z"), key)
	for name, test := range map[string]struct {
		content output.Content
		held    *v1alpha1.LinkTokenStatus
		want    bool
	}{
		"the very token":    {content("t", "2026-03-31T12:00:00Z"), printed, true},
		"an edited one":     {content("u", "2026-03-31T12:00:00Z"), printed, false},
		"the token":         {content("t", "2026-03-31T12:00:00Z"), held, true},
		"another one":       {content("t", "2026-03-31T13:00:00Z"), held, false},
		"an emptied Secret": {content("", "2026-03-31T12:00:00Z"), held, false},
		"no Secret":         {nil, held, false},
		"nothing expected":  {content("t", "2026-03-31T12:00:00Z"), nil, false},
	} {
		if got := holdsToken(test.content, test.held, key); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	account := func(status smile.ConnectionStatus, code smile.AccountErrorCode, monitor smile.MonitorStatus) smile.Account {
		return smile.Account{Connection: smile.Connection{Status: status, ErrorCode: code}, Monitor: smile.Monitor{Status: monitor}}
	}
	for name, test := range map[string]struct {
		account smile.Account
		want    v1alpha1.AccountCounts
	}{
		"connected":               {account("CONNECTED", "", "ACTIVE"), v1alpha1.AccountCounts{Total: 1, Connected: 1}},
		"connected, to be fixed":  {account("CONNECTED", "", "USER_ACTION_REQUIRED"), v1alpha1.AccountCounts{Total: 1, Connected: 1, NeedsAction: 1}},
		"pending":                 {account("PENDING", "", ""), v1alpha1.AccountCounts{Total: 1}},
		"awaiting a code":         {account("AWAITING_MFA", "", ""), v1alpha1.AccountCounts{Total: 1, NeedsAction: 1}},
		"a wrong password":        {account("ERROR", "INVALID_CREDENTIALS", ""), v1alpha1.AccountCounts{Total: 1, NeedsAction: 1}},
		"a provider that is down": {account("ERROR", "SERVICE_UNAVAILABLE", ""), v1alpha1.AccountCounts{Total: 1}},
		"an unknown error":        {account("ERROR", "SOMETHING_NEW", ""), v1alpha1.AccountCounts{Total: 1}},
		"disconnected":            {account("DISCONNECTED", "", "USER_ACTION_REQUIRED"), v1alpha1.AccountCounts{}},
		"an unknown status":       {account("HIBERNATING", "", ""), v1alpha1.AccountCounts{Total: 1}},
	} {
		if diff := cmp.Diff(test.want, *count([]smile.Account{test.account})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
