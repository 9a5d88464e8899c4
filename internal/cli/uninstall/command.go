package uninstall

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
)

// Long describes the command, in the plugin and in the operator.
const Long = `Prepares the removal of the operator, so that no object waits for it afterwards. Nothing changes at Smile, except
what a deletion that has already begun must do.

It removes the operator's finalizers from all objects, waits for deletions that have begun, and ends those that cannot be
completed. Run it while the operator still runs. CustomResourceDefinitions, objects and the Secret smile-operator-identity
stay.`

// Bind adds the flags that the plugin and the operator share.
func (o *Options) Bind(flags *pflag.FlagSet) {
	flags.StringVar(&o.Selector, "watch-label-selector", "",
		"label selector of the operator's objects, as the operator has it if it is one of several shards; all when empty")
	flags.BoolVar(&o.DryRun, "dry-run", false, "only show what would be done")
	flags.DurationVar(&o.Wait, "wait", DefaultWait,
		"how long deletions that have begun may take to do at Smile what their policy says; 0 if the operator no longer runs")
}

// Validate checks the flags.
func (o *Options) Validate() error {
	if o.Wait < 0 || o.Wait > Window/2 {
		return fmt.Errorf("--wait must be between 0s and %s", Window/2)
	}
	if _, err := labels.Parse(o.Selector); err != nil {
		return fmt.Errorf("--watch-label-selector: %w", err)
	}
	return nil
}

// Command is the operator's command, which a Job of its image runs: docs/uninstall.md. access finds the cluster.
func Command(access func() (*rest.Config, error)) *cobra.Command {
	var options Options
	cmd := &cobra.Command{
		Use: "uninstall", Short: "Prepare the removal of the operator", Long: Long, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := options.Validate(); err != nil {
				return err
			}
			options.Progress = cmd.ErrOrStderr()
			kube, err := access()
			if err != nil {
				return fmt.Errorf("finding the cluster: %w", err)
			}
			report, err := Run(cmd.Context(), kube, options)
			if errors.Is(err, context.Canceled) {
				return errors.New("interrupted: what was released stays released for a while; run the command again")
			}
			if report != nil {
				report.Write(cmd.OutOrStdout())
			}
			return err
		},
	}
	options.Bind(cmd.Flags())
	cmd.Flags().StringSliceVar(&options.Namespaces, "watch-namespaces", nil, "namespaces of the operator's objects; all when empty")
	return cmd
}
