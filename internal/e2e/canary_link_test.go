//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// opener is a backend that asks for tokens and links, and a browser that opens a link.
type opener struct {
	e       *environment
	backend *backend
	page    string
	// private must be found nowhere but where it was asked for; public is what everybody may get.
	private []string
	public  bytes.Buffer
}

func (e *environment) opener(b *backend) *opener {
	e.t.Helper()
	return &opener{e: e, backend: b, page: freeAddress(e.t)}
}

// flags with which an operator serves the page.
func (o *opener) flags() []string {
	return []string{"--wink-bind-address=" + o.page, "--wink-base-url=http://" + o.page}
}

// open gets, at the address of the API, a token and a link of a user, opens the link, fails to open it again, and remembers
// what is private.
func (o *opener) open(api, user string) {
	o.e.t.Helper()
	widget := &v1alpha1.SmileWinkWidget{ObjectMeta: o.e.named("wink")}
	widget.Spec.ConnectionRef.Name = "smile"
	widget.Spec.Page = &v1alpha1.WidgetPage{}
	o.e.create(widget)
	o.e.becomes(widget, "True/Succeeded", time.Minute)
	calls := "https://" + api + "/v1/namespaces/" + o.e.namespace + "/smileusers/" + user
	var token struct{ AccessToken string }
	o.send(o.backend.transport, calls+"/token", "", http.StatusCreated, &token)
	var link struct{ URL string }
	o.send(o.backend.transport, calls+"/link", `{"widget":"wink"}`, http.StatusCreated, &link)
	page, code, _ := strings.Cut(link.URL, "#")
	var opened struct{ AccessToken string }
	tab := strings.Repeat("canaryTab", 5)[:43]
	body := fmt.Sprintf(`{"code":%q,"tab":%q}`, code, tab)
	o.send(http.DefaultTransport, page+"/open", body, http.StatusOK, &opened)
	o.send(http.DefaultTransport, page+"/open", strings.Replace(body, "canaryTab", "anotherTb", 1), http.StatusGone, nil)
	o.send(http.DefaultTransport, page+"/open", `{"code":"`+canary+`","tab":"`+tab+`"}`, http.StatusBadRequest, nil)
	if !strings.Contains(token.AccessToken, canary) || !strings.Contains(opened.AccessToken, canary) || code == "" {
		o.e.t.Errorf("nothing to search for: %d, %d and %d characters", len(token.AccessToken), len(opened.AccessToken), len(code))
	}
	answer, err := http.Get(page)
	if err != nil {
		o.e.t.Fatal(err)
	}
	defer answer.Body.Close()
	_ = answer.Header.Write(&o.public)
	_, _ = io.Copy(&o.public, answer.Body)
	o.private = append(o.private, code, code[strings.LastIndex(code, ".")+1:], tab, o.backend.token)
}

func (o *opener) send(transport http.RoundTripper, url, body string, want int, into any) {
	o.e.t.Helper()
	request, err := http.NewRequestWithContext(o.e.t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		o.e.t.Fatal(err)
	}
	if strings.HasPrefix(url, "https://") {
		request.Header.Set("Authorization", "Bearer "+o.backend.token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		o.e.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != want {
		o.e.t.Fatalf("%s: %d %s, %v", url, answer.StatusCode, text, err)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			o.e.t.Fatal(err)
		}
	}
}
