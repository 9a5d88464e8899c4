package server

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
)

// TestQuirksOfShape compares responses with and without a quirk that changes
// them.
func TestQuirksOfShape(t *testing.T) {
	for _, test := range []struct{ quirk, path, usual, instead string }{
		{"nulls=absent", "/v1/identities?size=1", `"referenceId":null`, ""},
		{"last-cursor=empty", "/v1/users", `"nextCursor":null`, `"nextCursor":""`},
		{"last-cursor=absent", "/v1/users", `"nextCursor":null`, ""},
		{"user-providers=empty", "/v1/users", `"providers":["sss_ph","upwork"`, `"providers":[]`},
		{"user-providers=absent", "/v1/users", `"providers":[`, ""},
		{"item-created-at=absent", "/v1/documents", `"itemCreatedAt"`, ""},
		{"eincome-amount=amount", "/v1/eincomes", `"baseAmount"`, `"amount"`},
		{"eincome-amount=base", "/v1/eincomes", `"amount"`, `"baseAmount"`},
		{"extra-fields=on", "/v1/tasks", "", `"addedLater":{"value":1}`},
		{"unknown-enums=on", "/v1/providers", "", `"subType":"ADDED_LATER"`},
		{"unknown-enums=on", "/v1/tasks", "", `"ADDED_LATER"]`},
	} {
		t.Run(test.quirk+" "+test.path, func(t *testing.T) {
			chosen, err := quirks.Parse(test.quirk)
			if err != nil {
				t.Fatal(err)
			}
			plain, odd := newBox(t, Options{}), newBox(t, Options{Quirks: chosen})
			for _, b := range []*box{plain, odd} {
				userID := b.newUser()
				for _, p := range fixtures.Linkable() {
					b.george(userID, p.ID)
				}
			}
			usual, got := plain.get(test.path).must(t, 200).text, odd.get(test.path).must(t, 200).text
			if !strings.Contains(usual, test.usual) || !strings.Contains(got, test.instead) {
				t.Errorf("without: %s\nwith: %s", usual, got)
			}
			if test.usual != "" && strings.Contains(got, test.usual) || test.instead != "" && test.usual == "" && strings.Contains(usual, test.instead) {
				t.Errorf("no difference: %s", got)
			}
		})
	}
}

func TestQuirksShapeEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{Quirks: map[string]string{"nulls": "absent", "extra-fields": "on"}}, edited("includePayload", "true"))
		b.george(b.newUser(), "sss_ph")
		synctest.Wait()
		event := m.of(t, "TASK_FINISHED")
		if event.data[quirks.AddedLaterField] == nil || strings.Contains(event.body, "null") || !strings.Contains(event.body, `"amount":2250`) {
			t.Errorf("got %s", event.body)
		}
	})
}

func TestCreatedCode(t *testing.T) {
	b := newBox(t, Options{Quirks: map[string]string{"created-code": "CREATED"}})
	if got := b.call("POST", "/v1/users", "").must(t, http.StatusCreated); got.Code != "CREATED" {
		t.Errorf("got %s", got.text)
	}
	if got := b.get("/v1/users").must(t, http.StatusOK); got.Code != "OK" {
		t.Errorf("got %s", got.text)
	}
}

func TestNewTokenVoidsFormerOnes(t *testing.T) {
	for value, status := range map[string]int{"keeps": 200, "voids": 401} {
		b := newBox(t, Options{Quirks: map[string]string{"new-token": value}})
		made := decode[CreatedUser](t, b.call("POST", "/v1/users", "").Data)
		minted := decode[linkToken](t, b.call("POST", "/v1/tokens?userId="+made.User.ID, "").must(t, 201).Data)
		opened := func(token linkToken) answer {
			return b.get("/v1/link/session", with("Authorization", "Bearer "+token.AccessToken))
		}
		opened(minted).must(t, 200)
		opened(made.Token).must(t, status)
	}
}
