package contract

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// aBook contradicts nothing.
const aBook = `{"id":"b1","title":"T","genre":"NOVEL","publisher":{"name":"P"},"shelf":"S","size":{"pages":3}}`

// versions are the library in both versions of OpenAPI.
func versions(t *testing.T, changes ...Change) map[string]*Document {
	t.Helper()
	text, err := os.ReadFile("testdata/library.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*Document{}
	for _, version := range []string{"3.0.3", "3.1.0"} {
		d, err := Read([]byte(strings.Replace(string(text), "openapi: 3.0.3", "openapi: "+version, 1)), changes...)
		if err != nil {
			t.Fatal(err)
		}
		found[version] = d
	}
	return found
}

func exchange(method, path, sent string, status int, answer string) Exchange {
	r := httptest.NewRequest(method, path, nil)
	if sent != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return Exchange{
		Request: r, RequestBody: []byte(sent), Status: status,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(answer),
	}
}

func TestOperations(t *testing.T) {
	for version, d := range versions(t) {
		want := []Operation{
			{"GET", "/v1/books", "list-books"},
			{"POST", "/v1/books", "create-book"},
			{"GET", "/v1/books/latest", "get-latest"},
			{"GET", "/v1/books/{id}", "get-book"},
		}
		if diff := cmp.Diff(want, d.Operations()); diff != "" {
			t.Error(version, diff)
		}
	}
	if got := (Operation{Method: "GET", Path: "/a/{b}/c/{d}"}).Key(); got != "GET /a/{}/c/{}" {
		t.Error(got)
	}
}

func TestCheck(t *testing.T) {
	const envelope = `{"code":"X","message":"m","requestId":"r"}`
	without := func(part string) string { return strings.Replace(aBook, part, "", 1) }
	for name, test := range map[string]struct {
		exchange  Exchange
		operation string   // "" is none
		wants     []string // parts of the violations, one each
	}{
		"good":                    {exchange("GET", "/v1/books/b1", "", 200, aBook), "get-book", nil},
		"escaped id":              {exchange("GET", "/v1/books/b%2F1", "", 200, aBook), "get-book", nil},
		"literal before variable": {exchange("GET", "/v1/books/latest", "", 200, aBook), "get-latest", nil},
		"good list":               {exchange("GET", "/v1/books?size=50&from=2020-02-29", "", 200, `{"items":[`+aBook+`]}`), "list-books", nil},
		"good creation":           {exchange("POST", "/v1/books", `{"title":"T"}`, 201, aBook), "create-book", nil},
		"described error":         {exchange("GET", "/v1/books/b1", "", 404, `{"code":"NOT_FOUND"}`), "get-book", nil},
		"error by pattern":        {exchange("POST", "/v1/books", `{}`, 422, `{"code":"NOT_FOUND"}`), "create-book", nil},
		"refused call is free":    {exchange("POST", "/v1/books", `{"title":""}`, 400, `{"code":"NOT_FOUND"}`), "create-book", nil},
		"undocumented error":      {exchange("GET", "/v1/books?size=99", "", 400, envelope), "list-books", nil},
		"unknown path":            {exchange("GET", "/v1/films", "", 200, aBook), "", nil},
		"unknown method":          {exchange("PUT", "/v1/books", "", 200, aBook), "", nil},
		"without the prefix":      {exchange("GET", "/books/b1", "", 200, aBook), "", nil},

		"missing property":     {exchange("GET", "/v1/books/b1", "", 200, without(`"id":"b1",`)), "get-book", []string{`response 200: /`}},
		"wrong type":           {exchange("GET", "/v1/books/b1", "", 200, strings.Replace(aBook, `"T"`, `7`, 1)), "get-book", []string{"response 200: /title: "}},
		"wrong value":          {exchange("GET", "/v1/books/b1", "", 200, strings.Replace(aBook, "NOVEL", "OPERA", 1)), "get-book", []string{"response 200: /genre: "}},
		"null":                 {exchange("GET", "/v1/books/b1", "", 200, strings.Replace(aBook, `"NOVEL"`, `null`, 1)), "get-book", []string{"response 200: /genre: "}},
		"inside a list":        {exchange("GET", "/v1/books?from=2020-01-01", "", 200, `{"items":[`+aBook+`,`+without(`"name":"P"`)+`]}`), "list-books", []string{"response 200: /items/1/publisher"}},
		"no JSON":              {exchange("GET", "/v1/books/b1", "", 200, `<html>`), "get-book", []string{"response 200: "}},
		"undescribed success":  {exchange("GET", "/v1/books/latest", "", 202, aBook), "get-latest", []string{"response 202: the status is not described"}},
		"error without shape":  {exchange("GET", "/v1/books", "", 500, `{}`), "list-books", []string{"response 500: the status is not described"}},
		"error of other shape": {exchange("GET", "/v1/books/b1", "", 500, `{"code":"OOPS"}`), "get-book", []string{"response 500: /code: "}},
		"wrong parameters": {
			exchange("GET", "/v1/books?size=51", "", 200, `{"items":[]}`), "list-books",
			[]string{"request: query parameter size: ", "request: query parameter from: "},
		},
		"wrong path variable":  {exchange("GET", "/v1/books/123456789", "", 200, aBook), "get-book", []string{"request: path parameter id: "}},
		"wrong body":           {exchange("POST", "/v1/books", `{"title":""}`, 201, aBook), "create-book", []string{"request: body: /title: "}},
		"missing body":         {exchange("POST", "/v1/books", ``, 201, aBook), "create-book", []string{"request: body: "}},
		"body where none goes": {exchange("GET", "/v1/books/latest", `{}`, 200, aBook), "get-latest", []string{"request: "}},
	} {
		for version, d := range versions(t) {
			t.Run(version+" "+name, func(t *testing.T) {
				got, ok := d.Check(test.exchange)
				if ok != (test.operation != "") || got.Operation.ID != test.operation {
					t.Fatalf("operation %q", got.Operation.ID)
				}
				if got.Undocumented != (name == "undocumented error") {
					t.Errorf("undocumented: %t", got.Undocumented)
				}
				if len(got.Violations) != len(test.wants) {
					t.Fatalf("violations %q, want %q", got.Violations, test.wants)
				}
				for i, want := range test.wants {
					if !strings.HasPrefix(got.Violations[i], want) || strings.Contains(got.Violations[i], "\n") {
						t.Errorf("violation %q, want %q", got.Violations[i], want)
					}
				}
			})
		}
	}
}

func TestWrongContentType(t *testing.T) {
	e := exchange("GET", "/v1/books/b1", "", 200, aBook)
	e.Header.Set("Content-Type", "text/html")
	for version, d := range versions(t) {
		if got, _ := d.Check(e); len(got.Violations) != 1 {
			t.Error(version, got.Violations)
		}
	}
}

// TestRelaxations shows that each liberty allows what was a violation before, and nothing else.
func TestRelaxations(t *testing.T) {
	for name, test := range map[string]struct {
		relaxation   Relaxation
		good, stillN string
	}{
		"optional": {
			Relaxation{Field: "Book.shelf", How: Optional},
			strings.Replace(aBook, `"shelf":"S",`, ``, 1), strings.Replace(aBook, `"title":"T",`, ``, 1),
		},
		"optional, deep": {
			Relaxation{Field: "Book.publisher.name", How: Optional},
			strings.Replace(aBook, `"name":"P"`, ``, 1), strings.Replace(aBook, `"P"`, `1`, 1),
		},
		"nullable component": {
			Relaxation{Field: "Title", How: Nullable},
			strings.NewReplacer(`"T"`, `null`, `"S"`, `null`).Replace(aBook), strings.Replace(aBook, `"b1"`, `null`, 1),
		},
		"nullable enumeration": {
			Relaxation{Field: "Genre", How: Nullable},
			strings.Replace(aBook, `"NOVEL"`, `null`, 1), strings.Replace(aBook, `"NOVEL"`, `"OPERA"`, 1),
		},
		"nullable combination": {
			Relaxation{Field: "Both", How: Nullable},
			strings.Replace(aBook, `{"pages":3}`, `null`, 1), strings.Replace(aBook, `{"pages":3}`, `{"pages":"3"}`, 1),
		},
		"nullable reference": {
			Relaxation{Field: "Book.shelf", How: Nullable},
			strings.Replace(aBook, `"S"`, `null`, 1), strings.Replace(aBook, `"T"`, `null`, 1),
		},
		"extended": {
			Relaxation{Field: "Genre", How: Extended, Value: "OPERA"},
			strings.Replace(aBook, "NOVEL", "OPERA", 1), strings.Replace(aBook, "NOVEL", "SONG", 1),
		},
	} {
		strict, relaxed := versions(t), versions(t, Relaxed([]Relaxation{test.relaxation}))
		for version := range strict {
			t.Run(version+" "+name, func(t *testing.T) {
				violations := func(d *Document, answer string) int {
					got, _ := d.Check(exchange("GET", "/v1/books/latest", "", 200, answer))
					return len(got.Violations)
				}
				if violations(strict[version], test.good) == 0 || violations(relaxed[version], test.good) > 0 {
					t.Errorf("strict %d, relaxed %d violations in %s", violations(strict[version], test.good), violations(relaxed[version], test.good), test.good)
				}
				if violations(relaxed[version], test.stillN) == 0 {
					t.Errorf("no violation in %s", test.stillN)
				}
				if violations(relaxed[version], aBook) > 0 {
					t.Error("a valid document is no longer accepted")
				}
			})
		}
	}
}

func TestRelaxationOfNothing(t *testing.T) {
	versions(t, Relaxed(Relaxations)) // of a description that has none of these
	text, err := os.ReadFile("testdata/library.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(text, Relaxed([]Relaxation{{Field: "Book.id", How: "whatever"}})); err == nil {
		t.Error("an unknown relaxation was accepted")
	}
	for _, r := range Relaxations {
		if r.Reason == "" || (r.How == Extended) != (r.Value != "") {
			t.Errorf("%+v", r)
		}
	}
}

func TestClosed(t *testing.T) {
	extra := exchange("GET", "/v1/books/latest", "", 200, strings.Replace(aBook, `"name":"P"`, `"name":"P","town":"Q"`, 1))
	for version, d := range versions(t) {
		if got, _ := d.Check(extra); len(got.Violations) > 0 {
			t.Error(version, got.Violations)
		}
	}
	for version, d := range versions(t, Closed) {
		if got, _ := d.Check(extra); len(got.Violations) != 1 {
			t.Error(version, got.Violations)
		}
		if got, _ := d.Check(exchange("GET", "/v1/books/latest", "", 200, aBook)); len(got.Violations) > 0 {
			t.Error(version, got.Violations)
		}
	}
}

func TestCheckValue(t *testing.T) {
	for version, d := range versions(t) {
		if got, err := d.CheckValue("Book", []byte(aBook)); err != nil || len(got) > 0 {
			t.Error(version, got, err)
		}
		if got, err := d.CheckValue("Book", []byte(`{"id":1}`)); err != nil || len(got) == 0 {
			t.Error(version, got, err)
		}
		if _, err := d.CheckValue("Film", []byte(aBook)); err == nil {
			t.Error(version, "there are no films")
		}
		if _, err := d.CheckValue("Book", []byte(`{`)); err == nil {
			t.Error(version, "no JSON")
		}
	}
}

func TestUnusableDescriptions(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":             ``,
		"no YAML":             `{`,
		"no description":      `a: b`,
		"dangling reference":  `{"openapi":"3.0.0","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"responses":{"200":{"$ref":"#/components/responses/X"}}}}}}`,
		"reference elsewhere": `{"openapi":"3.0.0","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"responses":{"200":{"$ref":"other.yaml"}}}}}}`,
		"server":              `{"openapi":"3.0.0","info":{"title":"t","version":"1"},"servers":[{"url":"http://%zz"}],"paths":{}}`,
	} {
		if _, err := Read([]byte(text)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestReport(t *testing.T) {
	one, two := Operation{"GET", "/a/{id}", "get-a"}, Operation{"POST", "/b", ""}
	r := NewReport([]Operation{two, one})
	r.Add(Finding{Operation: one, Status: 200})
	r.Add(Finding{Operation: one, Status: 404, Undocumented: true})
	r.Add(Finding{Operation: one, Status: 201, Violations: []string{"bad", "worse"}})
	r.Add(Finding{Operation: one, Status: 201, Violations: []string{"bad"}})
	r.Close()
	var text strings.Builder
	if err := r.Print(&text); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"OPERATION  CALL         CALLS  SUCCEEDED  UNDOCUMENTED  VIOLATIONS",
		"get-a      GET /a/{id}  4      3          404           2",
		"-          POST /b      0      0          -             1",
		"",
		"GET /a/{id}: bad (2 times)",
		"GET /a/{id}: worse (1 times)",
		"POST /b: no call succeeded (1 times)",
		"2 operations, 4 calls, 3 violations", "",
	}, "\n")
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
	if r.Violations() != 3 {
		t.Errorf("%d violations", r.Violations())
	}
}
