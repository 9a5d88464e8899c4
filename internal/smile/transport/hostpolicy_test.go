package transport

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http/httpproxy"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// newPolicy permits a host, an origin written out for each scheme, and addresses.
func newPolicy(t testing.TB) *HostPolicy {
	t.Helper()
	policy, err := NewHostPolicy("http://smile-sandbox.smile-system:8484/v1", []string{
		"gateway.example.com", "Gateway.Example.com:8443", "xn--mnchen-3ya.example",
		"https://internal.corp:9443", "http://127.0.0.1:8484", "https://[::1]:8443", "https://10.1.2.3",
	})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

var goodEndpoints = []struct{ text, want string }{
	{"https://sandbox.smileapi.io/v1", "https://sandbox.smileapi.io/v1"},
	{"https://open.smileapi.io/v1", "https://open.smileapi.io/v1"},
	{"https://open-sandbox.smileapi.io/v1", "https://open-sandbox.smileapi.io/v1"},
	{"https://open.smileapi.io/v1/", "https://open.smileapi.io/v1"},
	{"https://open.smileapi.io", "https://open.smileapi.io"},
	{"https://open.smileapi.io/", "https://open.smileapi.io"},
	{"https://open.smileapi.io:443/v1", "https://open.smileapi.io/v1"},
	{"HTTPS://Open.SmileAPI.io/v1", "https://open.smileapi.io/v1"},
	{"https://open.smileapi.io/a/b-c_d~e.f", "https://open.smileapi.io/a/b-c_d~e.f"},
	{"https://gateway.example.com/v1", "https://gateway.example.com/v1"},
	{"https://gateway.example.com:8443/v1", "https://gateway.example.com:8443/v1"},
	{"https://xn--mnchen-3ya.example/v1", "https://xn--mnchen-3ya.example/v1"},
	{"https://internal.corp:9443/v1", "https://internal.corp:9443/v1"},
	{"http://127.0.0.1:8484/v1", "http://127.0.0.1:8484/v1"},
	{"https://[::1]:8443/v1", "https://[::1]:8443/v1"},
	{"https://[0:0:0:0:0:0:0:1]:8443/v1", "https://[::1]:8443/v1"},
	{"https://10.1.2.3/v1", "https://10.1.2.3/v1"},
	{"http://smile-sandbox.smile-system:8484/v1", "http://smile-sandbox.smile-system:8484/v1"},
	{"http://smile-sandbox.smile-system:8484/other", "http://smile-sandbox.smile-system:8484/other"},
}

// badEndpoints are endpoints that somebody could write to get the keys, or by
// mistake.
var badEndpoints = []string{
	// not a URL of an API
	"", " ", "/", "v1", "open.smileapi.io", "//open.smileapi.io/v1", "https:", "https:///v1", "https:open.smileapi.io",
	"ftp://open.smileapi.io/v1", "file:///etc/passwd", "javascript:alert(1)", "unix:///run/x.sock", "https://https://open.smileapi.io/v1",
	// plain http
	"http://open.smileapi.io/v1", "http://sandbox.smileapi.io/v1", "http://gateway.example.com/v1", "http://internal.corp:9443/v1",
	// other hosts
	"https://evil.example/v1", "https://open.smileapi.io.evil.example/v1", "https://evil-open.smileapi.io/v1",
	"https://xopen.smileapi.io/v1", "https://smileapi.io/v1", "https://link.smileapi.io/v1", "https://open.smileapi.io.evil",
	"https://open.smileapi.i0/v1", "https://sandbox.open.smileapi.io/v1", "https://open-smileapi.io/v1", "https://localhost/v1",
	"https://kubernetes.default.svc/v1", "https://metadata.google.internal/v1",
	// the right host, disguised
	"https://open.smileapi.io./v1", "https://.open.smileapi.io/v1", "https://open..smileapi.io/v1",
	"https://open.smileapi.io@evil.example/v1", "https://evil.example@open.smileapi.io/v1", "https://a:b@open.smileapi.io/v1",
	"https://@open.smileapi.io/v1", `https://open.smileapi.io\@evil.example/v1`, `https://evil.example\.open.smileapi.io/v1`,
	`https:\\open.smileapi.io\v1`, "https://evil.example#open.smileapi.io/v1", "https://evil.example?open.smileapi.io/v1",
	"https://evil.example;open.smileapi.io/v1", "https://open.smileapi.io%2eevil.example/v1", "https://open.smileapi.io%00.evil/v1",
	"https://open%2esmileapi.io/v1", "https://%6fpen.smileapi.io/v1", "https://open.smileapi.io%40evil.example/v1",
	"https://open.smileapi.io,evil.example/v1", "https://open.smileapi.io evil.example/v1", "https://open.smileapi.io\t/v1",
	"https://open.smileapi.io\n/v1", "https://open.smileapi.io\r\nHost:evil/v1", "https://open.smileapi.io\x00/v1",
	" https://open.smileapi.io/v1", "https://open.smileapi.io/v1 ", "https://-open.smileapi.io/v1", "https://open_.smileapi.io/v1",
	"https://" + strings.Repeat("a", 64) + ".smileapi.io/v1", "https://" + strings.Repeat("a.", 130) + "io/v1",
	"https://open.smileapi.io/" + strings.Repeat("a", 500),
	// international names
	"https://ореn.smileapi.io/v1", "https://open。smileapi。io/v1", "https://öpen.smileapi.io/v1", "https://open.smileapi.io\u200b/v1",
	"https://xn--pen-tna.smileapi.io/v1", "https://münchen.example/v1", "https://ｏｐｅｎ.smileapi.io/v1",
	// ports
	"https://open.smileapi.io:8443/v1", "https://open.smileapi.io:80/v1", "https://open.smileapi.io:/v1", "https://open.smileapi.io:0443/v1",
	"https://open.smileapi.io:0/v1", "https://open.smileapi.io:65536/v1", "https://open.smileapi.io:443443/v1", "https://open.smileapi.io:+443/v1",
	"https://open.smileapi.io:https/v1", "https://open.smileapi.io:443:443/v1", "https://gateway.example.com:9443/v1",
	"https://internal.corp/v1", "http://127.0.0.1/v1", "http://127.0.0.1:8485/v1", "https://127.0.0.1:8484/v1", "https://[::1]/v1",
	// addresses in all spellings
	"https://127.0.0.1/v1", "https://127.1/v1", "https://2130706433/v1", "https://0x7f000001/v1", "https://0x7f.1/v1",
	"https://0177.0.0.1/v1", "https://127.0.0.01/v1", "https://0/v1", "https://0.0.0.0/v1", "https://169.254.169.254/v1",
	"https://[::]/v1", "https://[::ffff:127.0.0.1]/v1", "https://[fe80::1%25eth0]/v1", "https://[fd00::1]/v1", "https://::1/v1",
	"https://10.1.2.3:8443/v1", "https://1.1.1.1/v1", "https://[::1/v1", "https://::1]:8443/v1", "https://127.0.0.1.:8484/v1",
	// paths, queries, fragments
	"https://open.smileapi.io/v1?x=y", "https://open.smileapi.io/v1?", "https://open.smileapi.io/v1#x", "https://open.smileapi.io/v1#",
	"https://open.smileapi.io/../v1", "https://open.smileapi.io/v1/..", "https://open.smileapi.io/./v1", "https://open.smileapi.io//v1",
	"https://open.smileapi.io/v1//", "https://open.smileapi.io/%2e%2e/v1", "https://open.smileapi.io/v1;x", "https://open.smileapi.io/v1/|",
}

func TestGoodEndpoints(t *testing.T) {
	policy := newPolicy(t)
	for _, test := range goodEndpoints {
		got, err := policy.Check(test.text)
		if err != nil || got.String() != test.want {
			t.Errorf("%s = %v, %v; want %s", test.text, got, err, test.want)
			continue
		}
		if err := policy.permit(got); err != nil {
			t.Errorf("%s passes the check but not the guard: %v", test.text, err)
		}
	}
}

func TestBadEndpoints(t *testing.T) {
	policy := newPolicy(t)
	if len(badEndpoints) < 60 {
		t.Fatalf("only %d endpoints", len(badEndpoints))
	}
	for _, text := range badEndpoints {
		got, err := policy.Check(text)
		var refused *smile.HostError
		if !errors.As(err, &refused) {
			t.Errorf("%q = %v, %v", text, got, err)
			continue
		}
		if refused.Field != "endpoint" || refused.Reason == "" || refused.Remedy == "" {
			t.Errorf("%q: incomplete %+v", text, refused)
		}
	}
}

func TestHostErrorsSayWhatToDo(t *testing.T) {
	tests := []struct{ endpoint, want string }{
		{"https://evil.example/v1", "endpoint: this host is not permitted; name its origin in the operator's flag --allowed-api-hosts"},
		{"http://open.smileapi.io/v1", "endpoint: plain http is not permitted for this host; use https, or write its origin out, as http://host:port, in the operator's flag --allowed-api-hosts"},
		{"https://key:secret@open.smileapi.io/v1", "endpoint: it contains user information; write it as https://host/path or https://host:port/path"},
	}
	for _, test := range tests {
		if _, err := newPolicy(t).Check(test.endpoint); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v", test.endpoint, err)
		}
	}
}

