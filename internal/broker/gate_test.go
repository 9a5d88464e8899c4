package broker_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/appapi/conformance"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

func TestConformance(t *testing.T) {
	s := newPageScene(t)
	reader := s.ServiceAccount("reader")
	s.grant(reader, "get", "smileusers")
	caller := s.ServiceAccount("caller")
	s.grant(caller, "create", "smileusers/token,smileusers/link")
	conformance.Run(t, conformance.Target{
		URL: s.url, Transport: http.DefaultTransport,
		Token: s.SignedToken(caller, audience), ReadOnly: s.Token(reader, audience),
		Namespace: s.Namespace, OtherNamespace: s.NewNamespace(),
		Ready: "george", NotReady: "lame", NotReadyCause: "ConnectionNotFound", Suspended: "paused",
		Widget: "wink", Page: true,
	})
}

// Nobody without the right gets a token, and a refused caller causes no call to Smile.
func TestWhoGetsAToken(t *testing.T) {
	s := newScene(t)
	other := s.NewNamespace()
	ryan := testenv.User("ryan")
	s.Create(ryan)
	s.op.Run(ryan)
	reader, one, writer := s.ServiceAccount("reader"), s.ServiceAccount("one"), s.ServiceAccount("writer")
	s.grant(reader, "get", "smileusers/token")
	s.grant(one, "create", "smileusers/token", "george")
	s.grant(writer, "create", "smileusers")
	backend := s.Token(s.backend, audience)
	mark := s.Smile.Mark()
	for name, test := range map[string]struct {
		token, namespace, user string
		status                 int
	}{
		"anonymous":                        {"", s.Namespace, "george", 401},
		"garbage":                          {"garbage", s.Namespace, "george", 401},
		"a token that is cut off":          {backend[:len(backend)-4], s.Namespace, "george", 401},
		"expired":                          {s.ExpiredToken(s.backend, audience), s.Namespace, "george", 401},
		"another audience":                 {s.Token(s.backend, "vault"), s.Namespace, "george", 401},
		"the API server's audience":        {s.Token(s.backend), s.Namespace, "george", 401},
		"another namespace":                {backend, other, "george", 403},
		"a namespace that does not exist":  {backend, "nowhere", "george", 403},
		"only get":                         {s.Token(reader, audience), s.Namespace, "george", 403},
		"only create of the object itself": {s.Token(writer, audience), s.Namespace, "george", 403},
		"another person":                   {s.Token(one, audience), s.Namespace, "ryan", 403},
		"a person that does not exist":     {s.Token(one, audience), s.Namespace, "nobody", 403},
		"nobody":                           {backend, s.Namespace, "nobody", 404},
	} {
		if got := s.mint(t, s.url, test.token, test.namespace, test.user); got.status != test.status || got.AccessToken != "" {
			t.Errorf("%s: %d %s, want %d", name, got.status, got.Reason, test.status)
		}
	}
	if calls := s.Smile.Calls(mark); calls != 0 {
		t.Errorf("refused callers caused %d calls", calls)
	}
	for _, test := range []struct{ token, user string }{
		{backend, "george"}, {backend, "ryan"}, {s.Token(one, audience), "george"}, {s.Token(one, audience, "vault"), "george"},
	} {
		if got := s.mint(t, s.url, test.token, s.Namespace, test.user); got.status != http.StatusCreated || got.AccessToken == "" {
			t.Errorf("an allowed caller: %d %s", got.status, got.Reason)
		}
	}
}

// A right that is revoked ends within 15 s, whatever is cached.
func TestARevokedRightEnds(t *testing.T) {
	s := newScene(t)
	other := s.ServiceAccount("other")
	binding := s.grant(other, "create", "smileusers/token")
	token := s.Token(other, audience)
	if got := s.mint(t, s.url, token, s.Namespace, "george"); got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.Reason)
	}
	s.Delete(binding)
	revoked := time.Now()
	pace := time.NewTicker(200 * time.Millisecond)
	defer pace.Stop()
	for s.mint(t, s.url, token, s.Namespace, "george").status != http.StatusForbidden {
		if time.Since(revoked) > 15*time.Second {
			t.Fatal("the revoked right was still in effect after 15 s")
		}
		<-pace.C
	}
}

func TestAnAPIServerThatIsAway(t *testing.T) {
	s := newScene(t)
	token := s.Token(s.backend, audience)
	away := s.serveWith(t, "https://127.0.0.1:1")
	if got := s.mint(t, away, token, s.Namespace, "george"); got.status != http.StatusServiceUnavailable || got.Reason != "AccessReviewFailed" {
		t.Errorf("%d %s", got.status, got.Reason)
	}
}
