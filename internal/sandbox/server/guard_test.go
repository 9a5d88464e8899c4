package server

import (
	"net/http"
	"strings"
	"testing"
)

func toHost(host string) edit { return func(r *http.Request) { r.Host = host } }

// TestControlIsForOwnPages: a page of another origin neither changes nor reads
// the sandbox, not even if its host name leads here.
func TestControlIsForOwnPages(t *testing.T) {
	b := newBox(t, Options{ControlHosts: []string{"Sandbox.Test"}})
	b.newUser()
	for name, test := range map[string]struct {
		edits []edit
		want  int
	}{
		"a program":                 {nil, 200},
		"an IPv6 address":           {[]edit{toHost("[::1]:8484")}, 200},
		"localhost":                 {[]edit{toHost("localhost:8484")}, 200},
		"a permitted name":          {[]edit{toHost("sandbox.test:8484")}, 200},
		"the address bar":           {[]edit{with("Sec-Fetch-Site", "none")}, 200},
		"the page itself":           {[]edit{toHost("127.0.0.1:8484"), with("Origin", "http://127.0.0.1:8484"), with("Sec-Fetch-Site", "same-origin")}, 200},
		"a page of a permitted one": {[]edit{with("Origin", "https://sandbox.test"), with("Sec-Fetch-Site", "cross-site")}, 200},
		"a foreign page":            {[]edit{with("Origin", "http://evil.example"), with("Sec-Fetch-Site", "cross-site")}, 403},
		"another port":              {[]edit{toHost("127.0.0.1:8484"), with("Origin", "http://127.0.0.1:3000")}, 403},
		"a sandboxed frame":         {[]edit{with("Origin", "null")}, 403},
		"an image":                  {[]edit{with("Sec-Fetch-Site", "cross-site")}, 403},
		"a site next to it":         {[]edit{with("Sec-Fetch-Site", "same-site")}, 403},
		"a rebound name":            {[]edit{toHost("evil.example"), with("Origin", "http://evil.example"), with("Sec-Fetch-Site", "same-origin")}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/_sandbox/overview", "/_sandbox/stats", "//_sandbox//journal", "/_sandbox/deliveries"} {
				if got := b.get(path, test.edits...); got.status != test.want {
					t.Errorf("GET %s: %d %s", path, got.status, got.text)
				}
			}
			got := b.call(http.MethodPost, "/_sandbox/clock", `{"advance":"1s"}`, test.edits...)
			if got.status != test.want || test.want == 403 && !strings.Contains(got.text, "--control-hosts") {
				t.Errorf("POST: %d %s", got.status, got.text)
			}
		})
	}
}

// TestOpenToAnyOrigin: what links of the API lead to, and the API itself, work
// from anywhere.
func TestOpenToAnyOrigin(t *testing.T) {
	b := newBox(t, Options{})
	foreign := []edit{toHost("sandbox.smileapi.io"), with("Origin", "http://app.example"), with("Sec-Fetch-Site", "cross-site")}
	for _, path := range []string{"/v1/users", "/_sandbox/openapi.yaml", "/_sandbox/samples/payslip.pdf", "/_sandbox/healthz"} {
		if got := b.fetch(path, append(foreign, as("sandbox-key", "sandbox-secret"))...); got.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
}
