package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Problem says what is wrong in a file.
type Problem struct {
	// Line counts from 1; 0 is the whole file.
	Line int
	// Field is the path of the field, such as "step 3, link.provider".
	Field string
	Text  string
}

// Problems are everything that is wrong in a file.
type Problems struct {
	File string
	List []Problem
}

// Error has a line for each problem, which editors can open.
func (p *Problems) Error() string {
	var lines []string
	for _, one := range p.List {
		at := p.File
		if one.Line > 0 {
			at += fmt.Sprintf(":%d", one.Line)
		}
		lines = append(lines, strings.Join(append([]string{at}, nonempty(one.Field, one.Text)...), ": "))
	}
	return strings.Join(lines, "\n")
}

func nonempty(texts ...string) []string {
	var kept []string
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}

// Read reads a scenario. set is called with each flag that the scenario sets; its
// error becomes a problem at that line. The error is *Problems if the file is wrong.
func Read(file string, text []byte, set func(flag, value string) error) (*Scenario, error) {
	problems := &Problems{File: file}
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		problems.add(unreadable(&root, err)...)
		return nil, problems
	}
	read := &Scenario{Name: file}
	if err := yaml.Load(text, read, yaml.WithKnownFields(), yaml.WithUniqueKeys(true)); err != nil {
		problems.add(unreadable(&root, err)...)
		return nil, problems
	}
	for i := range read.Steps {
		read.lines = append(read.lines, line(&root, place{"steps", i}))
	}
	check := &checker{users: map[string]bool{}}
	check.scenario(read, set)
	for _, found := range check.found {
		problems.add(Problem{line(&root, found.at), found.at.String(), found.text})
	}
	if len(problems.List) > 0 {
		return nil, problems
	}
	return read, nil
}

func (p *Problems) add(more ...Problem) { p.List = append(p.List, more...) }

// unreadable turns errors of the YAML library into problems.
func unreadable(root *yaml.Node, err error) []Problem {
	var several *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case errors.As(err, &several):
	case errors.As(err, &one):
		several = &yaml.LoadErrors{Errors: []*yaml.LoadError{one}}
	default:
		return []Problem{{Text: err.Error()}}
	}
	var found []Problem
	for _, e := range several.Errors {
		at := find(root, e.Mark.Line, e.Mark.Column)
		found = append(found, Problem{e.Mark.Line, at.String(), plain(e.Message)})
	}
	return found
}

// rephrased are messages of the YAML library that name Go types.
var rephrased = []struct {
	library *regexp.Regexp
	plain   string
}{
	{regexp.MustCompile(`^field (.*) not found in type .*$`), "unknown field"},
	{regexp.MustCompile("^cannot construct !!\\w+ `(.*)` into u?int.*$"), "want a whole number, not `$1`"},
	{regexp.MustCompile("^cannot construct !!\\w+ `(.*)` into bool$"), "want true or false, not `$1`"},
	{regexp.MustCompile("^cannot construct !!seq into .*$"), "want a single value or fields, not a list"},
	{regexp.MustCompile("^cannot construct !!map into .*$"), "want a single value or a list, not fields"},
	{
		regexp.MustCompile("^cannot construct !!\\w+ `(.*)` into (\\[\\]|scenario\\.(Command|Faults|DeliveryFaults)).*$"),
		"want a list, not `$1`",
	},
	{regexp.MustCompile("^cannot construct !!\\w+ `(.*)` into .*$"), "want fields, not `$1`"},
	{regexp.MustCompile(`^yaml: no documents in stream$`), "the file is empty"},
	{regexp.MustCompile(`^yaml: expected single document, found multiple$`), "want one document, not several"},
}

func plain(message string) string {
	for _, r := range rephrased {
		if r.library.MatchString(message) {
			return r.library.ReplaceAllString(message, r.plain)
		}
	}
	return message
}

// place is the path of a field: names, and indexes of lists.
type place []any

// and is a place below this one.
func (p place) and(below ...any) place { return append(append(place{}, p...), below...) }

// String is "step 3, link.provider". Steps count from 1.
func (p place) String() string {
	var text bytes.Buffer
	rest := p
	if len(p) > 1 && p[0] == "steps" {
		fmt.Fprintf(&text, "step %d", p[1].(int)+1)
		rest = p[2:]
	}
	separator := ""
	if text.Len() > 0 {
		separator = ", "
	}
	for _, element := range rest {
		if i, index := element.(int); index {
			fmt.Fprintf(&text, "[%d]", i)
			continue
		}
		fmt.Fprintf(&text, "%s%s", separator, element)
		separator = "."
	}
	return text.String()
}

// line is the line of a field, or of the nearest field around it that the file has.
func line(root *yaml.Node, at place) int {
	node := root
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	found := max(node.Line, 1)
	for _, element := range at {
		next, where := child(node, element)
		if next == nil {
			break
		}
		node, found = next, where
	}
	return found
}

// child is an element of a list or a field, and its line; nil if there is none.
func child(node *yaml.Node, element any) (found *yaml.Node, where int) {
	if i, index := element.(int); index {
		if node.Kind != yaml.SequenceNode || i >= len(node.Content) {
			return nil, 0
		}
		return node.Content[i], node.Content[i].Line
	}
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == element {
			return node.Content[i+1], node.Content[i].Line
		}
	}
	return nil, 0
}

// find is the place of what begins at a line and a column.
func find(node *yaml.Node, line, column int) place {
	here := func(n *yaml.Node) bool { return n.Line == line && n.Column == column }
	for i, inner := range node.Content {
		var at place
		switch node.Kind {
		case yaml.SequenceNode:
			at = place{i}
		case yaml.MappingNode:
			if i%2 == 0 {
				if here(inner) {
					return place{inner.Value}
				}
				continue
			}
			at = place{node.Content[i-1].Value}
		}
		if deeper := find(inner, line, column); deeper != nil {
			return at.and(deeper...)
		}
		if here(inner) && at != nil {
			return at
		}
	}
	return nil
}
