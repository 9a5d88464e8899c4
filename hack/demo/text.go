package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const (
	// wrapWidth is the width of printed command lines, in columns.
	wrapWidth = 92
	// tailLines is the number of lines of a log that are printed after a failure.
	tailLines = 20
	// excerptLines is the number of lines of each key of a Secret that are printed.
	excerptLines = 14
)

// stepLine is the line that announces a step: the time since the start, the number and the name.
func stepLine(passed time.Duration, number, total int, name string) string {
	return fmt.Sprintf("%8s  %2d/%d  %s\n", seconds(passed), number, total, name)
}

// noteIndent aligns notes with the names of steps.
var noteIndent = strings.Repeat(" ", len(stepLine(0, 10, 10, ""))-1)

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// wrapped breaks a command line into lines of wrapWidth.
func wrapped(command ...string) []string {
	var lines []string
	line := "$ " + command[0]
	for _, arg := range command[1:] {
		if len(line)+len(arg) > wrapWidth {
			lines = append(lines, line+" \\")
			line = "   "
		}
		line += " " + arg
	}
	return append(lines, line)
}

// indent indents every line by two spaces.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return b.String()
}

// tail returns the last lines of a text.
func tail(text string, lines int) string {
	all := slices.Collect(strings.Lines(text))
	return strings.Join(all[max(0, len(all)-lines):], "")
}

// excerpts returns the first lines of each text, sorted by name.
func excerpts(texts map[string][]byte, lines int) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		all := slices.Collect(strings.Lines(string(texts[name])))
		fmt.Fprintf(&b, "%s (%s)\n", name, count(len(all), "line"))
		b.WriteString(indent(strings.Join(all[:min(lines, len(all))], "")))
		if len(all) > lines {
			b.WriteString("  ...\n")
		}
	}
	return b.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// callTable is a table of the number of calls by operation.
func callTable(stats sandbox.Stats) string {
	calls, total, width := map[string]int{}, 0, len("total")
	for operation, statuses := range stats.Requests {
		for _, n := range statuses {
			calls[operation] += n
			total += n
		}
		width = max(width, len(operation))
	}
	var b strings.Builder
	row := func(name string, value any) { fmt.Fprintf(&b, "  %-*s  %5v\n", width, name, value) }
	row("OPERATION", "CALLS")
	for _, operation := range slices.Sorted(maps.Keys(calls)) {
		row(operation, calls[operation])
	}
	row("total", total)
	return b.String()
}
