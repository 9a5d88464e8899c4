package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// value is a value of the chart, or a group of values.
type value struct {
	// path is its place, as in receiver.tls.secretName; empty for the root.
	path        string
	description string
	// fallback is the default, as JSON; empty for a group.
	fallback string
	// group has the values in the order of the schema.
	group []value
}

// schemaNode is the part of a JSON schema that the chart uses.
type schemaNode struct {
	Ref         string    `yaml:"$ref"`
	Description string    `yaml:"description"`
	Default     yaml.Node `yaml:"default"`
	Properties  yaml.Node `yaml:"properties"`
}

// readValues reads the schema. It is JSON, and so YAML, whose parser keeps the order of the values.
func readValues(schema []byte) (value, error) {
	var document struct {
		schemaNode  `yaml:",inline"`
		Definitions map[string]schemaNode `yaml:"definitions"`
	}
	if err := yaml.Unmarshal(schema, &document); err != nil {
		return value{}, err
	}
	return readNode("", document.schemaNode, document.Definitions)
}

func readNode(path string, node schemaNode, definitions map[string]schemaNode) (value, error) {
	if node.Ref != "" {
		found, ok := definitions[strings.TrimPrefix(node.Ref, "#/definitions/")]
		if !ok {
			return value{}, fmt.Errorf("%s: %s is not defined", path, node.Ref)
		}
		node = found
	}
	v := value{path: path, description: node.Description}
	if v.description == "" {
		return value{}, fmt.Errorf("%s has no description", path)
	}
	if !node.Default.IsZero() {
		var content any
		if err := node.Default.Decode(&content); err != nil {
			return value{}, fmt.Errorf("%s: %w", path, err)
		}
		fallback, err := json.Marshal(content)
		v.fallback = string(fallback)
		return v, err
	}
	for i := 0; i+1 < len(node.Properties.Content); i += 2 {
		var property schemaNode
		if err := node.Properties.Content[i+1].Decode(&property); err != nil {
			return value{}, fmt.Errorf("%s: %w", path, err)
		}
		member, err := readNode(strings.TrimPrefix(path+"."+node.Properties.Content[i].Value, "."), property, definitions)
		if err != nil {
			return value{}, err
		}
		// Helm sets what has neither a default nor members: global.
		if member.fallback != "" || len(member.group) > 0 {
			v.group = append(v.group, member)
		}
	}
	return v, nil
}

// leaves are the values without their groups.
func (v value) leaves() []value {
	if v.fallback != "" {
		return []value{v}
	}
	var all []value
	for _, member := range v.group {
		all = append(all, member.leaves()...)
	}
	return all
}

// yaml returns values.yaml: each value with its description and its default.
func (v value) yaml() []byte {
	var out bytes.Buffer
	out.WriteString("# make generate writes this file from values.schema.json.\n")
	v.write(&out, "")
	return out.Bytes()
}

func (v value) write(out *bytes.Buffer, indent string) {
	for _, member := range v.group {
		if indent == "" {
			out.WriteString("\n")
		}
		for _, line := range wrapped(member.description, 110-len(indent)) {
			fmt.Fprintf(out, "%s# %s\n", indent, line)
		}
		name := member.path[strings.LastIndex(member.path, ".")+1:]
		if member.fallback != "" {
			fmt.Fprintf(out, "%s%s: %s\n", indent, name, member.fallback)
			continue
		}
		fmt.Fprintf(out, "%s%s:\n", indent, name)
		member.write(out, indent+"  ")
	}
}

// wrapped breaks a text into lines.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

// Around the table in the documentation.
const tableBegin, tableEnd = "<!-- values: make generate writes this table -->\n", "<!-- end of values -->\n"

// writeTable replaces the table of values in the documentation.
func writeTable(path string, values value) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(document), tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		return errors.New(path + " has no place for the table of values")
	}
	var table strings.Builder
	table.WriteString("| value | default | meaning |\n|---|---|---|\n")
	for _, leaf := range values.leaves() {
		fmt.Fprintf(&table, "| `%s` | `%s` | %s |\n", leaf.path, leaf.fallback, strings.ReplaceAll(leaf.description, "|", `\|`))
	}
	return os.WriteFile(path, []byte(before+tableBegin+table.String()+tableEnd+after), 0o644)
}
