package contract

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Row is the summary of one operation.
type Row struct {
	Operation
	// Calls is the number of checked calls. Accepted is how many of them
	// succeeded.
	Calls, Accepted int
	// Undocumented counts the responses in the usual envelope with a status
	// that the description does not have, by status. They are not violations.
	Undocumented map[int]int
	// Violations counts the violations by text.
	Violations map[string]int
}

// Report sums up findings by operation.
type Report struct {
	rows map[string]*Row
}

// NewReport makes a report on these operations. It also lists those that are
// never called.
func NewReport(operations []Operation) *Report {
	r := &Report{rows: map[string]*Row{}}
	for _, o := range operations {
		r.row(o)
	}
	return r
}

func (r *Report) row(o Operation) *Row {
	row, ok := r.rows[o.Key()]
	if !ok {
		row = &Row{Operation: o, Undocumented: map[int]int{}, Violations: map[string]int{}}
		r.rows[o.Key()] = row
	}
	return row
}

// Add counts a finding.
func (r *Report) Add(f Finding) {
	row := r.row(f.Operation)
	row.Calls++
	if f.Status < 300 {
		row.Accepted++
	}
	if f.Undocumented {
		row.Undocumented[f.Status]++
	}
	for _, violation := range f.Violations {
		row.Violations[violation]++
	}
}

// Blame counts a violation that was not found by a check.
func (r *Report) Blame(o Operation, violation string) { r.row(o).Violations[violation]++ }

// Close counts a violation for every operation of which no call succeeded,
// because such an operation was not tested.
func (r *Report) Close() {
	for _, row := range r.rows {
		if row.Accepted == 0 {
			row.Violations["no call succeeded"]++
		}
	}
}

// Rows returns the operations by path and method.
func (r *Report) Rows() []*Row {
	return slices.SortedFunc(maps.Values(r.rows), func(a, b *Row) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
}

// Violations is the number of different violations, over all operations.
func (r *Report) Violations() int {
	sum := 0
	for _, row := range r.rows {
		sum += len(row.Violations)
	}
	return sum
}

// Print writes a table, the violations and a summary.
func (r *Report) Print(to io.Writer) error {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "OPERATION\tCALL\tCALLS\tSUCCEEDED\tUNDOCUMENTED\tVIOLATIONS")
	calls := 0
	for _, row := range r.Rows() {
		calls += row.Calls
		fmt.Fprintf(table, "%s\t%s %s\t%d\t%d\t%s\t%d\n", cmp.Or(row.ID, "-"), row.Method, row.Path, row.Calls, row.Accepted,
			statuses(row.Undocumented), len(row.Violations))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, row := range r.Rows() {
		for _, text := range slices.Sorted(maps.Keys(row.Violations)) {
			fmt.Fprintf(to, "\n%s %s: %s (%d times)", row.Method, row.Path, text, row.Violations[text])
		}
	}
	_, err := fmt.Fprintf(to, "\n%d operations, %d calls, %d violations\n", len(r.rows), calls, r.Violations())
	return err
}

func statuses(counts map[int]int) string {
	if len(counts) == 0 {
		return "-"
	}
	var texts []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		texts = append(texts, fmt.Sprint(status))
	}
	return strings.Join(texts, ",")
}
