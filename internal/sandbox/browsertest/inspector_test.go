//go:build e2e

package browsertest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

// receiver is a webhook that counts what it gets, by signature.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, request.Header.Get("Smile-Signature"))
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) signatures() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.got...)
}

const dialog = `document.querySelector("#inspector")`

// inspected waits for the inspector to show a text.
func (p *tab) inspected(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.until(fmt.Sprintf(`%s.open && %s.innerText.includes(%q)`, dialog, dialog, text))
	}
}

// openPage opens the overview page.
func (c *company) openPage(s screen, theme string) *tab {
	c.t.Helper()
	p := newTab(c.t, s)
	p.theme(theme)
	p.do(chromedp.Navigate(c.box.URL))
	p.until(`document.querySelector("#ways").children.length > 0`)
	return p
}

// narrow fails if the page is wider than the window.
func (p *tab) narrow() {
	p.t.Helper()
	if got := evaluate[bool](p, `document.documentElement.scrollWidth <= innerWidth`); !got {
		p.t.Error("the page is wider than the window")
	}
}

// TestInspector: the page shows a call, a delivery and a user, on every screen
// and in both themes.
func TestInspector(t *testing.T) {
	parallel(t)
	for _, s := range screens {
		for _, theme := range themes {
			t.Run(s.name+" "+theme, func(t *testing.T) { inspectEverything(t, s, theme) })
		}
	}
}

func inspectEverything(t *testing.T, s screen, theme string) {
	hooks := newReceiver(t)
	c := newCompany(t, sandbox.Options{AllowHTTPWebhooks: true, JournalBodies: 1 << 20})
	c.post("/v1/webhooks", fmt.Sprintf(`{"name":"app","url":%q,"eventTypes":["ALL_EVENTS"],"active":true,"secret":"hush"}`, hooks.URL+"/smile"))
	c.post("/v1/users", `{"externalMetadata":{"customer":"alice"}}`)
	if _, err := c.box.Link(sandbox.LinkRequest{UserID: c.userID, ProviderID: "sss_ph", Login: "George", Password: "123456", MFA: "1234"}); err != nil {
		t.Fatal(err)
	}
	c.upload()
	p := c.openPage(s, theme)

	p.clickLine("#journal", "create-webhook")
	p.inspected("POST /v1/webhooks", "•••", "Authorization: Basic •••", "SMILE_SECRET")
	if text := evaluate[string](p, dialog+`.innerText`); strings.Contains(text, "hush") {
		t.Error("a secret is shown before the reader requested it")
	}
	p.picture("30-inspect-call")
	p.accessible("a call", everything)
	p.clickText("Show secrets")
	p.inspected(`"secret": "hush"`)
	p.clickText("Close")

	p.clickLine("#deliveries", "ACCOUNT_CONNECTED")
	p.inspected("Event", `"type": "ACCOUNT_CONNECTED"`, "Smile-Signature", "Attempt 1", "200 after")
	p.picture("31-inspect-delivery")
	p.accessible("a delivery", everything)
	before := hooks.signatures()
	p.clickText("Resend")
	p.inspected("sent again")
	p.until(`(await (await fetch("/_sandbox/deliveries?since=0")).text()).trim().split("\n").map((line) => JSON.parse(line)).at(-1).state === "DELIVERED"`)
	after := hooks.signatures()
	if len(after) != len(before)+1 || !slices.Contains(before, after[len(after)-1]) {
		t.Errorf("after a resend the webhook has %d events, before %d", len(after), len(before))
	}
	p.clickText("Close")

	p.click("#users .person:last-child button[data-at^=details]")
	p.inspected("User "+c.userID, "sss_ph", "contributions", "PAYSLIP", "payslip.pdf", "link account")
	p.picture("32-inspect-user")
	p.accessible("a user", everything)
	p.clickText("Calls")
	p.until(`!` + dialog + `.open && document.querySelectorAll("#journal .line").length === 2`)

	p.searchList("#j-find", "webhooks", `document.querySelectorAll("#journal .line").length === 1`)
	p.searchList("#j-find", "nothing", `document.querySelector("#journal").textContent === "No such calls."`)
	p.searchList("#d-find", "TASK_FINISHED", `document.querySelectorAll("#deliveries .line").length === 2`)
	for _, card := range []string{"people", "quirks", "mails"} {
		p.click("#" + card + "-card summary")
	}
	p.until(`document.querySelector("#quirks").innerText.includes("wrong-code") && document.querySelector("#people").innerText.includes("George")`)
	p.click("#hook-fault button")
	p.until(`document.querySelector("#hook-faults").textContent === "* duplicate:2, 1 event from number 1"`)
	p.narrow()
	p.picture("33-page")
	p.accessible("the page", everything)
}