func TestNewHostPolicyRefuses(t *testing.T) {
	tests := []struct {
		sandbox string
		entry   string
		want    string
	}{
		{"", "", "--allowed-api-hosts: entry 1: it is not an absolute URL"},
		{"", "https://host.example/v1", "--allowed-api-hosts: entry 1: it has a path"},
		{"", "host.example/v1", "--allowed-api-hosts: entry 1: it has a path"},
		{"", "host.example/", "--allowed-api-hosts: entry 1: it has a path"},
		{"", "*.example.com", "--allowed-api-hosts: entry 1: it contains a character"},
		{"", "10.0.0.1", "--allowed-api-hosts: entry 1: an IP address must be written out"},
		{"", "[::1]:8443", "--allowed-api-hosts: entry 1: an IP address must be written out"},
		{"", "ftp://host.example", "--allowed-api-hosts: entry 1: its scheme"},
		{"", "https://user:pw@host.example", "--allowed-api-hosts: entry 1: it contains user information"},
		{"", "host.example:0", "--allowed-api-hosts: entry 1: its port"},
		{"", "host.example:08443", "--allowed-api-hosts: entry 1: its port"},
		{"sandbox.example", "ok.example", "--sandbox-endpoint: it is not an absolute URL"},
		{"https://user:pw@sandbox.example", "ok.example", "--sandbox-endpoint: it contains user information"},
		{"https://sandbox.example/v1?x", "ok.example", "--sandbox-endpoint: it contains a query"},
	}
	for _, test := range tests {
		_, err := NewHostPolicy(test.sandbox, []string{test.entry})
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%q, %q: %v, want %s", test.sandbox, test.entry, err, test.want)
		}
	}
}

