package server

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/contract"
	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
)

// described is the sandbox's description, which claims to be complete.
var described = sync.OnceValues(func() (*contract.Document, error) {
	return contract.Read(Description(), contract.Closed)
})

// deviates reports whether a quirk makes the sandbox contradict its description
// on purpose.
func deviates(b *quirks.Behavior) bool {
	return b.InsightName == "INSIGHT" || b.CreatedCode != "OK" || b.Reshapes()
}

// conform fails the test if a call or its response contradicts the description.
// It checks every call of a box, unless faults or quirks make the sandbox
// deviate.
func (b *box) conform(r *http.Request, body string, w *httptest.ResponseRecorder) {
	b.t.Helper()
	if deviates(&b.behavior) || len(b.Faults()) > 0 || len(body) > maxBody {
		return
	}
	document, err := described()
	if err != nil {
		b.t.Fatal(err)
	}
	finding, _ := document.Check(contract.Exchange{
		Request: r, RequestBody: []byte(body), Status: w.Code, Header: w.Header(), Body: w.Body.Bytes(),
	})
	for _, violation := range finding.Violations {
		b.t.Errorf("%s %s contradicts openapi.yaml: %s", r.Method, r.URL, violation)
	}
}

// TestEverythingIsDescribed: the description has exactly what the sandbox
// serves.
func TestEverythingIsDescribed(t *testing.T) {
	document, err := described()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range document.Operations() {
		got = append(got, o.Key()+" "+o.ID)
	}
	var want []string
	for _, o := range slices.Concat(operations, linkOperations) {
		if o.handle != nil {
			want = append(want, contract.Operation{Method: o.method, Path: "/v1" + o.path}.Key()+" "+o.id)
		}
	}
	want = append(want, controlOperations(t)...)
	// The ids of control operations are the description's own.
	for i, line := range got {
		if key, id, _ := cutLast(line); strings.Contains(key, " /_sandbox/") {
			got[i] = key
			if !strings.HasPrefix(id, "sandbox-") {
				t.Errorf("%s has the id %q", key, id)
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("served (-) and described (+):", diff)
	}
}

func cutLast(line string) (before, after string, found bool) {
	i := strings.LastIndex(line, " ")
	return line[:i], line[i+1:], i >= 0
}

func controlOperations(t *testing.T) []string {
	t.Helper()
	b := newBox(t, Options{})
	router := chi.NewRouter()
	router.Route("/_sandbox", b.controlRoutes)
	var keys []string
	err := chi.Walk(router, func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		keys = append(keys, contract.Operation{Method: method, Path: path}.Key())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestDescriptionIsServed(t *testing.T) {
	got := newBox(t, Options{}).get("/_sandbox/openapi.yaml").must(t, http.StatusOK)
	if got.header.Get("Content-Type") != "application/yaml" || got.text != string(Description()) {
		t.Errorf("%s %d bytes", got.header.Get("Content-Type"), len(got.text))
	}
}

// TestDescriptionIsStrict: conform notices errors. Each change makes a good
// response a bad one.
func TestDescriptionIsStrict(t *testing.T) {
	document, err := described()
	if err != nil {
		t.Fatal(err)
	}
	b, ids := inhabited(t)
	for _, test := range []struct{ path, old, new string }{
		{"/v1/users/{user}", `"createdAt":"`, `"createdOn":"`},
		{"/v1/users/{user}", `"providers":[`, `"extra":1,"providers":[`},
		{"/v1/users/{user}", `"IN_PROGRESS"`, `"RUNNING"`},
		{"/v1/users/{user}", `"code":"OK"`, `"code":"SERVER_ERROR"`},
		{"/v1/users", `"nextCursor":null,`, ``},
		{"/v1/users", `"nextCursor":null`, `"nextCursor":""`},
		{"/v1/accounts/{account}", `"errorCode":null`, `"errorCode":"BAD_LUCK"`},
		{"/v1/tasks/{task}", `"itemCreatedAt"`, `"itemMadeAt"`},
		{"/v1/identities", `"metadata":{`, `"origin":{`},
		{"/v1/identities", `"zip":"1600"`, `"zip":1600`},
		{"/v1/incomes", `"netAmount":7820.25`, `"netAmount":"7820.25"`},
		{"/v1/contributions", `"date":"2022-06-30"`, `"date":"2022-06"`},
		{"/v1/eincomes", `"month":"2022-06"`, `"month":"2022-13"`},
		{"/v1/providers?ids=upwork", `"mfa":true`, `"mfa":"yes"`},
		{"/_sandbox/stats", `"users":1`, `"users":-1`},
	} {
		t.Run(test.path+" "+test.new, func(t *testing.T) {
			path := ids.Replace(test.path)
			good := b.get(path).must(t, http.StatusOK)
			bad := strings.Replace(good.text, test.old, test.new, 1)
			if bad == good.text {
				t.Fatalf("nothing to change in %s", good.text)
			}
			finding, ok := document.Check(contract.Exchange{
				Request: httptest.NewRequest(http.MethodGet, path, nil), Status: http.StatusOK, Header: good.header, Body: []byte(bad),
			})
			if !ok || len(finding.Violations) == 0 {
				t.Errorf("not noticed: %s", bad)
			}
		})
	}
}

// keeps fails the test if values contradict a schema of the description.
func keeps(t *testing.T, component string, values [][]byte) {
	t.Helper()
	document, err := described()
	if err != nil {
		t.Fatal(err)
	}
	if len(values) < 4 {
		t.Fatalf("%d values", len(values))
	}
	for _, value := range values {
		violations, err := document.CheckValue(component, value)
		if err != nil || len(violations) > 0 {
			t.Errorf("%s: %v %v", value, violations, err)
		}
	}
}

func linesOf(text string) [][]byte {
	return bytes.Split(bytes.TrimSpace([]byte(text)), []byte("\n"))
}

// TestJournalIsDescribed checks the lines of a stream, which is not a JSON
// document.
func TestJournalIsDescribed(t *testing.T) {
	b, _ := inhabited(t)
	b.get("/v1/users?size=1")
	b.get("/v1/users/nobody")
	b.get("/v1/nowhere")
	b.get("/v1/users", without("Authorization"))
	keeps(t, "JournalEntry", linesOf(b.get("/_sandbox/journal").text))
}

func TestEventsAndDeliveriesAreDescribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{}, anyHook)
		b.george(b.newUser(), "sss_ph")
		synctest.Wait()
		var events [][]byte
		for _, got := range m.all() {
			events = append(events, []byte(got.body))
		}
		keeps(t, "Event", events)
		keeps(t, "Delivery", linesOf(b.get("/_sandbox/deliveries").text))
	})
}
