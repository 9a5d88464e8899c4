package appapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

var writeDocuments = flag.Bool("write", false, "write the generated documents instead of comparing them")

// The page of errors and the OpenAPI document in docs are what the code says.
func TestDocuments(t *testing.T) {
	for path, want := range map[string]string{
		"../../docs/application-api-errors.md":    errorsPage(),
		"../../docs/application-api.openapi.json": indented(t, Document()),
	} {
		if *writeDocuments {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not up to date (make generate writes it):\n%s", path, diff)
		}
	}
}

func indented(t *testing.T, document []byte) string {
	t.Helper()
	var text bytes.Buffer
	if err := json.Indent(&text, document, "", "  "); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func errorsPage() string {
	var page strings.Builder
	page.WriteString(`# Errors of the application API

This page is generated from ` + "`internal/appapi/catalog.go`" + `.

A failed call is answered with a problem document (RFC 9457, ` + "`" + ProblemType + "`" + `). Programs decide by ` + "`reason`" + `.
Later versions may add reasons: treat an unknown one according to its status. ` + "`title`" + ` and ` + "`detail`" + ` are for people.
` + "`callId`" + ` is also in the audit log. ` + "`cause`" + `, if present, is the reason of the condition behind the problem:
[reasons.md](reasons.md).

| retry | meaning |
|---|---|
| never | The same request fails again. |
| when fixed | It can succeed once somebody has changed something: a token, a role, an object. |
| later | It can succeed at ` + "`retryAt`" + `, which the header ` + "`Retry-After`" + ` gives in seconds. |

"May have had an effect" means that the call may have succeeded although the caller did not get the result. CreateLinkToken creates
no user: at worst, a token was minted that nobody received, and repeating the call is harmless.

## Requests that match no call

`)
	table(&page, ofEveryRequest)
	for _, operation := range Operations {
		fmt.Fprintf(&page, "\n## %s\n\n`%s %s`\n\n", operation.Name, operation.Method, operation.Pattern)
		table(&page, operation.Problems())
	}
	return page.String()
}

func table(page *strings.Builder, reasons []Reason) {
	page.WriteString("| status | reason | meaning | retry | may have had an effect |\n|---|---|---|---|---|\n")
	for _, reason := range reasons {
		held := catalog[reason]
		effect := "no"
		if held.effect {
			effect = "yes"
		}
		fmt.Fprintf(page, "| %d | `%s` | %s. %s | %s | %s |\n", held.status, reason, held.title, held.detail, held.retry, effect)
	}
}

// Every reason is in the catalog, and an operation or every call can end with it.
func TestTheCatalogIsComplete(t *testing.T) {
	listed := map[Reason]bool{}
	for _, reason := range allReasons() {
		listed[reason] = true
		if catalog[reason].status == 0 {
			t.Errorf("%s is not in the catalog", reason)
		}
	}
	for reason, held := range catalog {
		if !listed[reason] {
			t.Errorf("no call ends with %s", reason)
		}
		if (held.retry == retryLater) != (held.retryAfter > 0) {
			t.Errorf("%s is retried %s, after %s", reason, held.retry, held.retryAfter)
		}
	}
}

func TestTheDocumentIsValid(t *testing.T) {
	loader := openapi3.NewLoader()
	document, err := loader.LoadFromData(Document())
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	for _, operation := range Operations {
		item := document.Paths.Value(operation.Pattern)
		if item == nil || item.GetOperation(operation.Method) == nil {
			t.Errorf("%s is not documented", operation.Name)
		}
	}
}
