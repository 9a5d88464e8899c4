package output

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const person = `{
	"name": "Ana", "middle": null, "age": 30, "tags": ["a", "b"],
	"employer": {"name": "Acme", "seat": {"city": "Cebu", "zip": null}, "empty": {}},
	"addresses": [{"city": "Cebu", "zip": "6000"}, null, {"city": "Naga", "lines": [{"n": 1, "m": 2}, {"n": 3}]}, "text"],
	"none": []
}`

func object(t testing.TB, text string) map[string]any {
	t.Helper()
	item, err := decodeObject(json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return item
}

func TestProject(t *testing.T) {
	t.Parallel()
	type paths = []v1alpha1.FieldPath
	for _, c := range []struct {
		paths paths
		want  string
	}{
		{paths{}, `{}`},
		{paths{"name"}, `{"name": "Ana"}`},
		{paths{"name", "name"}, `{"name": "Ana"}`},
		{paths{"absent", "absent.deeper", "absent[].x"}, `{}`},
		{paths{"middle"}, `{"middle": null}`},
		{paths{"middle.of"}, `{"middle": null}`},
		{paths{"middle[].of"}, `{"middle": null}`},
		{paths{"age.years", "name[]", "name[0]", "employer[]"}, `{}`},
		{paths{"employer.name"}, `{"employer": {"name": "Acme"}}`},
		{paths{"employer.absent"}, `{}`},
		{paths{"employer.empty"}, `{"employer": {"empty": {}}}`},
		{paths{"employer.seat.zip", "employer.name"}, `{"employer": {"name": "Acme", "seat": {"zip": null}}}`},
		{paths{"employer.seat.city", "employer.seat"}, `{"employer": {"seat": {"city": "Cebu", "zip": null}}}`},
		{paths{"addresses.city"}, `{}`},
		{paths{"addresses[].city"}, `{"addresses": [{"city": "Cebu"}, null, {"city": "Naga"}, null]}`},
		{paths{"addresses[].zip"}, `{"addresses": [{"zip": "6000"}, null, {}, null]}`},
		{paths{"addresses[].zip", "addresses[].city"}, `{"addresses": [{"city": "Cebu", "zip": "6000"}, null, {"city": "Naga"}, null]}`},
		{paths{"addresses[2].lines[].n"}, `{"addresses": [{"lines": [{"n": 1}, {"n": 3}]}]}`},
		{paths{"addresses[].lines[1].n"}, `{"addresses": [{}, null, {"lines": [{"n": 3}]}, null]}`},
		{paths{"addresses[0]"}, `{"addresses": [{"city": "Cebu", "zip": "6000"}]}`},
		{paths{"addresses[00].city", "addresses[002].city"}, `{"addresses": [{"city": "Cebu"}, {"city": "Naga"}]}`},
		{paths{"addresses[2].city", "addresses[0].zip"}, `{"addresses": [{"zip": "6000"}, {"city": "Naga"}]}`},
		{paths{"addresses[0].zip", "addresses[].city"}, `{"addresses": [{"city": "Cebu", "zip": "6000"}, null, {"city": "Naga"}, null]}`},
		{paths{"addresses[1]"}, `{"addresses": [null]}`},
		{paths{"addresses[9]"}, `{"addresses": []}`},
		{paths{"tags[]"}, `{"tags": ["a", "b"]}`},
		{paths{"tags[1]"}, `{"tags": ["b"]}`},
		{paths{"none[].x"}, `{"none": []}`},
	} {
		want := object(t, c.want)
		for range 2 { // the order of the paths says nothing
			if diff := cmp.Diff(want, Project(object(t, person), c.paths)); diff != "" {
				t.Errorf("%v: (-want +got)\n%s", c.paths, diff)
			}
			slices.Reverse(c.paths)
		}
	}
}

// Projections of one item, made one after the other and with paths that overlap in every way, never show in the item
// nor in each other.
func TestProjectionsDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	pool := []v1alpha1.FieldPath{
		"name", "middle", "employer", "employer.name", "employer.seat", "employer.seat.city", "employer.empty.x",
		"addresses", "addresses[]", "addresses[].city", "addresses[].lines", "addresses[].lines[].n", "addresses[0]",
		"addresses[2]", "addresses[0].zip", "addresses[2].lines[0]", "addresses[2].lines[1]", "tags[]", "tags[0]", "tags[1]",
	}
	rapid.Check(t, func(rt *rapid.T) {
		item := object(t, person)
		draw := func(label string) []v1alpha1.FieldPath {
			return rapid.SliceOfN(rapid.SampledFrom(pool), 0, 6).Draw(rt, label)
		}
		firstPaths, secondPaths := draw("first"), draw("second")
		first := Project(item, firstPaths)
		second := Project(item, secondPaths)
		first["accountId"], second["accountId"] = "1", "2"
		delete(first, "accountId")
		delete(second, "accountId")
		if diff := cmp.Diff(object(t, person), item); diff != "" {
			rt.Fatalf("the item changed:\n%s", diff)
		}
		if diff := cmp.Diff(Project(object(t, person), firstPaths), first); diff != "" {
			rt.Fatalf("the first changed:\n%s", diff)
		}
		if diff := cmp.Diff(Project(object(t, person), secondPaths), second); diff != "" {
			rt.Fatalf("the second is not that of an untouched item:\n%s", diff)
		}
		joined := Project(item, slices.Concat(firstPaths, secondPaths))
		slices.Reverse(firstPaths)
		slices.Reverse(secondPaths)
		if diff := cmp.Diff(joined, Project(item, slices.Concat(secondPaths, firstPaths))); diff != "" {
			rt.Fatalf("the order of the paths matters:\n%s", diff)
		}
	})
}

