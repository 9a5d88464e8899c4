package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunSteps(t *testing.T) {
	var did []string
	succeeds := func(name string) step {
		return step{name, func(*demo, context.Context) error { did = append(did, name); return nil }}
	}
	fails := step{"fails", func(*demo, context.Context) error { return errEnough }}
	loses := step{"loses", func(d *demo, ctx context.Context) error {
		d.fail(errEnough)
		return ctx.Err()
	}}
	for name, tt := range map[string]struct {
		steps []step
		did   []string
		want  string
	}{
		"all succeed":                  {[]step{succeeds("1"), succeeds("2")}, []string{"1", "2"}, ""},
		"one fails":                    {[]step{succeeds("1"), fails, succeeds("3")}, []string{"1"}, "step 2/3 (fails): enough"},
		"something that it needs ends": {[]step{loses, succeeds("2")}, nil, "step 1/2 (loses): enough"},
	} {
		t.Run(name, func(t *testing.T) {
			did = nil
			ctx, fail := context.WithCancelCause(t.Context())
			defer fail(nil)
			var out strings.Builder
			err := newDemo(&out, fail).runSteps(ctx, tt.steps)
			if diff := cmp.Diff(tt.did, did); diff != "" {
				t.Error(diff)
			}
			if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, errEnough) || err.Error() != tt.want) {
				t.Errorf("runSteps returned %v, want %q", err, tt.want)
			}
			if announced := strings.Count(out.String(), "\n"); announced < len(tt.did) {
				t.Errorf("it announces %q", &out)
			}
		})
	}
}

func TestStayEndsWithASignalOrAFailure(t *testing.T) {
	for name, signaled := range map[string]bool{"signal": true, "failure": false} {
		t.Run(name, func(t *testing.T) {
			signals, signal := context.WithCancel(t.Context())
			defer signal()
			ctx, fail := context.WithCancelCause(signals)
			defer fail(nil)
			var out strings.Builder
			d := newDemo(&out, fail)
			d.dir, d.sandbox = "/the/directory", "http://the.sandbox"
			if signaled {
				signal()
			} else {
				fail(errEnough)
			}
			if err := d.stay(ctx, signals); (err == nil) != signaled || err != nil && !errors.Is(err, errEnough) {
				t.Errorf("stay returned %v", err)
			}
			for _, part := range []string{"export KUBECONFIG=/the/directory/kubeconfig\n", "http://the.sandbox", "Ctrl-C"} {
				if !strings.Contains(out.String(), part) {
					t.Errorf("%q lacks %q", &out, part)
				}
			}
		})
	}
}

func TestClearUndoesAllInReverse(t *testing.T) {
	var undone []int
	d := newDemo(nil, nil)
	for i := range 3 {
		d.later(func() error {
			undone = append(undone, i)
			if i == 1 {
				return errEnough
			}
			return nil
		})
	}
	if err := d.clear(false); !errors.Is(err, errEnough) {
		t.Errorf("clear returned %v", err)
	}
	if diff := cmp.Diff([]int{2, 1, 0}, undone); diff != "" {
		t.Error(diff)
	}
}

func TestLogsOutliveAFailureOnly(t *testing.T) {
	for name, failed := range map[string]bool{"success": false, "failure": true} {
		t.Run(name, func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			d := newDemo(nil, nil)
			d.dir = t.TempDir()
			for _, name := range []string{"operator.log", "kubeconfig"} {
				if err := os.WriteFile(d.path(name), []byte(name), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d.later(d.saveLogs)
			if err := d.clear(failed); err != nil {
				t.Fatal(err)
			}
			kept, err := filepath.Glob(filepath.Join(temp, "*", "*"))
			if err != nil {
				t.Fatal(err)
			}
			if !failed {
				if len(kept) > 0 || d.kept != "" {
					t.Errorf("%v is kept: %q", kept, d.kept)
				}
				return
			}
			if len(kept) != 1 || filepath.Base(kept[0]) != "operator.log" || d.kept != "Logs: "+filepath.Dir(kept[0]) {
				t.Errorf("%v is kept: %q", kept, d.kept)
			}
		})
	}
}

func TestExplainShowsTheEndOfTheLogs(t *testing.T) {
	var out strings.Builder
	d := newDemo(&out, nil)
	d.dir = t.TempDir()
	log := "the beginning\n" + strings.Repeat("noise\n", tailLines) + "the reason\n"
	if err := os.WriteFile(d.log(operatorProgram), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	d.explain(t.Context(), errEnough)
	for _, part := range []string{"Failed: enough\n", "log of smile-operator:\n", "  the reason\n"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q lacks %q", &out, part)
		}
	}
	if strings.Contains(out.String(), "the beginning") {
		t.Errorf("%q has the whole log", &out)
	}
}
