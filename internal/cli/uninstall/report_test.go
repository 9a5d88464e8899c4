package uninstall

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var write = flag.Bool("write", false, "write the golden files")

func some(kind, resource string, n int) []Object {
	objects := make([]Object, n)
	for i := range objects {
		objects[i] = Object{
			Kind: kind, Namespace: "prod", Name: fmt.Sprintf("person-%02d", i),
			resource: schema.GroupResource{Group: "smile-operator.io", Resource: resource},
		}
	}
	return objects
}

func TestReportText(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 3, 31, 12, 15, 0, 0, time.UTC)
	users, hooks := some("SmileUser", "smileusers", 12), some("SmileWebhookSubscription", "smilewebhooksubscriptions", 1)
	blocked := some("SmileUser", "smileusers", 1)
	blocked[0].Message = "the deletion waits until something at Smile is revoked or deleted (SmileUnavailable)"
	for name, report := range map[string]*Report{
		"done":    {ReleasedUntil: until, Released: append(hooks, users...), Completed: hooks, Orphaned: blocked},
		"nothing": {ReleasedUntil: until},
		"plan":    {ReleasedUntil: until, DryRun: true, Released: users, Completed: blocked},
		"left":    {ReleasedUntil: until, Left: blocked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report.sort()
			var text bytes.Buffer
			report.Write(&text)
			golden(t, name+".txt", text.Bytes())
			encoded, err := json.MarshalIndent(report, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", append(encoded, '\n'))
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *write {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (go test -write writes it):\n%s", path, diff)
	}
}
