package scenario

import (
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

// Result is what became of a step.
type Result struct {
	Step         string
	Number, Line int
	Took         time.Duration
	// Err is why the step failed, nil if it did not.
	Err error
	// Skipped reports that an earlier step has failed.
	Skipped bool
}

// String is one line, and one more for an error.
func (r Result) String() string {
	switch {
	case r.Skipped:
		return fmt.Sprintf("skip  %2d  %s", r.Number, r.Step)
	case r.Err != nil:
		return fmt.Sprintf("FAIL  %2d  %s (line %d)\n          %v", r.Number, r.Step, r.Line, r.Err)
	}
	return fmt.Sprintf("ok    %2d  %s (%.2f s)", r.Number, r.Step, r.Took.Seconds())
}

// Report is what became of a scenario.
type Report struct {
	Name    string
	Results []Result
}

// Failed reports whether a step failed.
func (r *Report) Failed() bool { return r.count(func(s Result) bool { return s.Err != nil }) > 0 }

func (r *Report) count(is func(Result) bool) (n int) {
	for _, result := range r.Results {
		if is(result) {
			n++
		}
	}
	return n
}

// The elements of JUnit XML, as GitHub, GitLab and Jenkins read it.
type (
	junitSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
		Skipped *struct{}     `xml:"skipped,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the report as JUnit XML: a test suite with a test case for each
// step.
func (r *Report) WriteJUnit(w io.Writer) error {
	suite := junitSuite{
		Name: r.Name, Tests: len(r.Results), Failures: r.count(func(s Result) bool { return s.Err != nil }),
		Skipped: r.count(func(s Result) bool { return s.Skipped }),
	}
	var sum time.Duration
	for _, result := range r.Results {
		sum += result.Took
		shown := junitCase{Name: fmt.Sprintf("%d %s", result.Number, result.Step), Class: r.Name, Time: seconds(result.Took)}
		if result.Skipped {
			shown.Skipped = &struct{}{}
		}
		if result.Err != nil {
			shown.Failure = &junitFailure{result.Err.Error(), fmt.Sprintf("line %d: %v", result.Line, result.Err)}
		}
		suite.Cases = append(suite.Cases, shown)
	}
	suite.Time = seconds(sum)
	text, err := xml.MarshalIndent(junitSuites{Suite: suite}, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
