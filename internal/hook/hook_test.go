package hook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// Each event is followed by a read that is not before it, a stored time always differs from the one before, urgent events do not
// wait, and the reads that other events request are at least a pause apart.
func TestEachEventIsFollowedByARead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
		var stored, patient time.Time
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(7*time.Second)).Draw(t, "later")))
			urgent := rapid.IntRange(0, 4).Draw(t, "kind") == 0
			at, store := hook.Hint(stored, now, urgent)
			switch {
			case at.Before(now):
				t.Fatalf("an event at %v has a read at %v", now, at)
			case store == at.Equal(stored):
				t.Fatalf("store is %v, from %v to %v", store, stored, at)
			case at.Sub(now) > hook.Pause+hook.Slack+time.Microsecond:
				t.Fatalf("an event at %v waits until %v", now, at)
			case urgent && at.Sub(now) > 2*time.Microsecond:
				t.Fatalf("an urgent event at %v waits until %v", now, at)
			case !at.Equal(at.Truncate(time.Microsecond)):
				t.Fatalf("an event at %v cannot be stored", at)
			case !urgent && store && at.Sub(patient) < hook.Pause && stored.Equal(patient):
				t.Fatalf("%v is stored %v after %v", at, at.Sub(patient), patient)
			}
			if store {
				stored = at
			}
			if store && !urgent {
				patient = at
			}
		}
	})
}

func TestHint(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		stored time.Time
		urgent bool
		at     time.Time
		store  bool
	}{
		"first":                  {time.Time{}, false, now, true},
		"first, urgent":          {time.Time{}, true, now, true},
		"long after":             {now.Add(-time.Hour), false, now, true},
		"a pause after":          {now.Add(-hook.Pause), false, now, true},
		"soon after":             {now.Add(-time.Second), false, now.Add(4 * time.Second), true},
		"soon after, urgent":     {now.Add(-time.Second), true, now, true},
		"a read will come":       {now.Add(4 * time.Second), false, now.Add(4 * time.Second), false},
		"a read comes too late":  {now.Add(4 * time.Second), true, now, true},
		"a read may have begun":  {now.Add(hook.Slack - 1000), false, now.Add(hook.Slack + hook.Pause - 1000), true},
		"a read certainly comes": {now.Add(hook.Slack), false, now.Add(hook.Slack), false},
		"the latest read":        {now.Add(hook.Pause + hook.Slack), false, now.Add(hook.Pause + hook.Slack), false},
		"a read is now":          {now, false, now.Add(hook.Pause), true},
		"at once, urgent":        {now, true, now.Add(time.Microsecond), true},
		"by a clock in error":    {now.Add(time.Hour), false, now, true},
		"by a clock in error, u": {now.Add(time.Hour), true, now, true},
	} {
		if at, store := hook.Hint(test.stored, now, test.urgent); !at.Equal(test.at) || store != test.store {
			t.Errorf("%s: %v, %v; want %v, %v", name, at, store, test.at, test.store)
		}
	}
}

func TestWhereEventsMayBeSent(t *testing.T) {
	t.Parallel()
	policy, err := hook.NewPolicy("https://Hooks.example.com:443/in/", []string{"app.example.com", "APP.example.org:8443"})
	if err != nil {
		t.Fatal(err)
	}
	for url, spelled := range map[string]string{
		"https://app.example.com":            "https://app.example.com",
		"https://app.example.com/":           "https://app.example.com/",
		"https://APP.EXAMPLE.COM:443/a/B":    "https://app.example.com/a/B",
		"https://app.example.org:8443/smile": "https://app.example.org:8443/smile",
	} {
		if got, reason := policy.Check(url); got != spelled || reason != "" {
			t.Errorf("%s: %q, %q; want %q", url, got, reason, spelled)
		}
	}
	for _, url := range []string{
		"", "app.example.com", "//app.example.com/", "http://app.example.com/", "ftp://app.example.com/", "https:app.example.com",
		"https://", "https:///x", "https://app.example.com:8443/", "https://app.example.org/", "https://app.example.com:/",
		"https://app.example.com:0/", "https://app.example.com:0443/", "https://app.example.com:65536/", "https://app.example.com:http/",
		"https://app.example.com@evil.net/", "https://u:p@app.example.com/", "https://app.example.com%40evil.net/", "https://evil.net#app.example.com",
		"https://evil.net?app.example.com", "https://evil.net/app.example.com", `https://evil.net\app.example.com/`, "https://app.example.com\\@evil.net/",
		"https://app.example.com.evil.net/", "https://xapp.example.com/", "https://x.app.example.com/", "https://app.example.com./", "https://.app.example.com/",
		"https://app..example.com/", "https://app.example.com/?q", "https://app.example.com/#f", "https://app.example.com/%2e%2e/", "https://app.example.com/a/../b",
		"https://app.example.com//a", "https://app.example.com/./", " https://app.example.com/", "https://app.example.com/ ", "https://app.example.com/\n",
		"https://app.exa\tmple.com/", "https://app.example.com/\x00", "https://äpp.example.com/", "https://app。example.com/", "https://127.0.0.1/", "https://[::1]/",
		"https://2130706433/", "https://0x7f.1/", "https://localhost/", "https://169.254.169.254/", "https://app.example.com/" + strings.Repeat("x", 500),
		"HTTPS//app.example.com", "javascript:alert(1)", "https://-app.example.com/", "https://app_example.com/", "https://[app.example.com]/",
	} {
		if got, reason := policy.Check(url); reason == "" || got != "" {
			t.Errorf("%q is permitted as %q", url, got)
		}
	}
	if got := policy.Own("PATH"); got != "https://hooks.example.com/in/hooks/v1/PATH" || strings.Contains(policy.OwnShown(), "PATH") {
		t.Errorf("the receiver is at %s", got)
	}
	for _, bad := range []struct {
		base  string
		hosts []string
	}{
		{"hooks.example.com", nil},
		{"https://u@hooks.example.com", nil},
		{"https://x/" + strings.Repeat("p", 450), nil},
		{"https://x/a?b", nil},
		{"", []string{"https://app.example.com"}},
		{"", []string{"app.example.com/x"}},
		{"", []string{"*.example.com"}},
		{"", []string{""}},
	} {
		if _, err := hook.NewPolicy(bad.base, bad.hosts); err == nil {
			t.Errorf("the policy %+v is accepted", bad)
		}
	}
	if none, err := hook.NewPolicy("", nil); err != nil || none.Receives() {
		t.Errorf("no receiver: %v", err)
	}
}

