package output

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// claim is who an existing object belongs to.
type claim int

const (
	// foreign objects belong to another owner or to none, and are left unchanged.
	foreign claim = iota
	// owned objects belong to the owner.
	owned
	// collectable objects are controlled by a deleted object of this operator: the garbage collector removes them.
	collectable
	// leftBehind objects are marked as an output of a deleted object of this operator and controlled by nobody: it was
	// deleted with --cascade=orphan, or the output was restored from a backup without owner references.
	leftBehind
)

// collectionRetry is when an object is read again that the garbage collector is going to delete.
const collectionRetry = 3 * time.Second

// claimOf finds out who an object belongs to. If it names another UID than the owner's, the kinds that it may name are listed
// live: the cache may lag, or a label selector may leave objects out.
func (w *Writer) claimOf(ctx context.Context, owner, obj client.Object) (claim, error) {
	if owns(owner, obj) {
		return owned, nil
	}
	controller, mark := metav1.GetControllerOf(obj), types.UID(obj.GetAnnotations()[v1alpha1.AnnotationOwner])
	if controller != nil {
		return w.claimOfControlled(ctx, owner, controller)
	}
	if mark == "" {
		return foreign, nil
	}
	return w.unlessLive(ctx, leftBehind, owner.GetNamespace(), mark, w.kinds())
}

func (w *Writer) claimOfControlled(ctx context.Context, owner client.Object, controller *metav1.OwnerReference) (claim, error) {
	kind := v1alpha1.GroupVersion.WithKind(controller.Kind)
	group, err := schema.ParseGroupVersion(controller.APIVersion)
	if err != nil || group.Group != v1alpha1.GroupVersion.Group || !slices.Contains(w.kinds(), kind) {
		return foreign, nil //nolint:nilerr // the operator does not know whether it exists
	}
	own, err := apiutil.GVKForObject(owner, w.scheme)
	if err != nil {
		return foreign, fmt.Errorf("finding the kind of the owner: %w", err)
	}
	if own.Kind == controller.Kind && owner.GetName() == controller.Name {
		return collectable, nil // two objects of one kind and name do not live at once
	}
	return w.unlessLive(ctx, collectable, owner.GetNamespace(), controller.UID, []schema.GroupVersionKind{kind})
}

// unlessLive gives a claim, or foreign when the UID names a live object of one of these kinds in the namespace.
func (w *Writer) unlessLive(
	ctx context.Context, dead claim, namespace string, uid types.UID, kinds []schema.GroupVersionKind,
) (claim, error) {
	for _, kind := range kinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := w.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return foreign, fmt.Errorf("listing objects of kind %s to find the owner of an output: %w", kind.Kind, err)
		}
		if slices.ContainsFunc(list.Items, func(one metav1.PartialObjectMetadata) bool { return one.UID == uid }) {
			return foreign, nil
		}
	}
	return dead, nil
}

// kinds are the operator's own, sorted by name.
func (w *Writer) kinds() []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	for name, of := range w.scheme.KnownTypes(v1alpha1.GroupVersion) {
		if _, ours := reflect.New(of).Interface().(engine.Object); ours {
			kinds = append(kinds, v1alpha1.GroupVersion.WithKind(name))
		}
	}
	slices.SortFunc(kinds, func(a, b schema.GroupVersionKind) int { return cmp.Compare(a.Kind, b.Kind) })
	return kinds
}

func conflict(target Target) error {
	return problem.NewInvalid(v1alpha1.ReasonOutputConflict,
		fmt.Sprintf("the %s %q exists and does not belong to this object: choose another name or delete it", target.Kind, target.Name)).
		After(conflictRetry)
}

func awaitingCollection(target Target) error {
	return problem.NewNotReady(v1alpha1.ReasonProgressing, fmt.Sprintf(
		"the %s %q still belongs to an object that was deleted: waiting for Kubernetes' garbage collector to remove it",
		target.Kind, target.Name)).After(collectionRetry)
}
