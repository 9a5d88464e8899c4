package conformance

import (
	"context"
	"net/http"
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
		if err != nil || got.ApplicationproblemJSON403 == nil || got.ApplicationproblemJSON403.Reason != "Forbidden" {
			t.Errorf("%v: %+v", err, got)
		}
	})
}

func (s *suite) mintsByClient(t *testing.T, c *client.ClientWithResponses) {
	consent, purpose := "consent-1", "verification"
	params := &client.CreateLinkTokenParams{Widget: &s.Widget, SmileConsentRef: &consent, SmilePurpose: &purpose}
	got, err := c.CreateLinkTokenWithResponse(t.Context(), s.Namespace, s.Ready, params)
	if err != nil || got.JSON201 == nil {
		t.Fatalf("%v: %s", err, got.Status())
	}
	token := got.JSON201
	if token.AccessToken == "" || token.ExpiresAt.IsZero() || token.UserId == "" || token.ApiHost == "" || token.ScriptUrl == "" ||
		!token.Mode.Valid() || token.TemplateId == nil || token.Options == nil {
		t.Error("the response lacks a value")
	}
	got, err = c.CreateLinkTokenWithResponse(t.Context(), s.Namespace, "no-such-user", params)
	if err != nil || got.ApplicationproblemJSON404 == nil || got.ApplicationproblemJSON404.Reason != "UserNotFound" {
		t.Errorf("%v: %s", err, got.Status())
	}
}

func (s *suite) linksByClient(t *testing.T, c *client.ClientWithResponses) {
	short := "1s"
	got, err := c.CreateLinkWithResponse(t.Context(), s.Namespace, s.Ready, nil, client.LinkRequest{Widget: s.Widget, ExpiresIn: &short})
	if err != nil || got.ApplicationproblemJSON400 == nil || got.ApplicationproblemJSON400.Field == nil ||
		*got.ApplicationproblemJSON400.Field != "expiresIn" {
		t.Errorf("%v: %s", err, got.Status())
	}
	got, err = c.CreateLinkWithResponse(t.Context(), s.Namespace, s.Ready, nil, client.LinkRequest{Widget: s.Widget})
	switch {
	case err != nil:
		t.Error(err)
	case s.Page && (got.JSON201 == nil || got.JSON201.Url == "" || got.JSON201.ExpiresAt.IsZero()):
		t.Errorf("no link: %s", got.Status())
	case !s.Page && (got.ApplicationproblemJSON409 == nil || got.ApplicationproblemJSON409.Reason != "PageNotServed"):
		t.Errorf("no page, and %s", got.Status())
	}
}
