package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

func (p *plugin) eraseCommand() *cobra.Command {
	var output format
	var yes bool
	var patience time.Duration
	cmd := &cobra.Command{
		Use: "erase USER", Args: cobra.ExactArgs(1),
		Short: "Erase a person: revoke all accounts at Smile, and delete the data in the cluster",
		Long: `Deletes a SmileUser with deletionPolicy RevokeAccounts, and the SmileAccountSyncs of that user, whose outputs the
cluster then deletes. All accounts and archives of the person are revoked at Smile. Neither can be undone. Remove the
objects from Git first, because otherwise they are created again. Backups are not erased: docs/backup.md.`,
		Example: "  kubectl smile erase george",
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := targets(args, &users, func(k kind) bool { return k.name == users.name })
			if err != nil {
				return err
			}
			namespace, _, err := p.namespace()
			if err != nil {
				return err
			}
			objects, err := p.objects()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), patience, errNotErased)
			defer cancel()
			e := &erasure{plugin: p, objects: objects, user: chosen[0].in(namespace).(*v1alpha1.SmileUser)}
			if err := e.prepare(ctx); err != nil {
				return err
			}
			if err := e.confirm(yes); err != nil {
				return err
			}
			if err := e.run(ctx); err != nil {
				return err
			}
			return output.write(p.Out, e.report())
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for a confirmation")
	cmd.Flags().DurationVar(&patience, "timeout", 5*time.Minute, "how long to wait until everything is revoked and deleted")
	output.bind(cmd.Flags())
	return cmd
}

var errNotErased = errors.New("not everything is revoked and deleted yet, but it will be; kubectl smile status shows what it waits for")

// erasure is the erasure of one person.
type erasure struct {
	*plugin

	objects client.Client
	user    *v1alpha1.SmileUser
	syncs   []object
}

// prepare reads what will be deleted.
func (e *erasure) prepare(ctx context.Context) error {
	if err := e.objects.Get(ctx, client.ObjectKeyFromObject(e.user), e.user); err != nil {
		return err
	}
	all, err := everyObject(ctx, e.objects, syncs, e.user.Namespace)
	for _, o := range all {
		if o.(*v1alpha1.SmileAccountSync).Spec.UserRef.Name == e.user.Name {
			e.syncs = append(e.syncs, o)
		}
	}
	return err
}

// confirm asks for the name of the user.
func (e *erasure) confirm(yes bool) error {
	if yes {
		return nil
	}
	fmt.Fprintf(e.ErrOut, "This revokes all accounts of user %s in namespace %s at Smile, and deletes the user and %d syncs with their data.\n"+
		"It cannot be undone. To continue, type the name of the user: ", e.user.Name, e.user.Namespace, len(e.syncs))
	answer := bufio.NewScanner(e.In)
	if !answer.Scan() || strings.TrimSpace(answer.Text()) != e.user.Name {
		return errors.New("not confirmed: nothing was changed")
	}
	return nil
}

// run deletes the data first, and then revokes the accounts by deleting the user.
func (e *erasure) run(ctx context.Context) error {
	if err := e.hold(ctx); err != nil {
		return err
	}
	for _, o := range append(e.syncs, object(e.user)) {
		if err := client.IgnoreNotFound(e.objects.Delete(ctx, o, client.Preconditions{UID: new(o.GetUID())})); err != nil {
			return err
		}
	}
	fmt.Fprintln(e.ErrOut, "waiting until the accounts are revoked ...")
	err := until(ctx, e.objects, e.user, func(object) bool { return false })
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// hold makes sure that the deletion revokes. The operator adds the finalizer too, but perhaps not before the deletion.
func (e *erasure) hold(ctx context.Context) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if err := e.objects.Get(ctx, client.ObjectKeyFromObject(e.user), e.user); err != nil {
			return err
		}
		if e.user.DeletionTimestamp != nil {
			return revokes(e.user)
		}
		held := e.user.DeepCopy()
		held.Spec.DeletionPolicy = v1alpha1.UserRevokeAccounts
		controllerutil.AddFinalizer(held, v1alpha1.FinalizerRevoke)
		for _, annotation := range leaving {
			delete(held.Annotations, annotation)
		}
		// A patch keeps the fields that this version does not know.
		return e.objects.Patch(ctx, held, client.MergeFromWithOptions(e.user, client.MergeFromWithOptimisticLock{}))
	})
}

// leaving are the annotations with which a deletion can leave everything at Smile as it is.
var leaving = []string{v1alpha1.AnnotationForceOrphan, v1alpha1.AnnotationReleasedUntil}

// revokes returns an error if the present deletion of a user may revoke nothing.
func revokes(user *v1alpha1.SmileUser) error {
	problem := ""
	switch {
	case !controllerutil.ContainsFinalizer(user, v1alpha1.FinalizerRevoke):
		problem = "the finalizer " + v1alpha1.FinalizerRevoke + " is not set, and cannot be added any more: look at Smile whether " +
			"accounts are left"
	case user.Spec.DeletionPolicy != v1alpha1.UserRevokeAccounts:
		problem = "set spec.deletionPolicy to " + string(v1alpha1.UserRevokeAccounts) + ", and run this command again"
	default:
		for _, annotation := range leaving {
			if _, set := user.Annotations[annotation]; set {
				problem = "remove the annotation " + annotation + ", and run this command again"
			}
		}
	}
	if problem == "" {
		return nil
	}
	return fmt.Errorf("nothing was changed: user %s is already being deleted, which may leave its accounts at Smile as they are: %s",
		user.Name, problem)
}

func (e *erasure) report() *Change {
	report := &Change{Namespace: e.user.Namespace, Done: "erased", Objects: []string{target{users, e.user.Name}.String()}}
	for _, o := range e.syncs {
		report.Objects = append(report.Objects, target{syncs, o.GetName()}.String())
	}
	return report
}
