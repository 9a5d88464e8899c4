package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFigures(t *testing.T) {
	t.Parallel()
	log := `go test -race, packages on a control plane
=== RUN   TestGracefulStop
=== PAUSE TestGracefulStop
=== CONT  TestGracefulStop
=== NAME  TestGracefulStop
    wait_test.go:64: E2E_SEED=17
    stop_test.go:41: stopped in 3.1 s with 5 calls on their way
=== NAME  TestCrashPoints
    crashpoints_test.go:50: create: 2 calls
        call            before
        Smile POST      1.0 s

--- PASS: TestGracefulStop (70.10s)
--- FAIL: TestCrashPoints (1.00s)
FAIL	example.com/e2e	71.2s
./internal/smile FuzzEvent
fuzz: elapsed: 0s, gathering baseline coverage: 0/12 completed
fuzz: elapsed: 9s, execs: 50000 (5555/sec), new interesting: 3 (total: 40)
ok  	example.com/smile	9.1s
[00:20] measuring
FIGURE        TARGET  MEASURED  RATIO  VERDICT  GENERIC PROVIDER
calls a user  1       1         1.00   met      -
`
	want := strings.Split(`TestGracefulStop
  stopped in 3.1 s with 5 calls on their way
TestCrashPoints
  create: 2 calls
    call            before
    Smile POST      1.0 s
--- FAIL: TestCrashPoints (1.00s)
FAIL	example.com/e2e	71.2s
./internal/smile FuzzEvent
fuzz: elapsed: 9s, execs: 50000 (5555/sec), new interesting: 3 (total: 40)
ok  	example.com/smile	9.1s
FIGURE        TARGET  MEASURED  RATIO  VERDICT  GENERIC PROVIDER
calls a user  1       1         1.00   met      -`, "\n")
	if diff := cmp.Diff(want, figures(log)); diff != "" {
		t.Error(diff)
	}
	if got := figures(strings.Repeat("ok  \tpackage\n", mostFigures+5)); len(got) != mostFigures+1 || !strings.Contains(got[mostFigures], "5 lines more") {
		t.Errorf("%d lines are kept, the last is %q", len(got), got[len(got)-1])
	}
}

func TestResultsOfPartsThatDoNotRunAreKept(t *testing.T) {
	t.Parallel()
	results := map[string]result{
		"e2e":       {state: passedState, took: "9m0s", date: "2026-11-28", commit: "abc", machine: "2 cores", figures: []string{"one", "", "## two | three |"}},
		"vulncheck": {state: "skipped: no network", took: "1s", date: "2026-11-27", commit: "abd-dirty", machine: "2 cores"},
	}
	text := render(results)
	if diff := cmp.Diff(results, parse(text), cmp.AllowUnexported(result{})); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(text, "| fuzz | never run |") {
		t.Errorf("a part that never ran is not named:\n%s", text)
	}
	if got := parse(""); len(got) != 0 {
		t.Errorf("nothing gives %v", got)
	}
}

func TestPartsAreChosenByName(t *testing.T) {
	t.Parallel()
	names := func(chosen []part) []string {
		var all []string
		for _, p := range chosen {
			all = append(all, p.name)
		}
		return all
	}
	chosen, err := choose("bench, fuzz")
	if err != nil || !slices.Equal(names(chosen), []string{"bench", "fuzz"}) {
		t.Errorf("%v, %v", names(chosen), err)
	}
	if chosen, err := choose(""); err != nil || len(chosen) != len(parts) {
		t.Errorf("%v, %v", names(chosen), err)
	}
	if _, err := choose("nothing"); err == nil {
		t.Error("a part that does not exist was selected")
	}
}

func TestWhatCannotBeReachedIsSkipped(t *testing.T) {
	t.Parallel()
	at := slices.IndexFunc(parts, func(p part) bool { return p.name == "vulncheck" })
	for output, want := range map[string]bool{
		`govulncheck: fetching vulnerabilities: Get "https://vuln.go.dev/index/modules.json.gz": dial tcp: lookup vuln.go.dev: no such host`: true,
		"Vulnerability #1: GO-2026-0001": false,
	} {
		if got := parts[at].skipped.MatchString(output); got != want {
			t.Errorf("%q: %v, want %v", output, got, want)
		}
	}
}
