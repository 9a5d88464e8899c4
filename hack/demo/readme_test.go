package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestReadmeShowsTheSamples: what a reader sees first is what the demo applies.
func TestReadmeShowsTheSamples(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```yaml\n")
	shown, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("the README shows no YAML")
	}
	raw, err := os.ReadFile("../../config/samples/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Resources []string }
	if err := yaml.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	var samples []any
	for _, name := range list.Resources {
		raw, err := os.ReadFile(filepath.Join("../../config/samples", name))
		if err != nil {
			t.Fatal(err)
		}
		samples = append(samples, documents(t, string(raw))...)
	}
	if diff := cmp.Diff(samples, documents(t, shown)); diff != "" {
		t.Error(diff)
	}
}

func documents(t *testing.T, text string) []any {
	t.Helper()
	var all []any
	for part := range strings.SplitSeq(text, "---\n") {
		var one any
		if err := yaml.Unmarshal([]byte(part), &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}
