package server

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// fuzzForm fuzzes a form: a refused body has a reason, and an accepted one can
// be encoded and is accepted again.
func fuzzForm[T any](f *testing.F, wanted validate.Form, holds func(T) bool, seeds ...string) {
	for _, seed := range append(seeds, "", "{}", "[]", "null", `{"a":`, `{"a":1,"a":2}`) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		value, wrong := validate.ReadForm[T](body, wanted)
		if wrong != nil {
			if wrong.Field == "" || wrong.Text == "" {
				t.Errorf("refused without a reason: %+v", wrong)
			}
			return
		}
		if !holds(value) {
			t.Errorf("accepted: %+v", value)
		}
		if _, wrong := validate.ReadForm[T](wire.Encode(value), wanted); wrong != nil {
			t.Errorf("%s was accepted and is refused as %s: %+v", body, wire.Encode(value), wrong)
		}
	})
}

func short(text string, longest int) bool {
	return text != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= longest
}

func FuzzWebhookBody(f *testing.F) {
	fuzzForm(f, webhookForm(false), func(w WebhookRequest) bool {
		return short(w.Name, 200) && short(w.URL, 500) && strings.HasPrefix(strings.ToLower(w.URL), "https://") && short(w.Secret, 64) && len(w.EventTypes) > 0
	}, anyHook, edited("url", `"HTTPS://h.example"`), edited("includePayload", "null"))
}

func FuzzInviteTemplateBody(f *testing.F) {
	fuzzForm(f, inviteTemplateForm, func(r inviteTemplateRequest) bool {
		return short(r.Name, 64) && short(r.Company.LogoURL, 200) && r.Email.SendEmail && short(r.Email.Body, 5000) && short(r.SuccessPage.Button, 200)
	}, templateBody)
}

func FuzzArchiveBody(f *testing.F) {
	fuzzForm(f, archiveForm, func(r archiveRequest) bool {
		for _, file := range r.RawFiles {
			if content, err := base64.StdEncoding.DecodeString(file.Content); err != nil || len(content) == 0 {
				return false
			}
		}
		return len(r.RawFiles) > 0
	}, archiveBody("tenant-0", otherFile))
}

// FuzzLinkToken: only a token that was issued is accepted.
func FuzzLinkToken(f *testing.F) {
	s, err := New(Options{Seed: "fuzz"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	r := httptest.NewRequest(http.MethodPost, "/v1/users", nil)
	r.SetBasicAuth("sandbox-key", "sandbox-secret")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var made struct{ Data CreatedUser }
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil {
		f.Fatal(err)
	}
	genuine := made.Data.Token.AccessToken
	for _, seed := range []string{genuine, genuine + "=", "", "smile..", "smile.e30.e30", strings.ToUpper(genuine)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		claims, fault := readLinkToken(s.ids, token, s.Now())
		if fault == "" && (claims.UserID != made.Data.User.ID || !strings.HasSuffix(token, genuine)) {
			t.Errorf("%q opens the widget for %+v", token, claims)
		}
	})
}
