package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

func TestStepLinesAreAligned(t *testing.T) {
	got := stepLine(90*time.Millisecond, 1, 10, "Begin") + stepLine(123*time.Second, 10, 10, "End") + noteIndent + "note\n"
	want := "" +
		"   0.1 s   1/10  Begin\n" +
		" 123.0 s  10/10  End\n" +
		"                 note\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWrapped(t *testing.T) {
	long := "--" + strings.Repeat("x", wrapWidth/2)
	for name, tt := range map[string]struct {
		command []string
		want    []string
	}{
		"program only": {[]string{"ls"}, []string{"$ ls"}},
		"fits":         {[]string{"kubectl", "get", "smile"}, []string{"$ kubectl get smile"}},
		"breaks":       {[]string{"a", long, long, "b"}, []string{"$ a " + long + ` \`, "    " + long + " b"}},
		"breaks twice": {[]string{"a", long, long, long}, []string{"$ a " + long + ` \`, "    " + long + ` \`, "    " + long}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, wrapped(tt.command...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTail(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"empty":         {"", ""},
		"short":         {"1\n", "1\n"},
		"exact":         {"1\n2\n", "1\n2\n"},
		"long":          {"1\n2\n3\n4\n", "3\n4\n"},
		"no newline":    {"1\n2\n3", "2\n3"},
		"empty lines":   {"1\n\n\n", "\n\n"},
		"one line only": {"1", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tail(tt.text, 2); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestIndent(t *testing.T) {
	for text, want := range map[string]string{
		"":         "",
		"a\n b\n":  "  a\n   b\n",
		"a\nb":     "  a\n  b\n",
		"a\n\n  b": "  a\n  \n    b\n",
	} {
		if got := indent(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestExcerpts(t *testing.T) {
	got := excerpts(map[string][]byte{
		"b.json": []byte("1\n2\n3\n4\n"),
		"a.json": []byte("[]\n"),
		"c.json": []byte("1\n2\n3\n"),
		"d.json": nil,
	}, 3)
	want := `a.json (1 line)
  []
b.json (4 lines)
  1
  2
  3
  ...
c.json (3 lines)
  1
  2
  3
d.json (0 lines)
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCallTable(t *testing.T) {
	got := callTable(sandbox.Stats{Requests: map[string]map[int]int{
		"list-users":  {200: 2, 429: 1},
		"create-user": {201: 1000},
	}})
	want := `  OPERATION    CALLS
  create-user   1000
  list-users       3
  total         1003
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
