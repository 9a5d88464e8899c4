// Package scenario runs scenarios: files that say what people do in a sandbox, and
// what an application is expected to do then. docs/sandbox-tests.md is the reference
// of the format.
//
//	scenario.go  the format
//	read.go      reads a file; problems have a line and name the field
//	check.go     what a file must fulfill before a step is done
//	run.go       does the steps
//	expect.go    waits for what a scenario expects
//	report.go    the result, as text and as JUnit XML
package scenario
