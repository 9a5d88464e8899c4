package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/internal/sandbox/contract"
)

// strictSpec describes users as the sandbox shows them, except the cursor at
// the end of a list, which it describes as the vendor does.
const strictSpec = `
openapi: 3.0.0
info: {title: Users, version: '1'}
servers: [{url: 'https://api.example.com/v1'}]
paths:
  /users:
    get:
      operationId: list-users
      responses:
        '200':
          description: Users
          content:
            application/json:
              schema:
                type: object
                properties:
                  data: {type: object, properties: {nextCursor: {$ref: '#/components/schemas/ObjectNextCursor'}}}
components: {schemas: {ObjectNextCursor: {type: string}}}
`

func specFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spec.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestContract(t *testing.T) {
	spec := specFile(t, strictSpec)
	for name, test := range map[string]struct {
		args      []string
		code      int
		out, errs []string
	}{
		"relaxed": {[]string{"--relaxed"}, 0, []string{"list-users", "1 operations", " 0 violations"}, nil},
		"strict":  {nil, 1, []string{"GET /v1/users: response 200: /data/nextCursor", " 1 violations"}, []string{"smile-sandbox: ", spec, "1 points"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := Run(append([]string{"contract", "--spec", spec}, test.args...), &out, &errs); code != test.code {
				t.Errorf("exit code %d: %s %s", code, out.String(), errs.String())
			}
			for text, wants := range map[string][]string{out.String(): test.out, errs.String(): test.errs} {
				for _, want := range wants {
					if !strings.Contains(text, want) {
						t.Errorf("%q is missing in %q", want, text)
					}
				}
			}
		})
	}
}

func TestContractWithWrongArguments(t *testing.T) {
	for name, args := range map[string][]string{
		"no file":        nil,
		"absent file":    {"--spec", filepath.Join(t.TempDir(), "none.yaml")},
		"no description": {"--spec", specFile(t, "a: b")},
		"nothing shared": {"--spec", specFile(t, strings.Replace(strictSpec, "/v1", "/v9", 1))},
		"flag of serve":  {"--spec", specFile(t, strictSpec), "--addr", "127.0.0.1:0"},
		"argument":       {"--spec", specFile(t, strictSpec), "more"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := Run(append([]string{"contract"}, args...), &out, &errs); code != 1 || !strings.HasPrefix(errs.String(), "smile-sandbox: ") || out.Len() > 0 {
				t.Errorf("exit code %d, %q, %q", code, errs.String(), out.String())
			}
		})
	}
}

func TestContractHelpListsRelaxations(t *testing.T) {
	var out bytes.Buffer
	if code := Run([]string{"contract", "--help"}, &out, io.Discard); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, r := range contract.Relaxations {
		if !strings.Contains(out.String(), r.Field) || !strings.Contains(out.String(), r.Reason) {
			t.Errorf("%s is missing", r.Field)
		}
	}
}
