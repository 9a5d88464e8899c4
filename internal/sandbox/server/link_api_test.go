package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// newcomer creates a user and returns the id and a link token.
func (b *box) newcomer(edits ...edit) (userID, token string) {
	b.t.Helper()
	made := decode[CreatedUser](b.t, b.call(http.MethodPost, "/v1/users", "", edits...).must(b.t, http.StatusCreated).Data)
	return made.User.ID, made.Token.AccessToken
}

func bearer(token string) edit { return with("Authorization", "Bearer "+token) }

// reason is why a link token was refused.
func (a answer) reason(t *testing.T) tokenFault {
	t.Helper()
	return decode[struct{ Reason tokenFault }](t, a.Data).Reason
}

func TestLinkTokensAreRefusedAsWhatTheyAre(t *testing.T) {
	b := newBox(t, Options{Canary: "CANARY.1", Keys: []KeyPair{{Key: "sandbox-key", Secret: "sandbox-secret"}}})
	_, good := b.newcomer()
	parts := strings.Split(good, ".")
	tampered := strings.Join(append(parts[:len(parts)-2:len(parts)-2], "e30", parts[len(parts)-1]), ".")
	signed := func(body string) string { return "smile." + body + "." + b.ids.Sign(body) }

	elsewhere := newBox(t, Options{Keys: []KeyPair{{Key: "other-key", Secret: "s"}}})
	_, foreign := elsewhere.newcomer(as("other-key", "s")) // the same seed signs both
	for name, c := range map[string]struct {
		header string
		want   tokenFault
	}{
		"absent":          {"", tokenAbsent},
		"basic":           {"Basic c2FuZGJveC1rZXk6c2FuZGJveC1zZWNyZXQ=", tokenAbsent},
		"empty":           {"Bearer ", tokenAbsent},
		"no token at all": {"Bearer hello", tokenMalformed},
		"too short":       {"Bearer smile.e30", tokenMalformed},
		"other signature": {"Bearer " + good + "x", tokenForged},
		"other claims":    {"Bearer " + tampered, tokenForged},
		"signed nonsense": {"Bearer " + signed("!!!"), tokenMalformed},
		"signed list":     {"Bearer " + signed("W10"), tokenMalformed},
		"another tenant":  {"Bearer " + foreign, tokenForeign},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			got := b.get("/v1/link/session", with("Authorization", c.header)).must(t, http.StatusUnauthorized)
			if got.Code != "INVALID_TOKEN" || got.reason(t) != c.want {
				t.Errorf("answered %s, want reason %s", got.text, c.want)
			}
		})
	}
	b.t = t
	b.get("/v1/link/session", bearer(good)).must(t, http.StatusOK)
	b.wall.advance(tokenLife)
	if got := b.get("/v1/link/session", bearer(good)).must(t, http.StatusUnauthorized); got.reason(t) != tokenExpired {
		t.Errorf("an expired token is answered with %s", got.text)
	}
}

func TestLinkTokenOfNobody(t *testing.T) {
	b := newBox(t, Options{})
	_, token := b.newcomer()
	b.Reset()
	b.get("/v1/link/session", bearer(token)).must(t, http.StatusForbidden)
}

func TestLinkSession(t *testing.T) {
	b := newBox(t, Options{Keys: []KeyPair{{Key: "sandbox-key", Secret: "sandbox-secret"}, {"live-key", "s", ModeProduction}}})
	userID, token := b.newcomer()
	gone := b.george(userID, "grab")
	kept := b.george(userID, "upwork")
	if _, err := b.Disconnect(gone.ID); err != nil {
		t.Fatal(err)
	}
	b.wall.advance(time.Hour)
	session := decode[linkSession](t, b.get("/v1/link/session", bearer(token)).must(t, http.StatusOK).Data)
	if session.UserID != userID || session.Mode != ModeSandbox || session.ExpiresIn != 4*60*60 || len(session.TestPeople) != 4+len(fixtures.Troubles) {
		t.Errorf("session is %+v", session)
	}
	if len(session.Accounts) != 1 || session.Accounts[0].ID != kept.ID {
		t.Errorf("accounts are %+v, want %s alone", session.Accounts, kept.ID)
	}
	_, live := b.newcomer(as("live-key", "s"))
	session = decode[linkSession](t, b.get("/v1/link/session", bearer(live)).must(t, http.StatusOK).Data)
	if session.Mode != ModeProduction || len(session.TestPeople) != 0 {
		t.Errorf("in production the session is %+v", session)
	}
}

