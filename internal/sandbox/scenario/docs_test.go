package scenario

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// fields are the names of all fields of a type, and of the types within it.
func fields(of reflect.Type) []string {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		return fields(of.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	var names []string
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if name == "" && !field.Anonymous {
			name = strings.ToLower(field.Name)
		}
		if field.IsExported() && name != "" {
			names = append(names, name)
		}
		names = append(names, fields(field.Type)...)
	}
	return names
}

// TestEveryFieldIsDocumented: the page of the format names all fields, as code.
func TestEveryFieldIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/sandbox-tests.md")
	if err != nil {
		t.Fatal(err)
	}
	_, reference, _ := strings.Cut(string(page), "### The file")
	all := fields(reflect.TypeFor[Scenario]())
	if len(all) < 40 {
		t.Fatalf("only %q", all)
	}
	for _, name := range all {
		if !strings.Contains(reference, "`"+name+"`") {
			t.Errorf("%s is not documented", name)
		}
	}
}
