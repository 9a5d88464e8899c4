package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"text/tabwriter"
	"time"
)

// figure is one row of the table.
type figure struct {
	Name string `json:"figure"`
	// Unit is printed after the numbers. It is empty for ratios and counts.
	Unit string `json:"unit,omitempty"`
	// Target is the maximum, the minimum if AtLeast, or the exact value if Exact. It is nil for figures that only inform.
	Target   *float64 `json:"target,omitempty"`
	Exact    bool     `json:"exact,omitempty"`
	AtLeast  bool     `json:"atLeast,omitempty"`
	Measured float64  `json:"measured"`
	// Missing is the reason if there is no measurement.
	Missing string  `json:"missing,omitempty"`
	Verdict verdict `json:"verdict"`
	// Generic is the figure of a generic HTTP provider for the same work.
	Generic string `json:"genericProvider,omitempty"`
	// Reference figures measure the machine, not the operator.
	Reference bool `json:"reference,omitempty"`
	// How explains what was counted, where, and over which time.
	How string `json:"how"`
}

type verdict string

const (
	met      verdict = "met"
	missed   verdict = "missed"
	noTarget verdict = "-"
	unbuilt  verdict = "not built in"
)

// judged sets the verdict. Ratios are compared as they are printed.
func (f figure) judged() figure {
	switch {
	case f.Missing != "":
		f.Verdict = unbuilt
	case f.Target == nil:
		f.Verdict = noTarget
	case f.Exact && rounded(f.Measured) != rounded(*f.Target), f.AtLeast && rounded(f.Measured) < rounded(*f.Target),
		!f.AtLeast && rounded(f.Measured) > rounded(*f.Target):
		f.Verdict = missed
	default:
		f.Verdict = met
	}
	return f
}

func rounded(x float64) float64 { return math.Round(x*100) / 100 }

func (f figure) text(x float64) string {
	number := fmt.Sprintf("%.2f", x)
	if x == math.Trunc(x) {
		number = fmt.Sprintf("%.0f", x)
	}
	if f.Unit != "" {
		number += " " + f.Unit
	}
	return number
}

func (f figure) measured() string {
	if f.Missing != "" {
		return "-"
	}
	return f.text(f.Measured)
}

func (f figure) target() string {
	if f.Target == nil {
		return "-"
	}
	return f.text(*f.Target)
}

// ratio is the measured value divided by the target. Below 1 is better, unless the target is a minimum.
func (f figure) ratio() string {
	if f.Missing != "" || f.Target == nil || *f.Target == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", f.Measured / *f.Target)
}

func atMost(x float64) *float64 { return &x }

// result is the content of bench.json.
type result struct {
	Environment machine          `json:"environment"`
	Scenarios   []scenarioResult `json:"scenarios"`
	Figures     []figure         `json:"figures"`
}

// scenarioResult describes the workload of a scenario and the load of the machine.
type scenarioResult struct {
	Scenario string `json:"scenario"`
	workload
	// Seconds that it took, without starting and stopping the control plane.
	Seconds   float64   `json:"seconds"`
	OtherLoad otherLoad `json:"otherLoad"`
}

// workload is the workload of a scenario.
type workload struct {
	// Objects that are created, by kind.
	Objects map[string]int `json:"objects"`
	// Load is the other load on the operator: rates, and limits of rates.
	Load map[string]float64 `json:"load,omitempty"`
}

// machine describes where the figures were measured, and of which version.
type machine struct {
	At    time.Time `json:"at"`
	Users int       `json:"users"`
	Cores int       `json:"cores"`
	Go    string    `json:"go"`
	OS    string    `json:"os"`
}

func environment(users int) machine {
	return machine{
		At: time.Now().UTC().Truncate(time.Second), Users: users, Cores: runtime.NumCPU(),
		Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH,
	}
}

func (r *result) add(figures ...figure) {
	for _, f := range figures {
		r.Figures = append(r.Figures, f.judged())
	}
}

func (r *result) table() string {
	if len(r.Figures) == 0 {
		return "Nothing was measured.\n"
	}
	var out bytes.Buffer
	rows := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(rows, "FIGURE\tTARGET\tMEASURED\tRATIO\tVERDICT\tGENERIC PROVIDER")
	for _, f := range r.Figures {
		generic := f.Generic
		if generic == "" {
			generic = "-"
		}
		fmt.Fprintf(rows, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, f.target(), f.measured(), f.ratio(), f.Verdict, generic)
	}
	_ = rows.Flush() // into a buffer
	for _, f := range r.Figures {
		if f.Missing != "" {
			fmt.Fprintf(&out, "\n%s: %s.\n", f.Name, f.Missing)
		}
	}
	return out.String()
}

func (r *result) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