func TestLinkProvidersSayHowToLogIn(t *testing.T) {
	b := newBox(t, Options{})
	_, token := b.newcomer()
	asked := map[string][]string{}
	for _, row := range decode[rows](t, b.get("/v1/link/providers", bearer(token)).must(t, http.StatusOK).Data).Items {
		p := decode[linkProvider](t, row)
		for _, o := range p.LoginOptions {
			asked[p.ID] = append(asked[p.ID], o.ID)
		}
	}
	if len(asked) != len(fixtures.Providers) {
		t.Errorf("%d providers, want %d", len(asked), len(fixtures.Providers))
	}
	want := map[string][]string{"grab": {"phone", "email"}, "sss_ph": {"any"}}
	if diff := cmp.Diff(want, map[string][]string{"grab": asked["grab"], "sss_ph": asked["sss_ph"]}); diff != "" {
		t.Error(diff)
	}
}

// logIn sends a login through the Link API.
func (b *box) logIn(token, providerID, login, password string) answer {
	b.t.Helper()
	body := string(wire.Encode(map[string]string{"providerId": providerID, "login": login, "password": password}))
	return b.call(http.MethodPost, "/v1/link/accounts", body, bearer(token))
}

func (b *box) sendCode(token, accountID, code string) answer {
	b.t.Helper()
	return b.call(http.MethodPost, "/v1/link/accounts/"+accountID+"/mfa", string(wire.Encode(map[string]string{"code": code})), bearer(token))
}

func TestLinkThroughTheLinkAPI(t *testing.T) {
	b := newBox(t, Options{LinkDelay: time.Second})
	userID, token := b.newcomer()
	made := decode[Account](t, b.logIn(token, "sss_ph", "George", "123456").must(t, http.StatusOK).Data)
	if made.UserID != userID || made.ConnectionStatus != Pending {
		t.Fatalf("the login made %+v", made)
	}
	read := func() Account {
		b.wall.advance(time.Second)
		return decode[Account](t, b.get("/v1/link/accounts/"+made.ID, bearer(token)).must(t, http.StatusOK).Data)
	}
	if got := read().ConnectionStatus; got != AwaitingMFA {
		t.Fatalf("after the login the account is %s", got)
	}
	b.sendCode(token, made.ID, "1234").must(t, http.StatusOK)
	if got := read().ConnectionStatus; got != Connected {
		t.Fatalf("after the code the account is %s", got)
	}
	b.sendCode(token, made.ID, "1234").must(t, http.StatusBadRequest)
	b.call(http.MethodDelete, "/v1/link/accounts/"+made.ID, "", bearer(token)).must(t, http.StatusOK)
	b.call(http.MethodDelete, "/v1/link/accounts/"+made.ID, "", bearer(token)).must(t, http.StatusNotFound)
	if got := decode[Account](t, b.get("/v1/accounts/"+made.ID).must(t, http.StatusOK).Data); got.ConnectionStatus != Disconnected {
		t.Errorf("after the revocation the account is %s", got.ConnectionStatus)
	}
}

func TestUploadThroughTheLinkAPI(t *testing.T) {
	b := newBox(t, Options{})
	userID, token := b.newcomer()
	_, stranger := b.newcomer()
	upload := func(fileType, content string) answer {
		return b.call(http.MethodPost, "/v1/link/archives", string(wire.Encode(map[string]any{
			"fileType": fileType, "rawFiles": []any{map[string]string{"fileContent": content, "fileExtensionType": "PDF", "fileName": "payslip.pdf"}},
		})), bearer(token))
	}
	if got := len(decode[rows](t, b.get("/v1/link/fileTypes", bearer(token)).must(t, http.StatusOK).Data).Items); got != len(fixtures.FileTypes) {
		t.Errorf("%d file types, want %d", got, len(fixtures.FileTypes))
	}
	made := decode[archiveWire](t, upload("PAYSLIP", sampleFile).must(t, http.StatusOK).Data)
	if made.UserID != userID || made.ProviderID != userProvided || made.State.Status != analyzed {
		t.Errorf("the upload made %+v", made)
	}
	upload("HOLIDAY_PICTURE", sampleFile).must(t, http.StatusBadRequest)
	upload("PAYSLIP", "").must(t, http.StatusBadRequest)
	uploads := func() []archiveWire {
		return decode[linkSession](t, b.get("/v1/link/session", bearer(token)).must(t, http.StatusOK).Data).Archives
	}
	if got := uploads(); len(got) != 1 || got[0].ID != made.ID {
		t.Errorf("uploads are %+v", got)
	}
	b.call(http.MethodDelete, "/v1/link/archives/"+made.ID, "", bearer(stranger)).must(t, http.StatusForbidden)
	b.call(http.MethodDelete, "/v1/link/archives/"+made.ID, "", bearer(token)).must(t, http.StatusOK)
	b.call(http.MethodDelete, "/v1/link/archives/"+made.ID, "", bearer(token)).must(t, http.StatusNotFound)
	if got := uploads(); len(got) != 0 {
		t.Errorf("after the revocation uploads are %+v", got)
	}
}

