package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/smile-operator/smile-operator/internal/sandbox/contract"
	"github.com/smile-operator/smile-operator/internal/sandbox/contract/events"
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

It also makes every event that the sandbox sends, and checks each with another
library against the schemas of events, such as UserCreatedEvent.

--relaxed allows the points at which the vendor's description contradicts its
own examples and documentation:
` + relaxations(),
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return set.run(command.Context(), command.OutOrStdout())
		},
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

func (s contractSettings) run(ctx context.Context, out io.Writer) error {
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
	wrong, err := s.checkEvents(ctx, text, out)
	if err != nil {
		return err
	}
	if n := report.Violations() + wrong; n > 0 {
		return fmt.Errorf("the sandbox and %s contradict each other in %d points", s.spec, n)
	}
	return nil
}

// checkEvents checks all events, and returns the number of different violations.
func (s contractSettings) checkEvents(ctx context.Context, text []byte, out io.Writer) (int, error) {
	var allowances []events.Allowance
	for _, r := range contract.Relaxations {
		if s.relaxed {
			allowances = append(allowances, events.Allowance{
				Field: r.Field, Optional: r.How == contract.Optional, Nullable: r.How == contract.Nullable, Value: r.Value,
			})
		}
	}
	validator, err := events.Read(text, allowances)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.spec, err)
	}
	if len(validator.Types()) == 0 {
		fmt.Fprintln(out, "The description has no schemas of events.")
		return 0, nil
	}
	sent, err := tour.Events(ctx)
	if err != nil {
		return 0, err
	}
	types, violations := map[string]bool{}, map[string]int{}
	for _, event := range sent {
		kind, err := validator.Check(event)
		types[kind] = true
		if err != nil {
			violations[fmt.Sprintf("%s: %v", kind, err)]++
		}
	}
	for _, violation := range slices.Sorted(maps.Keys(violations)) {
		fmt.Fprintf(out, "%s (%d times)\n", violation, violations[violation])
	}
	fmt.Fprintf(out, "%d events of %d types, %d violations\n", len(sent), len(types), len(violations))
	return len(violations), nil
}
