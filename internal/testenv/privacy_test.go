package testenv_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/internal/testenv"
)

// TestPrivacyPage checks that each test that docs/privacy.md names exists, that each row of its table names one or says that the claim
// is about something else, and that the page shows the encryption that these tests use.
func TestPrivacyPage(t *testing.T) {
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "privacy.md"))
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.Join(strings.Fields(string(page)), " ")
	tests := sourcesOfTests(t, root)
	proofs := 0
	for _, proof := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(joined, -1) {
		if proofs++; !strings.Contains(tests, "\nfunc "+proof[1]+"(t *testing.T)") {
			t.Errorf("there is no test %s", proof[1])
		}
	}
	prose := regexp.MustCompile("(?s)```.*?```").ReplaceAllString(string(page), "")
	for _, proof := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(strings.Join(strings.Fields(prose), " "), -1) {
		if proof[1] == "true" {
			continue
		}
		if proofs++; !strings.Contains(tests, `("`+proof[1]) {
			t.Errorf("there is no test %q", proof[1])
		}
	}
	if proofs < 30 {
		t.Errorf("the page names %d tests", proofs)
	}
	for _, line := range strings.Split(string(page), "\n") {
		if cells := strings.Split(line, "|"); len(cells) == 8 && !strings.ContainsAny(cells[6], "`\"*-") && !strings.Contains(line, "| proof |") {
			t.Errorf("a row has no proof: %s", line)
		}
	}
	if !strings.Contains(string(page), "```yaml\n"+testenv.Encryption+"```") {
		t.Error("the page does not show the encryption of these tests")
	}
}

// sourcesOfTests are all test files.
func sourcesOfTests(t *testing.T, root string) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range []string{"api", "controllers", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			all.WriteString("\n")
			all.Write(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}
