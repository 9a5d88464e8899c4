package server

import (
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

// markedTexts returns every response that contains canaries.
func markedTexts(b *box) string {
	made := decode[CreatedUser](b.t, b.call("POST", "/v1/users", "").Data)
	texts := []string{made.Token.AccessToken}
	for _, p := range fixtures.Linkable() {
		a := b.george(made.User.ID, p.ID)
		texts = append(texts, b.get("/v1/accounts/"+a.ID+"/payload").text)
	}
	failed, _ := b.Link(LinkRequest{made.User.ID, "grab", "nobody", "", ""})
	minted := b.call("POST", "/v1/tokens?userId="+made.User.ID, "").text
	refused := b.get("/v1/users/none").text
	return strings.Join(append(texts, minted, refused, *failed.Connection.ErrorMessage), "\n")
}

// TestCanaries: every personal field, token and error contains one canary, and
// the list has all of them.
func TestCanaries(t *testing.T) {
	b := newBox(t, Options{Canary: "CNRY"})
	seen := markedTexts(b)
	canaries := decode[[]string](t, []byte(b.get("/_sandbox/canaries").must(t, 200).text))
	for _, canary := range canaries {
		if !strings.HasPrefix(canary, "CNRY-") || strings.Count(seen, canary) != 1 {
			t.Errorf("%s was seen %d times", canary, strings.Count(seen, canary))
		}
	}
	if want := strings.Count(seen, "CNRY-"); len(canaries) != want || want < 60 {
		t.Errorf("%d canaries, %d seen", len(canaries), want)
	}
	for _, field := range []string{"fullName", "lastName", "email", "phone", "fullAddress", "employer", "referenceId", "docId", "accessToken", "message", "errorMessage"} {
		if !strings.Contains(seen, "CNRY-"+field+"-") {
			t.Errorf("%s carries no canary", field)
		}
	}
	for _, kept := range []string{"George ", "gpalomero1234+CNRY-email-", "@smileapi.io\"", `"amount":222.0000,`} {
		if !strings.Contains(seen, kept) {
			t.Errorf("%s is gone", kept)
		}
	}
}

// TestCanariesSurviveAResync: old data keeps its canary, so that a test can
// distinguish it from new data.
func TestCanariesSurviveAResync(t *testing.T) {
	b := newBox(t, Options{Canary: "CNRY"})
	account := b.george(b.newUser(), "sss_ph")
	before := b.list("/v1/identities").Items[0]
	if _, err := b.Resync(account.ID); err != nil {
		t.Fatal(err)
	}
	if after := b.list("/v1/identities").Items[0]; string(after) != string(before) {
		t.Errorf("%s became %s", before, after)
	}
}

func TestNoCanariesUnasked(t *testing.T) {
	b, _ := inhabited(t)
	if got := b.Canaries(); len(got) != 0 || strings.Contains(b.get("/v1/identities?size=150").text, "CNRY") {
		t.Errorf("got %v", got)
	}
}