// upload uploads the sample payslip for the user.
func (c *company) upload() {
	c.t.Helper()
	c.post("/v1/archives", fmt.Sprintf(`{"userId":%q,"fileType":"PAYSLIP","rawFiles":[{"fileName":"payslip.pdf","fileExtensionType":"PDF","fileContent":%q}]}`,
		c.userID, base64.StdEncoding.EncodeToString(fixtures.SamplePayslip())))
}

// clickLine clicks the newest line of a list that contains a text.
func (p *tab) clickLine(list, text string) {
	p.t.Helper()
	p.clickFound(fmt.Sprintf(`[...document.querySelectorAll(%q)].find((line) => line.textContent.includes(%q))`, list+" .line", text))
}

// searchList enters a text into a search field and waits for what it finds.
func (p *tab) searchList(field, text, until string) {
	p.t.Helper()
	evaluate[bool](p, fmt.Sprintf(`(() => {
		const field = document.querySelector(%q);
		field.value = %q;
		return field.dispatchEvent(new Event("input"));
	})()`, field, text))
	p.until(until)
}

// TestInspectorByKeyboard: everything in the inspector is reached by keyboard.
func TestInspectorByKeyboard(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{JournalBodies: 1 << 20})
	p := c.openPage(desktop, "light")
	p.until(`document.querySelector("#journal .line")`)
	evaluate[bool](p, `document.querySelector("#j-kind").focus() ?? true`)
	p.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	p.inspected("POST /v1/users", "Copy as curl")
	for range 10 {
		if evaluate[string](p, `document.activeElement.textContent`) == "Show secrets" {
			break
		}
		p.do(chromedp.KeyEvent(kb.Tab))
	}
	p.do(chromedp.KeyEvent(kb.Enter))
	p.inspected("Hide secrets", c.token[:40])
	p.do(chromedp.KeyEvent(kb.Escape))
	p.until(`!` + dialog + `.open && document.activeElement.matches(".line")`)
}

// TestBodiesAreOptional: without bodies the inspector says why there are none.
func TestBodiesAreOptional(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{})
	p := c.openPage(desktop, "light")
	p.clickLine("#journal", "create-user")
	p.inspected("--journal-bodies=false")
}

// TestGetStarted: the first page shows how to begin, and what it shows works.
func TestGetStarted(t *testing.T) {
	parallel(t)
	for _, s := range screens {
		for _, theme := range themes {
			t.Run(s.name+" "+theme, func(t *testing.T) {
				box, err := sandbox.Start(sandbox.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(box.Close)
				c := &company{t: t, box: box}
				p := c.openPage(s, theme)
				p.until(`document.querySelector("#start").open`)
				for _, text := range []string{box.URL + "/v1", "sandbox-key", "sandbox-secret", box.URL + "/v2/smile.v2.js", "--sandbox-endpoint=" + box.URL + "/v1", "OPEN_API_HOST=" + box.URL + "/v1"} {
					p.until(fmt.Sprintf(`document.querySelector("#ways").innerText.includes(%q)`, text))
				}
				p.narrow()
				p.picture("34-get-started")
				p.accessible("get started", everything)
				script := evaluate[string](p, `[...document.querySelectorAll("#ways pre")].map((pre) => pre.textContent).filter((text) => text.includes("curl")).join("\n")`)
				shell := exec.CommandContext(t.Context(), "sh", "-e")
				shell.Stdin = strings.NewReader(script)
				var said bytes.Buffer
				shell.Stdout, shell.Stderr = &said, &said
				if err := shell.Run(); err != nil || !strings.Contains(said.String(), `"CONNECTED"`) || !strings.Contains(said.String(), `"con-`) {
					t.Errorf("%v\n%s\n%s", err, script, said.String())
				}
			})
		}
	}
}

// TestCheckBoxes: the check boxes of the page can be seen at every width.
func TestCheckBoxes(t *testing.T) {
	parallel(t)
	c := newCompany(t, sandbox.Options{})
	for _, width := range []int64{390, 640, 861, 1024, 1280, 1440, 1920} {
		p := c.openPage(screen{fmt.Sprint(width), width, 900, false}, "light")
		p.until(`document.querySelectorAll("#launcher input[type=checkbox]").length === 4`)
		if got := evaluate[float64](p, `Math.min(...[...document.querySelectorAll("input[type=checkbox]")].filter((box) => box.checkVisibility()).map((box) => box.offsetWidth))`); got < 16 {
			t.Errorf("in a window of %d pixels a check box is %v wide", width, got)
		}
	}
}
