package auditlog_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/auditlog"
)

// The page documents the fields in the order in which they are written, and each value of the closed lists.
func TestThePageIsTheSchema(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/audit-log.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := tables(string(page))
	if diff := cmp.Diff(fields(reflect.TypeFor[auditlog.Record]()), documented["field"]); diff != "" {
		t.Errorf("fields: %s", diff)
	}
	for _, list := range []string{"action", "reason", "outcome"} {
		if diff := cmp.Diff(declared(t, list), documented[list]); diff != "" {
			t.Errorf("%ss: %s", list, diff)
		}
	}
}

var row = regexp.MustCompile("^\\| (?:`([^`]+)`|([a-z]+)) \\|")

// tables are the first columns of the page's tables, by the column's title.
func tables(page string) map[string][]string {
	found, title := map[string][]string{}, ""
	for line := range strings.Lines(page) {
		cells := row.FindStringSubmatch(line)
		switch {
		case cells == nil:
		case cells[1] != "":
			found[title] = append(found[title], cells[1])
		default:
			title = cells[2]
		}
	}
	return found
}

func fields(of reflect.Type) []string {
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	var names []string
	for i := range of.NumField() {
		field := of.Field(i)
		if field.Anonymous {
			names = append(names, fields(field.Type)...)
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// declared are the constants of one of the closed lists.
func declared(t *testing.T, list string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "record.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(strings.ToLower(spec.Names[0].Name), list) {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
		return true
	})
	return values
}
