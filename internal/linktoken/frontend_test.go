package linktoken_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/linktoken"
)

func TestFrontendOf(t *testing.T) {
	t.Parallel()
	script := "https://web.smileapi.io/v2/smile.v2.js"
	for endpoint, want := range map[string]linktoken.Frontend{
		"https://sandbox.smileapi.io/v1":      {APIHost: "https://link-sandbox.smileapi.io/v1", ScriptURL: script},
		"https://open-sandbox.smileapi.io/v1": {APIHost: "https://link-sandbox.smileapi.io/v1", ScriptURL: script},
		"http://127.0.0.1:8484/v1":            {APIHost: "http://127.0.0.1:8484/v1", ScriptURL: "http://127.0.0.1:8484/v2/smile.v2.js"},
		"https://evilsmileapi.io/v1":          {APIHost: "https://evilsmileapi.io/v1", ScriptURL: "https://evilsmileapi.io/v2/smile.v2.js"},
		"https://sandbox.example":             {APIHost: "https://sandbox.example/v1", ScriptURL: "https://sandbox.example/v2/smile.v2.js"},
	} {
		if diff := cmp.Diff(want, linktoken.FrontendOf(endpoint, v1alpha1.ModeSandbox, "")); diff != "" {
			t.Errorf("%s:\n%s", endpoint, diff)
		}
	}
	want := linktoken.Frontend{APIHost: "https://link.smileapi.io/v1", ScriptURL: script}
	if diff := cmp.Diff(want, linktoken.FrontendOf("https://open.smileapi.io/v1", v1alpha1.ModeProduction, "")); diff != "" {
		t.Error(diff)
	}
	old := linktoken.FrontendOf("http://127.0.0.1:8484/v1", v1alpha1.ModeSandbox, v1alpha1.SDKv1)
	if old.ScriptURL != "http://127.0.0.1:8484/v1/smile.v1.js" {
		t.Error(old.ScriptURL)
	}
}
