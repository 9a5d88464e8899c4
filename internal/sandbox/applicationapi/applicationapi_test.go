package applicationapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/internal/appapi/conformance"
	"github.com/smile-operator/smile-operator/internal/sandbox/applicationapi"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

func serve(t *testing.T) (box *server.Sandbox, api *httptest.Server) {
	t.Helper()
	keys, err := server.ParseKeys(server.DefaultKeys)
	if err != nil {
		t.Fatal(err)
	}
	if box, err = server.New(server.Options{Keys: keys}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Close)
	sandbox := httptest.NewServer(box)
	t.Cleanup(sandbox.Close)
	api = httptest.NewServer(applicationapi.NewHandler(applicationapi.Config{
		Sandbox: box, Key: keys[0].Key, URL: sandbox.URL, Failed: func(err error) { t.Error(err) },
	}))
	t.Cleanup(api.Close)
	return box, api
}

// The operator passes the same suite: internal/broker.
func TestConformance(t *testing.T) {
	_, api := serve(t)
	conformance.Run(t, conformance.Target{
		URL: api.URL, Transport: http.DefaultTransport,
		Token: applicationapi.Token, ReadOnly: applicationapi.ReaderToken,
		Namespace: applicationapi.Namespace, OtherNamespace: "other",
		Ready: "george", NotReady: applicationapi.NotReady, NotReadyCause: "ConnectionNotReady", Suspended: applicationapi.Suspended,
		Widget: applicationapi.Widget,
	})
}

// The token is one of the sandbox's: the widget works with it. Each name is one user.
func TestTheTokenOpensTheWidget(t *testing.T) {
	box, api := serve(t)
	ids := map[string]bool{}
	for _, name := range append(applicationapi.Users(), applicationapi.Users()...) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api.URL+"/v1/namespaces/default/smileusers/"+name+"/token", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+applicationapi.Token)
		var token struct{ AccessToken, UserID, APIHost, ScriptURL string }
		read(t, r, http.StatusCreated, &token)
		ids[token.UserID] = true

		r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, token.APIHost+"/link/session", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token.AccessToken)
		read(t, r, http.StatusOK, nil)
		if r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, token.ScriptURL, http.NoBody); err != nil {
			t.Fatal(err)
		}
		read(t, r, http.StatusOK, nil)
	}
	keys, _ := server.ParseKeys(server.DefaultKeys)
	users, err := box.Users(keys[0].Key)
	if err != nil || len(users) != len(applicationapi.Users()) || len(ids) != len(users) {
		t.Errorf("%d users, %d ids: %v", len(users), len(ids), err)
	}
}

// read sends a request and decodes the response, which must have the status.
func read(t *testing.T, r *http.Request, status int, into any) {
	t.Helper()
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		t.Fatalf("%s %s: %d", r.Method, strings.SplitN(r.URL.Path, "?", 2)[0], response.StatusCode)
	}
	if into == nil {
		return
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}
