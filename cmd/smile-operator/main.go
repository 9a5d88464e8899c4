// Command smile-operator runs the operator.
package main

import (
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/smile-operator/smile-operator/internal/app"
	"github.com/smile-operator/smile-operator/internal/cli/uninstall"
)

func main() {
	command := app.Command()
	command.AddCommand(uninstall.Command(ctrl.GetConfig))
	command.CompletionOptions.DisableDefaultCmd = true
	if err := command.ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "smile-operator:", err)
		os.Exit(1)
	}
}
