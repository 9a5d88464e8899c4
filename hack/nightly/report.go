package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

const (
	passedState = "passed"
	failedState = "FAILED"
	// mostFigures is the largest number of lines that are kept of a part.
	mostFigures = 400
)

// result is the result of a part.
type result struct {
	state, took, date, commit, machine string
	// figures are the lines with measurements.
	figures []string
}

const heading = `# The nightly run

` + "`make nightly`" + ` writes this file: the results and measurements of all tests, including those that take too long for CI.
` + "`NIGHTLY_ONLY=fuzz,bench make nightly`" + ` runs only some parts. The others keep the results of an earlier run.

| part | result | took | on | commit | machine |
|---|---|---|---|---|---|
`

// render writes the results in the order of the parts.
func render(results map[string]result) string {
	var table, sections strings.Builder
	for _, p := range parts {
		r, ran := results[p.name]
		if !ran {
			r = result{state: "never run"}
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s | %s | %s |\n", p.name, r.state, r.took, r.date, r.commit, r.machine)
		if len(r.figures) > 0 {
			fmt.Fprintf(&sections, "\n## %s\n\n```\n%s\n```\n", p.name, strings.Join(r.figures, "\n"))
		}
	}
	return heading + table.String() + sections.String()
}

var (
	row     = regexp.MustCompile(`(?m)^\| ([a-z0-9-]+) \| (.*) \| (.*) \| (.*) \| (.*) \| (.*) \|$`)
	section = regexp.MustCompile("(?m)^## ([a-z0-9-]+)\n\n```\n((?s:.*?))\n```$")
)

// parse reads what render wrote.
func parse(text string) map[string]result {
	results := map[string]result{}
	for _, match := range row.FindAllStringSubmatch(text, -1) {
		if match[1] != "part" && match[2] != "never run" {
			results[match[1]] = result{state: match[2], took: match[3], date: match[4], commit: match[5], machine: match[6]}
		}
	}
	for _, match := range section.FindAllStringSubmatch(text, -1) {
		if r, ok := results[match[1]]; ok {
			r.figures = strings.Split(match[2], "\n")
			results[match[1]] = r
		}
	}
	return results
}

var (
	// verdict is the end of a test, of a package, or of the search of a fuzz target; or a row of the table of bench.
	verdict = regexp.MustCompile(`^(\s*--- FAIL|FAIL\s|ok  \t|fuzz: elapsed: .*\(\d+/sec\)|FIGURE  |\S.*  (met|missed|not built in|-)  +\S)`)
	// logged is what a test logs. What it logs in further lines is indented deeper.
	logged = regexp.MustCompile(`^( +)\w+_test\.go:\d+: (.*)$`)
	// unsteady matches lines that say nothing about the product.
	unsteady = regexp.MustCompile(`E2E_SEED=`)
	// named is a test or a fuzz target that begins.
	named = regexp.MustCompile(`^(=== (RUN|NAME) +(Test\w+)|\S+ Fuzz\w+$)`)
)

// figures selects the lines of an output that contain measurements.
func figures(log string) []string {
	var p picker
	for line := range strings.Lines(log) {
		p.read(strings.TrimRight(line, " \r\n"))
	}
	if cut := len(p.found) - mostFigures; cut > 0 {
		return append(p.found[:mostFigures], fmt.Sprintf("... and %d lines more", cut))
	}
	return p.found
}

// picker reads an output line by line.
type picker struct {
	found []string
	// title is the test whose lines are read, until the first of them is picked; last is the test that was named last.
	title, last string
	// indent is what further lines of a logged text begin with; empty outside of one.
	indent string
}

func (p *picker) read(line string) {
	if match := named.FindStringSubmatch(line); match != nil {
		p.begin(cmp.Or(match[3], line))
		return
	}
	match := logged.FindStringSubmatch(line)
	switch {
	case match != nil && !unsteady.MatchString(line):
		p.indent = match[1] + "    "
		p.pick("  " + match[2])
	case p.indent != "" && strings.HasPrefix(line, p.indent):
		p.pick("    " + strings.TrimPrefix(line, p.indent))
	default:
		p.indent = ""
		if verdict.MatchString(line) {
			p.pick(line)
		}
	}
}

func (p *picker) begin(name string) {
	if name != p.last {
		p.title, p.last = name, name
	}
	p.indent = ""
}

func (p *picker) pick(line string) {
	if p.title != "" {
		p.found = append(p.found, p.title)
		p.title = ""
	}
	p.found = append(p.found, line)
}
