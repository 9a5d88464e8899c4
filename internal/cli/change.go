package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// Change is what a command did to objects.
type Change struct {
	Namespace string `json:"namespace"`
	// Done is what was done to the objects, in the past tense.
	Done string `json:"done"`
	// Objects as kubectl names them.
	Objects []string `json:"objects"`
}

// Names are the objects.
func (c *Change) Names() []string { return c.Objects }

// Write writes a line for each object.
func (c *Change) Write(out io.Writer) {
	for _, name := range c.Objects {
		fmt.Fprintln(out, name, c.Done)
	}
}

func (p *plugin) suspendCommands() []*cobra.Command {
	suspend := p.changeCommand("suspend", "Stop all calls and writes for objects, until they are resumed", "suspended",
		`{"spec":{"suspend":true}}`)
	resume := p.changeCommand("resume", "Resume suspended objects", "resumed", `{"spec":{"suspend":false}}`)
	return []*cobra.Command{suspend, resume}
}

func (p *plugin) changeCommand(use, short, done, patch string) *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use: use + " KIND/NAME...", Short: short, Args: cobra.MinimumNArgs(1),
		Example: "  kubectl smile " + use + " user/george connection/smile",
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := targets(args, nil, func(kind) bool { return true })
			if err != nil {
				return err
			}
			return p.change(cmd.Context(), &output, chosen, done, patch, nil)
		},
	}
	output.bind(cmd.Flags())
	return cmd
}

// change patches objects, and then waits for each if settled is not nil.
func (p *plugin) change(
	ctx context.Context, output *format, chosen []target, done, patch string, settled func(object) bool,
) error {
	namespace, _, err := p.namespace()
	if err != nil {
		return err
	}
	objects, err := p.objects()
	if err != nil {
		return err
	}
	report := &Change{Namespace: namespace, Done: done, Objects: []string{}}
	for _, t := range chosen {
		o := t.in(namespace)
		if err := objects.Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		report.Objects = append(report.Objects, t.String())
	}
	for _, t := range chosen {
		if err := until(ctx, objects, t.in(namespace), settled); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
	}
	return output.write(p.Out, report)
}

// in is an object with the name of a target, to be read.
func (t target) in(namespace string) object {
	o := t.kind.empty()
	o.SetNamespace(namespace)
	o.SetName(t.name)
	return o
}

// interval is how often a command that waits reads an object.
const interval = 500 * time.Millisecond

// until waits until an object is as desired. A nil condition is met.
func until(ctx context.Context, from client.Reader, o object, met func(object) bool) error {
	if met == nil {
		return nil
	}
	return poll(ctx, func(ctx context.Context) (bool, error) {
		if err := from.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return false, err
		}
		return met(o), nil
	})
}

// poll waits until done returns true. If the context ends before, its cause is the error.
func poll(ctx context.Context, done func(context.Context) (bool, error)) error {
	err := wait.PollUntilContextCancel(ctx, interval, true, done)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (p *plugin) syncCommand() *cobra.Command {
	var output format
	var all bool
	var patience time.Duration
	cmd := &cobra.Command{
		Use: "sync [KIND/]NAME...", Short: "Request that syncs, users or webhooks are refreshed now",
		Long: "Sets the annotation " + v1alpha1.AnnotationRequestedAt + ". A name without a kind is that of a SmileAccountSync.",
		Example: "  kubectl smile sync george\n  kubectl smile sync user/george webhook/events\n" +
			"  kubectl smile sync --all --wait=1m",
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return fmt.Errorf("name the objects, or use --all for all SmileAccountSyncs of the namespace")
			}
			chosen, err := p.toSync(cmd.Context(), args)
			if err != nil {
				return err
			}
			at := time.Now().UTC().Format(time.RFC3339Nano)
			patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationRequestedAt, at)
			if patience == 0 {
				return p.change(cmd.Context(), &output, chosen, "requested", patch, nil)
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), patience, errNotHandled)
			defer cancel()
			return p.change(ctx, &output, chosen, "refreshed", patch, func(o object) bool { return handledRequest(o) == at })
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all SmileAccountSyncs of the namespace")
	cmd.Flags().DurationVar(&patience, "wait", 0, "wait up to this time until the requests are handled; 0 does not wait")
	output.bind(cmd.Flags())
	return cmd
}

var errNotHandled = fmt.Errorf("the request is not handled yet; kubectl smile status may show why")

// toSync are the objects that the arguments name; all SmileAccountSyncs if there are none.
func (p *plugin) toSync(ctx context.Context, args []string) ([]target, error) {
	if len(args) > 0 {
		return targets(args, &syncs, func(k kind) bool { return k.refreshed })
	}
	namespace, _, err := p.namespace()
	if err != nil {
		return nil, err
	}
	objects, err := p.objects()
	if err != nil {
		return nil, err
	}
	found, err := everyObject(ctx, objects, syncs, namespace)
	var chosen []target
	for _, o := range found {
		chosen = append(chosen, target{syncs, o.GetName()})
	}
	return chosen, err
}

func handledRequest(o object) string {
	switch o := o.(type) {
	case *v1alpha1.SmileUser:
		return o.Status.LastHandledRequest
	case *v1alpha1.SmileAccountSync:
		return o.Status.LastHandledRequest
	case *v1alpha1.SmileWebhookSubscription:
		return o.Status.LastHandledRequest
	default:
		return ""
	}
}
