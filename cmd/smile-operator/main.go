// Command smile-operator runs the operator.
package main

import (
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/smile-operator/smile-operator/internal/app"
)

func main() {
	if err := app.Command().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "smile-operator:", err)
		os.Exit(1)
	}
}