func TestDoneCompletesTheSession(t *testing.T) {
	b := newBox(t, Options{})
	userID, token := b.newcomer()
	b.call(http.MethodPost, "/v1/link/session/complete", "", bearer(token)).must(t, http.StatusOK)
	if got := decode[User](t, b.get("/v1/users/"+userID).must(t, http.StatusOK).Data).Session.Status; got != completed {
		t.Errorf("the session is %s", got)
	}
}

func TestLinkAPIRefusals(t *testing.T) {
	b := newBox(t, Options{})
	_, mine := b.newcomer()
	other, _ := b.newcomer()
	theirs := b.george(other, "sss_ph").ID
	long := strings.Repeat("x", maxLoginLength+1)
	for name, c := range map[string]struct {
		got  answer
		want int
	}{
		"unknown provider":       {b.logIn(mine, "nowhere", "George", "123456"), http.StatusNotFound},
		"provider without login": {b.logIn(mine, "abccorp", "George", "123456"), http.StatusForbidden},
		"no login":               {b.logIn(mine, "sss_ph", "", "123456"), http.StatusBadRequest},
		"long login":             {b.logIn(mine, "sss_ph", long, "123456"), http.StatusBadRequest},
		"long password":          {b.logIn(mine, "sss_ph", "George", long), http.StatusBadRequest},
		"nameless employer":      {b.call(http.MethodPost, "/v1/link/employerSurveys", `{"employer":""}`, bearer(mine)), http.StatusBadRequest},
		"named employer":         {b.call(http.MethodPost, "/v1/link/employerSurveys", `{"employer":"Acme"}`, bearer(mine)), http.StatusOK},
		"no JSON":                {b.call(http.MethodPost, "/v1/link/accounts", "{", bearer(mine)), http.StatusBadRequest},
		"wrong media type":       {b.call(http.MethodPost, "/v1/link/accounts", "{}", bearer(mine), with("Content-Type", "text/plain")), http.StatusUnsupportedMediaType},
		"somebody else's":        {b.get("/v1/link/accounts/"+theirs, bearer(mine)), http.StatusForbidden},
		"revoke somebody else's": {b.call(http.MethodDelete, "/v1/link/accounts/"+theirs, "", bearer(mine)), http.StatusForbidden},
		"code for somebody else": {b.sendCode(mine, theirs, "1234"), http.StatusForbidden},
		"unknown account":        {b.get("/v1/link/accounts/a-1", bearer(mine)), http.StatusNotFound},
		"unknown path":           {b.get("/v1/link/nothing", bearer(mine)), http.StatusNotFound},
		"method not supported":   {b.call(http.MethodPut, "/v1/link/session", "{}", bearer(mine)), http.StatusNotImplemented},
	} {
		if c.got.status != c.want {
			t.Errorf("%s: status %d, want %d: %s", name, c.got.status, c.want, c.got.text)
		}
	}
	wrong := decode[Account](t, b.logIn(mine, "sss_ph", "George", "wrong").must(t, http.StatusOK).Data)
	if wrong.ConnectionStatus != Failed || *wrong.Connection.ErrorCode != "INVALID_CREDENTIALS" {
		t.Errorf("a wrong password makes %+v", wrong)
	}
}

// TestLinkAPIIsNotLimitedAndSuffersFaults: the widget runs in users' browsers,
// so its calls must not count against a backend's limit.
func TestLinkAPIIsNotLimitedAndSuffersFaults(t *testing.T) {
	b := newBox(t, Options{RateLimit: 1})
	_, token := b.newcomer()
	for range 30 {
		b.get("/v1/link/session", bearer(token)).must(t, http.StatusOK)
	}
	stats := b.Stats()
	if stats.PeakRPS != 1 || stats.Requests["link-get-session"][http.StatusOK] != 30 {
		t.Errorf("stats are %+v", stats)
	}
	if err := b.SetFaults([]Fault{{Operation: "link-list-providers", Action: "status:503"}}); err != nil {
		t.Fatal(err)
	}
	b.get("/v1/link/providers", bearer(token)).must(t, http.StatusServiceUnavailable)
	b.get("/v1/link/providers", bearer(token)).must(t, http.StatusOK)
}
