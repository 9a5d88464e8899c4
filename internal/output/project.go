package output

import (
	"strconv"
	"strings"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// Project keeps only the fields that the paths select. A path that leads to nothing selects nothing: absent stays
// absent and null stays null. Lists keep their length and order under [], and shrink to one element under [n].
func Project(item map[string]any, paths []v1alpha1.FieldPath) map[string]any {
	var selected any
	for _, path := range paths {
		selected = merge(selected, pick(item, parsePath(path)))
	}
	object, _ := selected.(map[string]any)
	if object == nil {
		object = map[string]any{}
	}
	return object
}

// step is one part of a path: a name, and what of the list behind it.
type step struct {
	name  string
	list  bool
	index int // -1 for each element
}

func parsePath(path v1alpha1.FieldPath) []step {
	var steps []step
	for part := range strings.SplitSeq(string(path), ".") {
		name, bracket, list := strings.Cut(part, "[")
		s := step{name: name, list: list, index: -1}
		if n, err := strconv.Atoi(strings.TrimSuffix(bracket, "]")); err == nil {
			s.index = n
		}
		steps = append(steps, s)
	}
	return steps
}

// pick copies what a path selects, in the shape of the source; nil when that is nothing.
func pick(value any, steps []step) any {
	if len(steps) == 0 {
		return value
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	first, rest := steps[0], steps[1:]
	found, ok := object[first.name]
	if !ok {
		return nil
	}
	if found != nil {
		found = pickIn(found, first, rest)
		if found == nil {
			return nil
		}
	}
	return map[string]any{first.name: found}
}

func pickIn(value any, at step, rest []step) any {
	if !at.list {
		return pick(value, rest)
	}
	list, ok := value.([]any)
	if !ok {
		return nil
	}
	if at.index >= 0 {
		if at.index >= len(list) {
			return []any{}
		}
		list = list[at.index : at.index+1]
	}
	picked := make([]any, len(list))
	for i, element := range list {
		picked[i] = pick(element, rest)
	}
	return picked
}

// merge joins two selections of the same source.
func merge(a, b any) any {
	switch left := a.(type) {
	case map[string]any:
		right, ok := b.(map[string]any)
		if !ok {
			return left
		}
		for name, value := range right {
			left[name] = merge(left[name], value)
		}
		return left
	case []any:
		right, ok := b.([]any)
		if !ok || len(left) != len(right) {
			return left
		}
		for i := range left {
			left[i] = merge(left[i], right[i])
		}
		return left
	case nil:
		return b
	default:
		return left
	}
}
