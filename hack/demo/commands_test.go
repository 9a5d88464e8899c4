package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var errEnough = errors.New("enough")

func TestOutput(t *testing.T) {
	got, err := output(t.Context(), command(t.Context(), "/", "sh", "-c", "pwd; echo noise >&2"))
	if err != nil || got != "/\n" {
		t.Errorf("output is %q, %v", got, err)
	}
}

func TestOutputReportsFailures(t *testing.T) {
	ended, end := context.WithCancelCause(t.Context())
	end(errEnough)
	for name, tt := range map[string]struct {
		ctx    context.Context
		script string
		want   []string
	}{
		"exit code and message": {t.Context(), "echo out; echo the reason >&2; exit 3", []string{"sh: ", "exit status 3", "the reason"}},
		"cause of the context":  {ended, "exec sleep 1000", []string{"sh: ", errEnough.Error()}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := output(tt.ctx, command(tt.ctx, "", "sh", "-c", tt.script))
			if err == nil || got != "" {
				t.Fatalf("output is %q, %v", got, err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
		})
	}
}

func TestServeFailsTheDemoWhenTheProgramEnds(t *testing.T) {
	ctx, fail := context.WithCancelCause(t.Context())
	var out strings.Builder
	d := newDemo(&out, fail)
	d.root, d.dir = t.TempDir(), t.TempDir()
	script := "#!/bin/sh\necho \"$GREETING $1\"\nexit 4\n"
	if err := os.WriteFile(d.path("program"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.serve(ctx, "GREETING=hello", "program", "world"); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if got, want := context.Cause(ctx).Error(), "program ended by itself: exit status 4"; got != want {
		t.Errorf("the demo fails with %q, want %q", got, want)
	}
	if log, err := os.ReadFile(d.log("program")); err != nil || string(log) != "hello world\n" {
		t.Errorf("the log is %q, %v", log, err)
	}
	if want := noteIndent + "$ program world\n"; out.String() != want {
		t.Errorf("it says %q, want %q", &out, want)
	}
	if err := d.clear(false); err != nil {
		t.Error(err)
	}
}

func TestFirstLine(t *testing.T) {
	ended, end := context.WithCancelCause(t.Context())
	end(errEnough)
	for name, tt := range map[string]struct {
		ctx     context.Context
		content string
		want    string
		problem string
	}{
		"complete":   {t.Context(), "at URL\nmore\n", "URL", ""},
		"other":      {t.Context(), "error\n", "", `begins with "error"`},
		"incomplete": {ended, "at UR", "", errEnough.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := firstLine(tt.ctx, path, "at ")
			if got != tt.want || (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestFirstLineWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(2*pollInterval, func() { _ = os.WriteFile(path, []byte("at URL\n"), 0o600) })
	if got, err := firstLine(t.Context(), path, "at "); got != "URL" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
