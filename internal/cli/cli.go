// Package cli is the plugin kubectl smile. It works with the rights of the user who runs it.
package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/version"
)

// Exit codes.
const (
	failed      = 1
	interrupted = 130
)

// Run runs a command line, and returns its exit code.
func Run(ctx context.Context, args []string, streams genericiooptions.IOStreams) int {
	command := New(streams)
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(streams.ErrOut, "Interrupted.")
		return interrupted
	default:
		fmt.Fprintln(streams.ErrOut, "error:", explain(err))
		return failed
	}
}

// plugin is what the commands share.
type plugin struct {
	genericiooptions.IOStreams

	access *genericclioptions.ConfigFlags
}

// New is the plugin's command line.
func New(streams genericiooptions.IOStreams) *cobra.Command {
	p := &plugin{IOStreams: streams, access: genericclioptions.NewConfigFlags(true)}
	root := &cobra.Command{
		Use:           "kubectl-smile",
		Short:         "Show and operate the objects of smile-operator",
		Version:       version.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl smile"},
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	p.access.AddFlags(root.PersistentFlags())
	root.AddCommand(p.statusCommand(), p.syncCommand(), p.eraseCommand(), p.providersCommand(), p.uninstallCommand())
	root.AddCommand(p.suspendCommands()...)
	return root
}

// objects is a client for the operator's objects, with the rights of the user.
func (p *plugin) objects() (client.Client, error) {
	config, err := p.access.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // the API server has its own fairness
	config.UserAgent = "kubectl-smile/" + version.Version
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}

// namespace is the one that the flags or the kubeconfig name.
func (p *plugin) namespace() (name string, explicit bool, err error) {
	return p.access.ToRawKubeConfigLoader().Namespace()
}
