package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Status is the tree of all objects.
type Status struct {
	// Connections are the connections with what depends on them, and users that syncs refer to and that do not exist.
	Connections []*Node `json:"connections"`
	// NotShown says what the user may not read.
	NotShown []string `json:"notShown"`

	all   bool
	style style
}

func (p *plugin) statusCommand() *cobra.Command {
	var output format
	var everywhere bool
	status := &Status{}
	color := "auto"
	cmd := &cobra.Command{
		Use: "status", Short: "Show what is wrong, why, and what to do next", Args: cobra.NoArgs,
		Long: "Shows connections, and the widgets, webhooks, users and syncs that depend on them: what is wrong, why, and the next command.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			namespace, _, err := p.namespace()
			if err != nil {
				return err
			}
			if everywhere {
				namespace = ""
			}
			objects, err := p.objects()
			if err != nil {
				return err
			}
			if status.style, err = styleFor(p.Out, color); err != nil {
				return err
			}
			if err := status.read(cmd.Context(), objects, namespace); err != nil {
				return err
			}
			return output.write(p.Out, status)
		},
	}
	cmd.Flags().BoolVarP(&everywhere, "all-namespaces", "A", false, "show all namespaces")
	cmd.Flags().BoolVar(&status.all, "all", false, "show every object; without it, objects that are ready are only counted")
	cmd.Flags().StringVar(&color, "color", color, "auto, always or never")
	output.bind(cmd.Flags())
	return cmd
}

// read reads what the user may read. It fails if that is nothing.
func (s *Status) read(ctx context.Context, from client.Reader, namespace string) error {
	s.NotShown = []string{}
	found, unread := map[string][]object{}, map[string]bool{}
	var refused error
	for _, k := range kinds {
		objects, err := everyObject(ctx, from, k, namespace)
		switch {
		case apierrors.IsForbidden(err), meta.IsNoMatchError(err):
			refused, unread[k.name] = err, true
			s.NotShown = append(s.NotShown, k.name+"s: "+reasonNotShown(err, k, namespace))
		case err != nil:
			return err
		}
		found[k.name] = objects
	}
	if len(s.NotShown) == len(kinds) {
		return refused
	}
	s.Connections = newForest(found, unread).roots
	return nil
}

func reasonNotShown(err error, k kind, namespace string) string {
	if meta.IsNoMatchError(err) {
		return "the cluster does not know this kind"
	}
	where := "in namespace " + namespace
	if namespace == "" {
		where = "in all namespaces"
	}
	return fmt.Sprintf("you may not list %s %s; the role view of Kubernetes permits it", k.resource, where)
}
