package conformance

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/smile-operator/smile-operator/internal/appapi/conformance/client"
)

// sender sends the requests of the generated client.
type sender struct{ *suite }

func (s sender) Do(r *http.Request) (*http.Response, error) {
	if err := s.pace.Wait(r.Context()); err != nil {
		return nil, err
	}
	return s.Transport.RoundTrip(r)
}

// generated makes each call with a client that is generated from the document that we ship (make generate).
func (s *suite) generated(t *testing.T) {
	as := func(token string) *client.ClientWithResponses {
		made, err := client.NewClientWithResponses(s.URL, client.WithHTTPClient(sender{s}),
			client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
				r.Header.Set("Authorization", "Bearer "+token)
				return nil
			}))
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	t.Run("token", func(t *testing.T) { s.mintsByClient(t, as(s.Token)) })
	t.Run("link", func(t *testing.T) { s.linksByClient(t, as(s.Token)) })
	t.Run("a caller without", func(t *testing.T) {
		got, err := as(s.ReadOnly).CreateLinkTokenWithResponse(t.Context(), s.Namespace, s.Ready, nil)
		if err != nil || reasonOf(got.ApplicationproblemJSON403) != "Forbidden" {
			t.Errorf("%v: %s", err, got.Status())
		}
	})
}

// reasonOf is the reason of a problem; empty if the response was none of the status.
func reasonOf(p *client.Problem) string {
	if p == nil {
		return ""
	}
	return p.Reason
}

func (s *suite) mintsByClient(t *testing.T, c *client.ClientWithResponses) {
	consent, purpose := "consent-1", "verification"
	params := &client.CreateLinkTokenParams{Widget: &s.Widget, SmileConsentRef: &consent, SmilePurpose: &purpose}
	got, err := c.CreateLinkTokenWithResponse(t.Context(), s.Namespace, s.Ready, params)
	if err != nil || got.JSON201 == nil {
		t.Fatalf("%v: %s", err, got.Status())
	}
	token := got.JSON201
	if slices.Contains([]string{token.AccessToken, token.UserId, token.ApiHost, token.ScriptUrl}, "") || token.ExpiresAt.IsZero() {
		t.Error("the response lacks a value")
	}
	if !token.Mode.Valid() || token.TemplateId == nil || token.Options == nil {
		t.Errorf("mode %s, templateId %v, options %v", token.Mode, token.TemplateId, token.Options)
	}
	got, err = c.CreateLinkTokenWithResponse(t.Context(), s.Namespace, "no-such-user", params)
	if err != nil || reasonOf(got.ApplicationproblemJSON404) != "UserNotFound" {
		t.Errorf("%v: %s", err, got.Status())
	}
}

func (s *suite) linksByClient(t *testing.T, c *client.ClientWithResponses) {
	short := "1s"
	request := client.LinkRequest{Widget: s.Widget, ExpiresIn: &short}
	got, err := c.CreateLinkWithResponse(t.Context(), s.Namespace, s.Ready, nil, request)
	if err != nil || reasonOf(got.ApplicationproblemJSON400) != "InvalidBody" {
		t.Errorf("%v: %s", err, got.Status())
	}
	request.ExpiresIn = nil
	if got, err = c.CreateLinkWithResponse(t.Context(), s.Namespace, s.Ready, nil, request); err != nil {
		t.Fatal(err)
	}
	if !s.Page {
		if reasonOf(got.ApplicationproblemJSON409) != "PageNotServed" {
			t.Errorf("no page, and %s", got.Status())
		}
		return
	}
	if link := got.JSON201; link == nil || link.Url == "" || link.ExpiresAt.IsZero() {
		t.Errorf("no link: %s", got.Status())
	}
}