func FuzzURL(f *testing.F) {
	for _, seed := range []string{"https://app.example.com/a", "https://app.example.com:443@evil/", "https://[::1]:443/", "https://APP.example.com"} {
		f.Add(seed)
	}
	policy, err := hook.NewPolicy("", []string{"app.example.com"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, url string) {
		spelled, reason := policy.Check(url)
		if reason != "" {
			return
		}
		rest, ok := strings.CutPrefix(spelled, "https://app.example.com")
		if !ok || rest != "" && rest[0] != '/' {
			t.Errorf("%q is permitted as %q", url, spelled)
		}
		if again, reason := policy.Check(spelled); again != spelled || reason != "" {
			t.Errorf("%q becomes %q, then %q", url, spelled, again)
		}
	})
}

func TestPairsAreStoredAndReadAgain(t *testing.T) {
	t.Parallel()
	pairs := []hook.Pair{
		{ID: "b", Path: hook.NewPath(), Secret: hook.NewSecret()},
		{ID: "a", Secret: smile.NewSensitive(strings.Repeat("x", 32))},
	}
	document, err := hook.MarshalPairs(pairs)
	if err != nil {
		t.Fatal(err)
	}
	read, err := hook.ParsePairs(document)
	if err != nil || len(read) != 2 || read[0].ID != "a" || !read[1].Path.Equal(pairs[0].Path) || !read[1].Secret.Equal(pairs[0].Secret) {
		t.Errorf("%s becomes %v, error %v", document, read, err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", read, read, read); strings.Contains(shown, pairs[0].Secret.Reveal()) || strings.Contains(shown, pairs[0].Path.Reveal()) {
		t.Error("printing a pair reveals its secret")
	}
	for _, bad := range []string{"", "{", "null,", `{"id":"x"}`, `[{"id":"","secret":"` + strings.Repeat("x", 32) + `"}]`, `[{"id":"a","secret":"short"}]`} {
		if _, err := hook.ParsePairs([]byte(bad)); err == nil || strings.Contains(err.Error(), "short") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if len(hook.NewSecret().Reveal()) != 64 || len(hook.NewPath().Reveal()) != 43 || hook.NewPath().Equal(hook.NewPath()) {
		t.Error("secrets have 64 characters, paths 256 bits")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	name := hook.Name{UID: "6a4c8b9e-1111-2222-3333-444455556666", Pair: "0d3b8a7e-1111-2222-3333-444455556666"}
	if read, ok := hook.ParseName(name.String()); !ok || read != name || len(name.String()) > smile.MaxWebhookNameLength {
		t.Errorf("%s becomes %v", name, read)
	}
	for _, other := range []string{"", "mine", "smile-operator v1.", "smile-operator v1.x", "smile-operator v1.x.", "smile-operator v1..y", "smile-operator v2.x.y", "smile-operator v1.x.y.z"} {
		if read, ok := hook.ParseName(other); ok {
			t.Errorf("%q is parsed as %v", other, read)
		}
	}
}

// The name of the Secret is valid and unique, whatever the name of the subscription.
func TestEachSubscriptionHasASecretName(t *testing.T) {
	t.Parallel()
	if got := hook.SecretName("events"); got != "events-webhook" {
		t.Errorf("got %q", got)
	}
	seen := map[string]string{}
	for _, name := range []string{
		strings.Repeat("a", 245), strings.Repeat("a", 246), strings.Repeat("a", 253), strings.Repeat("a", 252) + "b",
		strings.Repeat("a", 199) + "." + strings.Repeat("b", 53), strings.Repeat("a", 198) + "--" + strings.Repeat("b", 53),
	} {
		got := hook.SecretName(name)
		if problems := validation.IsDNS1123Subdomain(got); len(problems) > 0 || !strings.HasSuffix(got, "-webhook") {
			t.Errorf("%q: %v", got, problems)
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%q and %q share %q", name, other, got)
		}
		seen[got] = name
	}
}
