//go:build e2e

package browsertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// quickstart is a backend and a page like the vendor's: the page requests a
// token from the backend, and the backend creates a user and expects a 201.
func quickstart(t *testing.T, box *sandbox.Server, script string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><script src="%s"></script><script>
			const calls = [];
			fetch("/api/create_link_token").then((answer) => answer.json()).then((data) => {
				const hear = (name) => (...values) => calls.push({name, values});
				new SmileLinkModal({
					userToken: data.accessToken, topProviders: data.topProviders, providers: data.providers, enableUpload: data.enableUpload,
					onAccountCreated: hear("onAccountCreated"), onAccountConnected: hear("onAccountConnected"), onClose: hear("onClose"),
				}).open();
			});
		</script>`, script)
	})
	mux.HandleFunc("GET /api/create_link_token", func(w http.ResponseWriter, r *http.Request) {
		// A trailing slash in the configured URL gives two slashes.
		request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, box.URL+"/v1//users", bytes.NewBufferString("{}"))
		if err != nil {
			t.Error(err)
			return
		}
		request.SetBasicAuth("sandbox-key", "sandbox-secret")
		request.Header = http.Header{
			"Authorization": request.Header["Authorization"], "Accept": {"application/json"},
			"Accept-Encoding": {"br, gzip, deflate"}, "Content-Type": {"application/json"},
		}
		answer, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusCreated {
			http.Error(w, string(body), http.StatusInternalServerError)
			return
		}
		made := decode[struct {
			Data struct{ Token map[string]any }
		}](t, string(body))
		made.Data.Token["topProviders"], made.Data.Token["providers"], made.Data.Token["enableUpload"] = []string{}, []string{}, false
		if err := json.NewEncoder(w).Encode(made.Data.Token); err != nil {
			t.Error(err)
		}
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	return site
}

func TestQuickstart(t *testing.T) {
	parallel(t)
	for name, script := range map[string]string{
		"the sandbox's address": vendor.URL + "/v2/smile.v2.js",
		"the vendor's address":  "https://web.smileapi.io/v2/smile.v2.js",
		"version 1":             "https://web.smileapi.io/v1/smile.v1.js",
	} {
		t.Run(name, func(t *testing.T) {
			vendor.Reset()
			p := newTab(t, desktop)
			p.do(chromedp.Navigate(quickstart(t, vendor, script).URL))
			w := &widget{p}
			w.at("This service asks to see your work and income data").press("Agree and continue")
			w.at("Where do you work?").press("SSS").at("Log in to SSS")
			w.enter("User name, e-mail or mobile number", "gpalomero1234@smileapi.io").enter("Password", "123456").press("Log in")
			w.at("Enter the code").enter("One-time code", "1234").press("Continue").at("SSS is connected").press("Done").gone()
			w.expectNames("onAccountCreated", "onAccountConnected", "onClose")
			users, err := vendor.Users("sandbox-key")
			if err != nil || len(users) != 1 || len(users[0].Providers) != 1 {
				t.Fatalf("users are %+v, error %v", users, err)
			}
			w.until(fmt.Sprintf(`(await (await fetch(%q, {headers: {Authorization: "Basic " + btoa("sandbox-key:sandbox-secret")}})).json())
				.data.session.status === "COMPLETED"`, vendor.URL+"/v1/users/"+users[0].ID))
		})
	}
}
