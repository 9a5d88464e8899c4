package transport

import "testing"

func TestAliasesAreOneHost(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://sandbox.smileapi.io/v1":           "https://sandbox.smileapi.io/v1",
		"https://open-sandbox.smileapi.io/v1":      "https://sandbox.smileapi.io/v1",
		"https://Open-Sandbox.SmileAPI.io:443/v1/": "https://sandbox.smileapi.io/v1",
		"https://open-sandbox.smileapi.io:8443/v1": "https://sandbox.smileapi.io:8443/v1",
		"https://open.smileapi.io/v1":              "https://open.smileapi.io/v1",
		"https://open-sandbox.smileapi.io.test/v1": "https://open-sandbox.smileapi.io.test/v1",
		"http://127.0.0.1:8484/v1":                 "http://127.0.0.1:8484/v1",
		"":                                         "",
	} {
		if got := CanonicalText(endpoint); got != want {
			t.Errorf("%s is %s, want %s", endpoint, got, want)
		}
	}
}

// TestTheVendorsHostsShareOneBudget: the vendor counts the calls of an address over all of its hosts.
func TestTheVendorsHostsShareOneBudget(t *testing.T) {
	set := NewBudgetSet(7)
	budgetOf := func(text string) *Budget { return set.For(BudgetHost(mustParse(text))) }
	first := budgetOf(vendorSandbox)
	for _, origin := range append([]string{vendorProduction}, vendorOrigins...) {
		if budgetOf(origin) != first {
			t.Errorf("%s has a budget of its own", origin)
		}
	}
	for _, another := range []string{"https://smileapi.io.test", "https://notsmileapi.io", "https://127.0.0.1:8484", "http://127.0.0.1:8485"} {
		if budgetOf(another) == first {
			t.Errorf("%s shares the vendor's budget", another)
		}
	}
}
