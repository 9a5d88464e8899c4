package conformance

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// token is what CreateLinkToken returns.
type token struct {
	AccessToken, Mode, UserID, APIHost, ScriptURL, TemplateID string

	Options   map[string]any
	ExpiresAt time.Time
}

func (s *suite) mints(t *testing.T) {
	seen := map[string]bool{}
	for _, body := range []string{"", "{}"} {
		q := s.valid(s.tokens())
		q.body = body
		q.header.Set("Content-Type", "application/json")
		q.header.Set("Smile-Consent-Ref", "consent-1")
		q.header.Set("Smile-Purpose", "verification")
		got := s.minted(t, q)
		if seen[got.AccessToken] {
			t.Error("two calls gave the same token")
		}
		seen[got.AccessToken] = true
		if got.TemplateID != "" || got.Options != nil {
			t.Error("the response has a widget's part, and the request names no widget")
		}
	}
}

func (s *suite) mintsForWidget(t *testing.T) {
	q := s.valid(s.tokens())
	q.path += "?widget=" + s.Widget
	if got := s.minted(t, q); got.TemplateID == "" || len(got.Options) == 0 {
		t.Errorf("the response lacks the widget's part: templateId %q, options %v", got.TemplateID, got.Options)
	}
}

// minted sends a request that must give a token.
func (s *suite) minted(t *testing.T, q request) token {
	t.Helper()
	status, _, text := s.do(t, q)
	var got token
	if err := json.Unmarshal(text, &got); err != nil || status != http.StatusCreated {
		t.Fatalf("%d, %d bytes: %v", status, len(text), err)
	}
	if got.AccessToken == "" || got.UserID == "" || got.APIHost == "" || got.ScriptURL == "" || got.ExpiresAt.IsZero() {
		t.Errorf("the response lacks a value: %d bytes", len(text))
	}
	return got
}

func (s *suite) links(t *testing.T) {
	q := s.valid(s.pages())
	if !s.Page {
		s.fails(t, q, http.StatusConflict, "PageNotServed")
		return
	}
	pages := map[string]string{}
	for _, expiresIn := range []string{"1m", "24h"} {
		q.body = `{"widget":"` + s.Widget + `","expiresIn":"` + expiresIn + `"}`
		status, _, text := s.do(t, q)
		var link struct {
			URL       string
			ExpiresAt time.Time
		}
		if err := json.Unmarshal(text, &link); err != nil || status != http.StatusCreated {
			t.Fatalf("%d, %d bytes: %v", status, len(text), err)
		}
		page, code, _ := strings.Cut(link.URL, "#")
		if code == "" || pages[code] != "" || link.ExpiresAt.IsZero() {
			t.Errorf("the link to %s has no code of its own, or no end: %s", page, link.ExpiresAt)
		}
		pages[code] = page
		if strings.Contains(page, s.Ready) || !strings.HasSuffix(page, "/"+s.Namespace+"/"+s.Widget) {
			t.Errorf("the page is %s", page)
		}
	}
}
