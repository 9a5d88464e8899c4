package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
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
			e := &erasure{plugin: p, objects: objects, user: chosen[0].in(namespace).(*v1alpha1.SmileUser)}
			if err := e.erase(cmd.Context(), yes, patience); err != nil {
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

var errNotErased = errors.New("not revoked and deleted yet, but the deletion continues; kubectl smile status shows what it waits for")

// erasure is the erasure of one person.
type erasure struct {
	*plugin

	objects client.Client
	user    *v1alpha1.SmileUser
	syncs   []*v1alpha1.SmileAccountSync
}

// erase asks for a confirmation, unless yes is set. Then it has as much time as patience says.
func (e *erasure) erase(ctx context.Context, yes bool, patience time.Duration) error {
	if err := e.prepare(ctx); err != nil {
		return err
	}
	if !yes {
		if err := e.confirm(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errNotErased)
	defer cancel()
	return e.run(ctx)
}

// prepare reads what will be deleted.
func (e *erasure) prepare(ctx context.Context) error {
	if err := e.objects.Get(ctx, client.ObjectKeyFromObject(e.user), e.user); err != nil {
		return err
	}
	return e.findSyncs(ctx)
}

func (e *erasure) findSyncs(ctx context.Context) error {
	all, err := everyObject(ctx, e.objects, syncs, e.user.Namespace)
	e.syncs = nil
	for _, o := range all {
		if sync := o.(*v1alpha1.SmileAccountSync); sync.Spec.UserRef.Name == e.user.Name {
			e.syncs = append(e.syncs, sync)
		}
	}
	return err
}

// confirm asks for the name of the user. An interrupt ends it, although the answer is still being read.
func (e *erasure) confirm(ctx context.Context) error {
	fmt.Fprintf(e.ErrOut, "This revokes all accounts of user %s in namespace %s at Smile, and deletes the user and %d syncs with their data.\n"+
		"It cannot be undone. To continue, type the name of the user: ", e.user.Name, e.user.Namespace, len(e.syncs))
	answered := make(chan string, 1)
	go func() {
		answer := bufio.NewScanner(e.In)
		answer.Scan()
		answered <- answer.Text()
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case answer := <-answered:
		if strings.TrimSpace(answer) != e.user.Name {
			return errors.New("not confirmed: nothing was changed")
		}
		return nil
	}
}

// run deletes the data first, and then revokes the accounts by deleting the user.
func (e *erasure) run(ctx context.Context) error {
	if err := e.hold(ctx); err != nil {
		return err
	}
	if err := e.findSyncs(ctx); err != nil { // what they have written may have changed during the confirmation
		return err
	}
	for _, sync := range e.syncs {
		if err := e.remove(ctx, sync); err != nil {
			return err
		}
	}
	if err := e.remove(ctx, e.user); err != nil {
		return err
	}
	fmt.Fprintln(e.ErrOut, "waiting until the accounts are revoked and the data is deleted ...")
	for _, o := range e.awaited() {
		if err := e.gone(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (e *erasure) remove(ctx context.Context, o client.Object) error {
	return client.IgnoreNotFound(e.objects.Delete(ctx, o, client.Preconditions{UID: new(o.GetUID())}))
}

// awaited is an object that the operator or the cluster deletes.
type awaited struct {
	schema.GroupVersionKind

	name string
	// uid of the object; for an output, that of its sync.
	uid types.UID
}

// awaited are the user, and the syncs with their outputs.
func (e *erasure) awaited() []awaited {
	all := []awaited{{v1alpha1.GroupVersion.WithKind(users.name), e.user.Name, e.user.UID}}
	for _, sync := range e.syncs {
		all = append(all, awaited{v1alpha1.GroupVersion.WithKind(syncs.name), sync.Name, sync.UID})
		if output := sync.Status.Output; output != nil {
			for _, o := range append([]v1alpha1.OutputObject{{Kind: output.Kind, Name: output.Name}}, output.Others...) {
				all = append(all, awaited{corev1.SchemeGroupVersion.WithKind(o.Kind), o.Name, sync.UID})
			}
		}
	}
	return all
}

// is reports whether an object is the awaited one, and not another one that has its name.
func (a awaited) is(o client.Object) bool {
	return o.GetUID() == a.uid || o.GetAnnotations()[v1alpha1.AnnotationOwner] == string(a.uid) ||
		slices.ContainsFunc(o.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.UID == a.uid })
}

// gone waits until an object is deleted. It does not wait for an output that the user may not read: the cluster deletes that.
func (e *erasure) gone(ctx context.Context, a awaited) error {
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		present := &metav1.PartialObjectMetadata{}
		present.SetGroupVersionKind(a.GroupVersionKind)
		err := e.objects.Get(ctx, client.ObjectKey{Namespace: e.user.Namespace, Name: a.name}, present)
		if err != nil {
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		}
		return !a.is(present), nil
	})
	if a.Group == corev1.GroupName && apierrors.IsForbidden(err) {
		fmt.Fprintf(e.ErrOut, "%s %s is not awaited, because you may not read it: the cluster deletes it after its sync\n", a.Kind, a.name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", a.Kind, a.name, err)
	}
	return nil
}

// hold makes sure that the deletion revokes. The operator adds the finalizer too, but perhaps not before the deletion.
func (e *erasure) hold(ctx context.Context) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		present := &v1alpha1.SmileUser{}
		if err := e.objects.Get(ctx, client.ObjectKeyFromObject(e.user), present); err != nil {
			return err
		}
		if present.UID != e.user.UID {
			return fmt.Errorf("nothing was changed: user %s was deleted and created again meanwhile", e.user.Name)
		}
		if present.DeletionTimestamp != nil {
			return revokes(present)
		}
		held := present.DeepCopy()
		held.Spec.DeletionPolicy = v1alpha1.UserRevokeAccounts
		controllerutil.AddFinalizer(held, v1alpha1.FinalizerRevoke)
		for _, annotation := range leaving {
			delete(held.Annotations, annotation)
		}
		// A patch keeps the fields that this version does not know.
		return e.objects.Patch(ctx, held, client.MergeFromWithOptions(present, client.MergeFromWithOptimisticLock{}))
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
