package v1alpha1_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// constants reads the string constants of a file whose names begin with prefix, by name.
func constants(t *testing.T, file, prefix string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is not a literal", spec.Names[0].Name)
		}
		value, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		found[spec.Names[0].Name] = value
		return true
	})
	if len(found) == 0 {
		t.Fatalf("%s declares no %s...", file, prefix)
	}
	return found
}

func TestConstantsAreNamedAfterTheirValues(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[A-Z][A-Za-z]{1,62}$`)
	for _, prefix := range []string{"Condition", "Reason"} {
		for name, value := range constants(t, "conditions.go", prefix) {
			if name != prefix+value || !form.MatchString(value) {
				t.Errorf("%s is %q", name, value)
			}
		}
	}
}

func TestTheListsHaveAllConstants(t *testing.T) {
	t.Parallel()
	for prefix, listed := range map[string][]string{"Condition": v1alpha1.ConditionTypes, "Reason": v1alpha1.Reasons} {
		declared := slices.Sorted(maps.Values(constants(t, "conditions.go", prefix)))
		if diff := cmp.Diff(declared, slices.Sorted(slices.Values(listed))); diff != "" {
			t.Errorf("declared (-) and listed (+) differ:\n%s", diff)
		}
	}
}

// The page has exactly one row for each reason, with three filled cells.
func TestEachReasonIsDocumentedOnce(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reasons.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([A-Za-z]+)` \\| ([^|]+) \\| ([^|]+) \\|$")
	var documented []string
	for _, match := range row.FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, match[1])
		for _, cell := range match[2:] {
			if cell != strings.TrimSpace(cell) || !strings.HasSuffix(cell, ".") {
				t.Errorf("%s: %q is not a sentence", match[1], cell)
			}
		}
	}
	if rows := strings.Count(string(page), "\n| `"); rows != len(documented) {
		t.Errorf("%d of %d rows have the form | `reason` | meaning | what to do |", len(documented), rows)
	}
	slices.Sort(documented)
	var declared []string
	for _, reason := range constants(t, "conditions.go", "Reason") {
		declared = append(declared, reason)
	}
	slices.Sort(declared)
	if diff := cmp.Diff(declared, documented); diff != "" {
		t.Errorf("declared (-) and documented (+) reasons differ:\n%s", diff)
	}
}

// Every annotation that the page names exists.
func TestTheReasonsPageNamesAnnotationsThatExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reasons.md")
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, name := range constants(t, "names.go", "Annotation") {
		known = append(known, name)
	}
	named := regexp.MustCompile(`smile-operator\.io/[a-z-]+`).FindAllString(string(page), -1)
	if len(named) == 0 {
		t.Error("none is named")
	}
	for _, name := range named {
		if !slices.Contains(known, name) {
			t.Errorf("%s is no annotation of the API", name)
		}
	}
}
