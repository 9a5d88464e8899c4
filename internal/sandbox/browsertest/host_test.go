//go:build e2e

package browsertest

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// hostPage is a company's page: the vendor's script, a button and a widget that
// reports every callback with its arguments into calls.
const hostPage = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>A bank</title>
<style>* { font-family: serif !important; color: hotpink } button { padding: 40px } dialog, div { border: 9px solid lime }
body { margin: 0; background: linear-gradient(#e8eef7, #cfdaea); min-height: 150vh }</style>
<script src="%[1]s"></script></head>
<body><h1>A bank</h1><button id="start">Connect</button>
<script>
const calls = [];
const callbacks = {};
for (const name of ["onAccountCreated", "onAccountConnected", "onAccountRemoved", "onAccountError", "onTokenExpired",
  "onClose", "onUploadsCreated", "onUploadsRemoved", "onUIEvent"]) {
  callbacks[name] = (...values) => { calls.push({name, values}); };
}
document.querySelector("#start").onclick = () => new SmileLinkModal({...%[2]s, ...callbacks}).open();
addEventListener("message", async ({data}) => parent.postMessage({answer: data.ask, value: await eval(data.expression)}, "*"));
document.querySelector("#start").focus();
document.querySelector("#start").click();
</script></body></html>`

// options of the widget, as a host page sets them.
type options map[string]any

// company is a sandbox, a user there and a page of another origin that opens
// the widget for the user.
type company struct {
	t      *testing.T
	box    *sandbox.Server
	userID string
	token  string
}

func newCompany(t *testing.T, how sandbox.Options) *company {
	t.Helper()
	box, err := sandbox.Start(how)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Close)
	c := &company{t: t, box: box}
	c.userID, c.token = c.newUser()
	return c
}

// post calls the Open API as the company's backend.
func (c *company) post(path, body string) string {
	c.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.SetBasicAuth("sandbox-key", "sandbox-secret")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	c.box.ServeHTTP(w, r)
	if w.Code >= http.StatusBadRequest {
		c.t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func (c *company) newUser() (userID, token string) {
	c.t.Helper()
	made := decode[struct {
		Data struct {
			User  struct{ ID string }
			Token struct{ AccessToken string }
		}
	}](c.t, c.post("/v1/users", "{}"))
	return made.Data.User.ID, made.Data.Token.AccessToken
}

// page is the company's page with these options of the widget.
func (c *company) page(set options) string {
	given := options{"userToken": c.token}
	maps.Copy(given, set)
	text, err := json.Marshal(given)
	if err != nil {
		c.t.Fatal(err)
	}
	return fmt.Sprintf(hostPage, c.box.URL+"/v2/smile.v2.js", text)
}

// openWidget opens the company's page, with the strictest policy that allows its
// own script.
func (c *company) openWidget(s screen, set options) *widget {
	c.t.Helper()
	policy := "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' " + c.box.URL +
		"; connect-src " + c.box.URL + "; require-trusted-types-for 'script'"
	return c.open(s, c.page(set), policy)
}

// openFramed opens a page that shows the company's page in a frame without an
// origin. The returned widget is inside that frame.
func (c *company) openFramed(s screen, set options) *widget {
	c.t.Helper()
	page := `<!DOCTYPE html><meta name="viewport" content="width=device-width"><body style="margin:0"><iframe title="Wink"
		style="border:0;width:100%;height:100vh;display:block" sandbox="allow-scripts allow-popups allow-forms" srcdoc="` +
		html.EscapeString(c.page(set)) + `"></iframe>`
	w := c.open(s, page, "")
	w.within = func(expression string) string {
		return fmt.Sprintf(`new Promise((resolve) => {
			const ask = Math.random();
			addEventListener("message", ({data}) => { if (data.answer === ask) resolve(data.value); });
			document.querySelector("iframe").contentWindow.postMessage({ask, expression: %q}, "*");
		})`, expression)
	}
	return w
}

func (c *company) open(s screen, page, policy string) *widget {
	c.t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		fmt.Fprint(w, page)
	}))
	c.t.Cleanup(site.Close)
	p := newTab(c.t, s)
	p.do(chromedp.Navigate(site.URL))
	return &widget{p}
}

// accounts is what the backend sees of the user.
func (c *company) accounts() []sandbox.Account {
	c.t.Helper()
	return rows[sandbox.Account](c, "/v1/accounts?userId="+c.userID)
}

// rows lists objects as the company's backend does.
func rows[T any](c *company, path string) []T {
	c.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.SetBasicAuth("sandbox-key", "sandbox-secret")
	w := httptest.NewRecorder()
	c.box.ServeHTTP(w, r)
	return decode[struct {
		Data struct{ Items []T }
	}](c.t, w.Body.String()).Data.Items
}
