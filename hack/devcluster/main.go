// Command devcluster runs a real Kubernetes control plane on this machine
// until it is interrupted. There are no nodes: nothing runs pods.
package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/internal/controlplane"
)

func main() {
	ctrllog.SetLogger(logr.Discard())
	ctx, stop := controlplane.UntilInterrupted(context.Background())
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:          "devcluster",
		Short:        "Run a real Kubernetes control plane for development: etcd, kube-apiserver, kube-controller-manager",
		SilenceUsage: true,
	}
	root.AddCommand(upCommand())
	return root
}

func upCommand() *cobra.Command {
	var c cluster
	up := &cobra.Command{
		Use:   "up",
		Short: "Run the control plane until interrupted",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.up(cmd.Context(), cmd.OutOrStdout()) },
	}
	flags := up.Flags()
	flags.StringVar(&c.kubeconfig, "kubeconfig", filepath.Join("bin", "devcluster.kubeconfig"),
		"file that the administrator's kubeconfig is written to; it is removed at the end")
	flags.StringVar(&c.dir, "dir", "", "directory of the data and the logs (default: a temporary one, which is removed at the end)")
	flags.StringSliceVar(&c.crds, "crds", nil, "files and directories of CustomResourceDefinitions to install")
	flags.StringArrayVar(&c.apiServerFlags, "apiserver-flag", nil, "further flag of kube-apiserver, for example --apiserver-flag=--v=4; may be repeated")
	return up
}
