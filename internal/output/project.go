package output

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// Project keeps only what the paths select; their order does not matter. A path that does not exist in the item selects
// nothing: absent stays absent and null stays null. [] keeps every element of a list in its place: an element of which
// nothing is selected becomes an empty object, and one that is not an object becomes null. [n] keeps one element, if it
// exists. The item is not changed, and the result shares values with it.
func Project(item map[string]any, paths []v1alpha1.FieldPath) map[string]any {
	wanted := make([][]step, len(paths))
	for i, path := range paths {
		wanted[i] = parsePath(path)
	}
	return projectObject(item, wanted)
}

// step leads from a value into it: to a field of an object, or into a list.
type step struct {
	name  string
	list  bool
	index int // of the element; every for all of them
}

const every = -1

// parsePath reads addresses[].city as three steps.
func parsePath(path v1alpha1.FieldPath) []step {
	var steps []step
	for part := range strings.SplitSeq(string(path), ".") {
		name, bracket, list := strings.Cut(part, "[")
		steps = append(steps, step{name: name})
		if !list {
			continue
		}
		index, err := strconv.Atoi(strings.TrimSuffix(bracket, "]"))
		if err != nil {
			index = every
		}
		steps = append(steps, step{list: true, index: index})
	}
	return steps
}

// project gives what the paths select of a value; false when that is nothing.
func project(value any, paths [][]step) (any, bool) {
	for _, path := range paths {
		if len(path) == 0 {
			return value, true
		}
	}
	switch value := value.(type) {
	case nil:
		return nil, true
	case map[string]any:
		selected := projectObject(value, paths)
		return selected, len(selected) > 0
	case []any:
		return projectList(value, paths)
	default:
		return nil, false
	}
}

func projectObject(object map[string]any, paths [][]step) map[string]any {
	behind := map[string][][]step{}
	for _, path := range paths {
		if first := path[0]; !first.list {
			behind[first.name] = append(behind[first.name], path[1:])
		}
	}
	selected := map[string]any{}
	for name, rests := range behind {
		value, ok := object[name]
		if !ok {
			continue
		}
		if kept, ok := project(value, rests); ok {
			selected[name] = kept
		}
	}
	return selected
}

func projectList(list []any, paths [][]step) ([]any, bool) {
	selected, into := []any{}, false
	for _, path := range paths {
		into = into || path[0].list
	}
	for i, element := range list {
		rests := behindElement(i, paths)
		if len(rests) == 0 {
			continue
		}
		kept, ok := project(element, rests)
		if _, object := element.(map[string]any); object && !ok {
			kept = map[string]any{}
		}
		selected = append(selected, kept)
	}
	return selected, into
}

func behindElement(i int, paths [][]step) [][]step {
	var rests [][]step
	for _, path := range paths {
		if first := path[0]; first.list && (first.index == every || first.index == i) {
			rests = append(rests, path[1:])
		}
	}
	return rests
}

// ofSelected are the paths that select the same data again from data that they have selected before: of a list that has fewer
// elements now, every element.
func ofSelected(paths []v1alpha1.FieldPath) []v1alpha1.FieldPath {
	again := make([]v1alpha1.FieldPath, len(paths))
	for i, path := range paths {
		again[i] = v1alpha1.FieldPath(anyIndex.ReplaceAllString(string(path), "[]"))
	}
	return again
}

var anyIndex = regexp.MustCompile(`\[[0-9]+\]`)