func TestDefaultEndpoints(t *testing.T) {
	own, err := NewHostPolicy("http://127.0.0.1:8484/v1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		policy *HostPolicy
		mode   smile.Mode
		want   string
	}{
		{vendorHosts(), smile.ModeSandbox, "https://sandbox.smileapi.io/v1"},
		{vendorHosts(), smile.ModeProduction, "https://open.smileapi.io/v1"},
		{vendorHosts(), "", "https://sandbox.smileapi.io/v1"},
		{own, smile.ModeSandbox, "http://127.0.0.1:8484/v1"},
		{own, smile.ModeProduction, "https://open.smileapi.io/v1"},
	}
	for _, test := range tests {
		got := test.policy.DefaultEndpoint(test.mode)
		if got.String() != test.want || !test.policy.IsDefault(got) {
			t.Errorf("%q: %v, default %v; want %s", test.mode, got, test.policy.IsDefault(got), test.want)
		}
		got.Host = "evil.example"
		if again := test.policy.DefaultEndpoint(test.mode); again.String() != test.want {
			t.Errorf("%q: a caller changed it to %v", test.mode, again)
		}
	}
}

func TestIsDefault(t *testing.T) {
	policy := newPolicy(t)
	defaults := map[string]bool{
		"https://open.smileapi.io/v1": true, "https://sandbox.smileapi.io/v1": true, "https://open-sandbox.smileapi.io/v1": true,
		"http://smile-sandbox.smile-system:8484/v1": true, "http://smile-sandbox.smile-system:8484/x": true,
	}
	for _, test := range goodEndpoints {
		endpoint, _ := policy.Check(test.text)
		if got := policy.IsDefault(endpoint); got != defaults[endpoint.Scheme+"://"+endpoint.Host+"/v1"] {
			t.Errorf("%s: %v", test.text, got)
		}
	}
	if vendorHosts().IsDefault(&url.URL{Scheme: "https", Host: "evil.example"}) {
		t.Error("any host is the default")
	}
	if vendorHosts().IsDefault(&url.URL{}) {
		t.Error("no host is the default")
	}
}

