package cli

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/printers"
)

// style of text for people.
type style struct {
	// width in columns.
	width int
	color bool
}

// Widths in columns: that of what is no terminal, and the one below which texts are not wrapped more.
const defaultWidth, narrowest = 80, 60

// styleFor is the style for a terminal, or for a file. The environment variable COLUMNS sets the width, and NO_COLOR turns colors
// off.
func styleFor(out io.Writer, color string) (style, error) {
	s := style{width: defaultWidth}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		s.color = os.Getenv("NO_COLOR") == ""
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			s.width = width
		}
	}
	if width, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil {
		s.width = width
	}
	s.width = max(s.width, narrowest)
	switch color {
	case "auto":
		return s, nil
	case "always", "never":
		s.color = color == "always"
		return s, nil
	default:
		return s, errors.New("--color must be auto, always or never")
	}
}

// hue is an ANSI color.
type hue string

const (
	green  hue = "32"
	yellow hue = "33"
	red    hue = "31"
	gray   hue = "90"
)

func (s style) paint(text string, color hue) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + string(color) + "m" + text + "\x1b[0m"
}

// plain makes a text from the cluster safe for a terminal.
func plain(text string) string {
	return printers.EscapeTerminal(strings.Join(strings.Fields(text), " "))
}

func columns(text string) int { return utf8.RuneCountInString(text) }

// cut shortens a text to a number of columns; "" if too little of it is left.
func cut(text string, width int) string {
	const least = 8
	switch {
	case columns(text) <= width:
		return text
	case width < least:
		return ""
	default:
		return string([]rune(text)[:width-1]) + "…"
	}
}

// wrap breaks a text into lines of at most width columns, at spaces. A longer word has its own line.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
