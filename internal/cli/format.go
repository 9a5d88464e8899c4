package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// format of the output: "" is text for people.
type format string

const (
	formatText format = ""
	formatJSON format = "json"
	formatYAML format = "yaml"
	formatName format = "name"
)

// report is the result of a command. Its exported fields are the JSON and YAML forms.
type report interface {
	// Write writes the text for people.
	Write(out io.Writer)
	// Names are the objects concerned, as kubectl names them.
	Names() []string
}

var formats = []format{formatJSON, formatYAML, formatName}

func (f *format) bind(flags *pflag.FlagSet) {
	flags.VarP(f, "output", "o", "output format: json, yaml or name; by default, text for people")
}

// String is the value of the flag.
func (f *format) String() string { return string(*f) }

// Type names the kind of value in the help.
func (f *format) Type() string { return "format" }

// Set sets the value of the flag.
func (f *format) Set(value string) error {
	if !slices.Contains(formats, format(value)) {
		return fmt.Errorf("%q is not one of json, yaml, name", value)
	}
	*f = format(value)
	return nil
}

// write writes a report.
func (f *format) write(out io.Writer, r report) error {
	switch *f {
	case formatJSON:
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	case formatYAML:
		text, err := yaml.Marshal(r)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	case formatName:
		_, err := io.WriteString(out, strings.Join(append(r.Names(), ""), "\n"))
		return err
	default:
		r.Write(out)
		return nil
	}
}