// TestVendorHostsStayPublic proves that writing a vendor's host out does not let
// its name lead to a local address.
func TestVendorHostsStayPublic(t *testing.T) {
	policy, err := NewHostPolicy("", []string{"https://open.smileapi.io", "https://internal.corp"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"internal.corp:443": true}, policy.local); diff != "" {
		t.Errorf("local (-want +got):\n%s", diff)
	}
}

func TestHostPort(t *testing.T) {
	for text, want := range map[string]string{
		"https://open.smileapi.io/v1": "open.smileapi.io:443",
		"http://a.test/v1":            "a.test:80",
		"https://a.test:8443":         "a.test:8443",
		"https://[::1]/v1":            "[::1]:443",
		"https://[::1]:8443/v1":       "[::1]:8443",
	} {
		if got := HostPort(mustParse(text)); got != want {
			t.Errorf("%s = %s, want %s", text, got, want)
		}
	}
}

func TestProxyAddresses(t *testing.T) {
	got := proxyAddresses(&httpproxy.Config{HTTPProxy: "proxy.corp:3128", HTTPSProxy: "https://user:pw@secure.corp"})
	want := map[string]bool{"proxy.corp:3128": true, "secure.corp:443": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"": "", "http://p": "p:80", "socks5://p": "p:1080", "http://[::1]:3128": "[::1]:3128", "http://": "", "%zz": "",
	} {
		if got := proxyAddress(text); got != want {
			t.Errorf("%q = %q, want %q", text, got, want)
		}
	}
}

// FuzzEndpoint looks for a text that leads elsewhere than to a permitted origin, or
// that other parsers could read differently.
func FuzzEndpoint(f *testing.F) {
	policy := newPolicy(f)
	permitted := map[string]bool{}
	for _, test := range goodEndpoints {
		f.Add(test.text)
		endpoint, _ := policy.Check(test.text)
		permitted[originOf(endpoint)] = true
	}
	for _, text := range badEndpoints {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		endpoint, err := policy.Check(text)
		if err != nil {
			if refused, ok := errors.AsType[*smile.HostError](err); !ok || refused.Field != "endpoint" {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if !permitted[originOf(endpoint)] {
			t.Errorf("%q leads to %s", text, originOf(endpoint))
		}
		if !strings.HasPrefix(strings.ToLower(text), endpoint.Scheme+"://") || strings.ContainsAny(text, "@\\?#% \t\r\n") {
			t.Errorf("%q passes as %s", text, endpoint)
		}
		again, err := policy.Check(endpoint.String())
		if err != nil || again.String() != endpoint.String() {
			t.Errorf("%q has the spellings %v and %v, %v", text, endpoint, again, err)
		}
	})
}
