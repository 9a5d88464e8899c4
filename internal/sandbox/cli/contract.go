package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/smile-operator/smile-operator/internal/sandbox/contract"
	"github.com/smile-operator/smile-operator/internal/sandbox/contract/tour"
)

// contractSettings are the values of the flags of the contract command.
type contractSettings struct {
	spec    string
	relaxed bool
}

func newContractCommand() *cobra.Command {
	var set contractSettings
	command := &cobra.Command{
		Use:   "contract --spec FILE",
		Short: "Check the sandbox against an OpenAPI description of Smile",
		Long: `contract starts a sandbox. It calls every operation that the description also
has, with success and with every kind of error, and checks all calls and
responses against the description. It prints a table and the violations, and
fails if there are any.

A violation is a call that the sandbox accepts and the description does not
allow, a response that the description does not allow, or an operation of which
no call succeeded. An error whose status the description does not mention is not
a violation if it is in the usual envelope. The table lists it as undocumented.

--relaxed allows the points at which the vendor's description contradicts its
own examples and documentation:
` + relaxations(),
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return set.run(command.OutOrStdout()) },
	}
	command.Flags().StringVar(&set.spec, "spec", "", "OpenAPI description, version 3.0 or 3.1, YAML or JSON")
	command.Flags().BoolVar(&set.relaxed, "relaxed", false, "allow the points listed above")
	_ = command.MarkFlagRequired("spec")
	return command
}

func relaxations() string {
	text := ""
	for _, r := range contract.Relaxations {
		text += fmt.Sprintf("  %-40s %s\n", r.Field, r)
	}
	return text
}

func (s contractSettings) run(out io.Writer) error {
	text, err := os.ReadFile(s.spec)
	if err != nil {
		return err
	}
	var changes []contract.Change
	if s.relaxed {
		changes = append(changes, contract.Relaxed(contract.Relaxations))
	}
	document, err := contract.Read(text, changes...)
	if err != nil {
		return fmt.Errorf("%s: %w", s.spec, err)
	}
	report, err := tour.Run(document)
	if err != nil {
		return err
	}
	if err := report.Print(out); err != nil {
		return err
	}
	if n := report.Violations(); n > 0 {
		return fmt.Errorf("the sandbox and %s contradict each other in %d points", s.spec, n)
	}
	return nil
}
