package tour

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/smile-operator/smile-operator/internal/sandbox/contract"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// made is a small description that another author could have written, with one
// text replaced.
func made(t *testing.T, replace ...string) *contract.Document {
	t.Helper()
	text, err := os.ReadFile("testdata/users.yaml")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(replace...).Replace(string(text))
	if len(replace) > 0 && changed == string(text) {
		t.Fatalf("nothing to replace: %q", replace)
	}
	d, err := contract.Read([]byte(changed))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func run(t *testing.T, d *contract.Document) *contract.Report {
	t.Helper()
	report, err := Run(d)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func printed(t *testing.T, r *contract.Report) string {
	t.Helper()
	var text strings.Builder
	if err := r.Print(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestSharedOperations(t *testing.T) {
	d := made(t)
	report := run(t, d)
	if report.Violations() > 0 {
		t.Error(printed(t, report))
	}
	var ids []string
	for _, row := range report.Rows() {
		ids = append(ids, row.ID)
	}
	if diff := cmp.Diff([]string{"list-contributions", "list-users", "create-user", "get-user"}, ids); diff != "" {
		t.Error(diff)
	}
	for _, row := range report.Rows() {
		undocumented := len(row.Undocumented) > 0
		if want := row.ID != "get-user"; undocumented != want {
			t.Errorf("%s: undocumented %v", row.ID, row.Undocumented)
		}
	}
}

// TestCorruptedDescriptions: every change of a description that the sandbox
// conforms to is noticed, at the operation where it was made.
func TestCorruptedDescriptions(t *testing.T) {
	for name, test := range map[string]struct {
		old, new string
		wants    []string // operations with violations
		says     string
	}{
		"property that is not there": {
			"required: [id, createdAt, session]", "required: [id, bornAt]",
			[]string{"list-users", "create-user", "get-user"},
			"bornAt",
		},
		"other type":      {"amount: {type: number}", "amount: {type: string}", []string{"list-contributions"}, "amount"},
		"other values":    {"[IN_PROGRESS, COMPLETED]", "[RUNNING]", []string{"list-users", "create-user", "get-user"}, "session/status"},
		"never null":      {"nextCursor: {type: string, nullable: true}", "nextCursor: {type: string}", []string{"list-users"}, "nextCursor"},
		"other success":   {"'201'", "'200'", []string{"create-user"}, "response 201"},
		"smaller pages":   {"maximum: 150", "maximum: 100", []string{"list-users"}, "request: query parameter size"},
		"no metadata":     {"additionalProperties: {type: string}", "additionalProperties: {type: integer}", []string{"create-user"}, "request: body"},
		"other error":     {"required: [code, message, requestId]", "required: [error]", []string{"list-users", "get-user"}, "response 400"},
		"other date":      {"date: {type: string, format: date}", "date: {type: string, format: date-time}", []string{"list-contributions"}, "/date"},
		"other structure": {"required: [user, token]", "required: [user, token, extra]", []string{"create-user"}, "extra"},
	} {
		t.Run(name, func(t *testing.T) {
			report := run(t, made(t, test.old, test.new))
			var got []string
			for _, row := range report.Rows() {
				if len(row.Violations) > 0 {
					got = append(got, row.ID)
				}
			}
			if !slices.Equal(got, test.wants) {
				t.Errorf("violations at %v, want %v", got, test.wants)
			}
			if text := printed(t, report); !strings.Contains(text, test.says) {
				t.Errorf("%q is missing in %s", test.says, text)
			}
		})
	}
}

func TestNothingShared(t *testing.T) {
	for _, server := range []string{"https://api.example.com/v2", "/"} {
		if _, err := Run(made(t, "https://api.example.com/v1", server)); !errors.Is(err, ErrNothingShared) {
			t.Errorf("%s: %v", server, err)
		}
	}
}
