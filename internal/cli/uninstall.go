package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/smile-operator/smile-operator/internal/cli/uninstall"
)

func (p *plugin) uninstallCommand() *cobra.Command {
	var options uninstall.Options
	var output format
	cmd := &cobra.Command{
		Use: "uninstall", Short: "Prepare the removal of the operator", Args: cobra.NoArgs,
		Long: uninstall.Long + "\n\nWithout --namespace, it does so in all namespaces.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := options.Validate(); err != nil {
				return err
			}
			access, err := p.access.ToRESTConfig()
			if err != nil {
				return err
			}
			if *p.access.Namespace != "" {
				options.Namespaces = []string{*p.access.Namespace}
			}
			options.Progress = p.ErrOut
			report, err := uninstall.Run(cmd.Context(), access, options)
			if report == nil {
				return err
			}
			return errors.Join(output.write(p.Out, report), err)
		},
	}
	options.Bind(cmd.Flags())
	output.bind(cmd.Flags())
	return cmd
}
