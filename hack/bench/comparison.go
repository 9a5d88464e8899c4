package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
)

// tolerance is how much worse than the base a median may be.
const tolerance = 0.10

// compared is one figure of base and head, over several runs.
type compared struct {
	Name string `json:"figure"`
	Unit string `json:"unit,omitempty"`
	// AtLeast means that a larger figure is better.
	AtLeast bool      `json:"atLeast,omitempty"`
	Base    []float64 `json:"base"`
	Head    []float64 `json:"head"`
	// BaseMedian and HeadMedian of the runs.
	BaseMedian float64 `json:"baseMedian"`
	HeadMedian float64 `json:"headMedian"`
	Verdict    verdict `json:"verdict"`
	How        string  `json:"how"`
}

const (
	worse    verdict = "worse"
	notWorse verdict = "not worse"
	// incomparable are the figures that only one of the two has.
	incomparable verdict = "incomparable"
)

// comparison is the content of bench-compare.json.
type comparison struct {
	Environment machine          `json:"environment"`
	Base        string           `json:"base"`
	Scenarios   []scenarioResult `json:"scenarios"`
	Figures     []compared       `json:"figures"`
}

// compare puts the runs of base and head side by side, in the order of the figures. It omits figures that measure the machine,
// not the operator.
func compare(base, head []result) []compared {
	var all []compared
	at := map[string]int{}
	collect := func(runs []result, into func(*compared) *[]float64) {
		for _, run := range runs {
			for _, f := range run.Figures {
				if f.Missing != "" || f.Reference {
					continue
				}
				i, ok := at[f.Name]
				if !ok {
					i = len(all)
					at[f.Name] = i
					all = append(all, compared{Name: f.Name, Unit: f.Unit, AtLeast: f.AtLeast, How: f.How})
				}
				values := into(&all[i])
				*values = append(*values, f.Measured)
			}
		}
	}
	collect(head, func(c *compared) *[]float64 { return &c.Head })
	collect(base, func(c *compared) *[]float64 { return &c.Base })
	for i := range all {
		all[i].judge()
	}
	return all
}

// judge computes the medians and the verdict. Values are compared as they are printed. Less is better, unless the figure says
// otherwise.
func (c *compared) judge() {
	if len(c.Base) == 0 || len(c.Head) == 0 {
		c.Verdict = incomparable
		return
	}
	c.BaseMedian, c.HeadMedian = median(c.Base), median(c.Head)
	c.Verdict = notWorse
	less, more := c.BaseMedian, c.HeadMedian
	if c.AtLeast {
		less, more = more, less
	}
	if rounded(more) > rounded(less*(1+tolerance)) {
		c.Verdict = worse
	}
}

// median is the middle value; of an even number the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func (c comparison) table() string {
	var out bytes.Buffer
	rows := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(rows, "FIGURE\tBASE\tHEAD\tCHANGE\tVERDICT")
	for _, f := range c.Figures {
		text := figure{Unit: f.Unit}.text
		fmt.Fprintf(rows, "%s\t%s\t%s\t%s\t%s\n", f.Name, text(f.BaseMedian), text(f.HeadMedian), f.change(), f.Verdict)
	}
	_ = rows.Flush() // into a buffer
	return out.String()
}

func (c *compared) change() string {
	if c.Verdict == incomparable || c.BaseMedian == 0 {
		return "-"
	}
	return fmt.Sprintf("%+.0f %%", 100*(c.HeadMedian/c.BaseMedian-1))
}

// worse counts the figures that are worse than those of the base.
func (c comparison) worse() (count int) {
	for _, f := range c.Figures {
		if f.Verdict == worse {
			count++
		}
	}
	return count
}

func (c comparison) write(path string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
