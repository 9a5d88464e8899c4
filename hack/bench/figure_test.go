package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVerdict(t *testing.T) {
	for name, tt := range map[string]struct {
		figure figure
		want   verdict
	}{
		"below the target":            {figure{Target: atMost(2), Measured: 1}, met},
		"at the target":               {figure{Target: atMost(2), Measured: 2}, met},
		"at it as printed":            {figure{Target: atMost(1.05), Measured: 1.0549}, met},
		"above it":                    {figure{Target: atMost(1.05), Measured: 1.056}, missed},
		"one where none may be":       {figure{Target: atMost(0), Measured: 1}, missed},
		"none where none may be":      {figure{Target: atMost(0)}, met},
		"fewer than there must be":    {figure{Target: atMost(1), Exact: true, Measured: 0.98}, missed},
		"as many as there must be":    {figure{Target: atMost(1), Exact: true, Measured: 1}, met},
		"for information":             {figure{Measured: 5}, noTarget},
		"not measured, with a target": {figure{Target: atMost(1), Missing: "no such kind"}, unbuilt},
	} {
		if got := tt.figure.judged().Verdict; got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	var r result
	if got := r.table(); got != "Nothing was measured.\n" {
		t.Errorf("an empty table: %q", got)
	}
	r.add(
		figure{Name: "calls", Target: atMost(1.02), Measured: 1.0153, Generic: "3.3"},
		figure{Name: "writes", Target: atMost(0), Measured: 40},
		figure{Name: "memory", Unit: "MiB", Measured: 61.257},
		figure{Name: "news", Unit: "s", Target: atMost(1), Missing: "there is no such kind"},
	)
	want := `
FIGURE  TARGET  MEASURED   RATIO  VERDICT       GENERIC PROVIDER
calls   1.02    1.02       1.00   met           3.3
writes  0       40         -      missed        -
memory  -       61.26 MiB  -      -             -
news    1 s     -          -      not built in  -

news: there is no such kind.
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), r.table()); diff != "" {
		t.Error(diff)
	}
}

func TestWrittenResult(t *testing.T) {
	r := result{Environment: environment(1000)}
	r.add(figure{Name: "writes", Target: atMost(0), How: "the audit log"})
	path := filepath.Join(t.TempDir(), resultFile)
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var read result
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, read); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(text), `"target": 0`) || !strings.Contains(string(text), `"verdict": "met"`) {
		t.Errorf("a target of 0 is not treated as a target:\n%s", text)
	}
}