var permitted = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(\[[0-9]{0,3}\])?(\.[A-Za-z][A-Za-z0-9_]*(\[[0-9]{0,3}\])?)*$`)

// Whatever an item and a path hold: nothing that was not in the item comes out of it, the item stays as it is, and
// what is selected selects itself again unless [n] moved it.
func FuzzProject(f *testing.F) {
	for _, path := range []string{"name", "addresses[].city", "addresses[2].lines[].n", "employer.seat", "a[999].b", "tags[]"} {
		f.Add(person, path)
	}
	indexed := regexp.MustCompile(`\[[0-9]`)
	f.Fuzz(func(t *testing.T, text, path string) {
		item, err := decodeObject(json.RawMessage(text))
		if err != nil || !permitted.MatchString(path) {
			return
		}
		paths := []v1alpha1.FieldPath{v1alpha1.FieldPath(path)}
		selected := Project(item, paths)
		if !cmp.Equal(item, object(t, text)) {
			t.Fatalf("%s: the item changed", path)
		}
		for name, value := range leaves(selected, "") {
			if !slices.ContainsFunc(leavesNamed(item, name), func(known any) bool { return cmp.Equal(known, value) }) {
				t.Fatalf("%s: %q at %q is not in the item", path, value, name)
			}
		}
		if !indexed.MatchString(path) && !cmp.Equal(selected, Project(selected, paths)) {
			t.Fatalf("%s: selecting twice differs from selecting once", path)
		}
	})
}

// leaves returns one of the scalars behind each path of names through a value, lists being passed through.
func leaves(value any, at string) map[string]any {
	found := map[string]any{}
	eachLeaf(value, at, func(name string, leaf any) { found[name] = leaf })
	return found
}

func leavesNamed(value any, wanted string) []any {
	var found []any
	eachLeaf(value, "", func(name string, leaf any) {
		if name == wanted {
			found = append(found, leaf)
		}
	})
	return found
}

func eachLeaf(value any, at string, do func(string, any)) {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			eachLeaf(inner, at+"/"+name, do)
		}
	case []any:
		for _, inner := range value {
			eachLeaf(inner, at+"/*", do)
		}
	case nil: // stands for an element of which nothing is selected
	default:
		do(at, value)
	}
}
