package uninstall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/pager"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// kind is one of the operator's kinds, as the cluster serves it.
type kind struct {
	schema.GroupVersionResource

	name string
}

// firstKinds are released first: what the deletion of a SmileUser revokes can never be restored.
var firstKinds = []string{"SmileUser", "SmileWebhookSubscription"}

// discoverKinds returns all kinds of the operator that the cluster serves, also those that this version does not know, in the
// order in which they are released. There is none if the CustomResourceDefinitions are not installed.
func discoverKinds(cluster discovery.DiscoveryInterface) ([]kind, error) {
	groups, err := cluster.ServerGroups()
	if err != nil {
		return nil, err
	}
	var kinds []kind
	for _, group := range groups.Groups {
		if group.Name != v1alpha1.GroupVersion.Group {
			continue
		}
		served, err := cluster.ServerResourcesForGroupVersion(group.PreferredVersion.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range served.APIResources {
			if !strings.Contains(resource.Name, "/") {
				version := schema.GroupVersion{Group: group.Name, Version: group.PreferredVersion.Version}
				kinds = append(kinds, kind{version.WithResource(resource.Name), resource.Kind})
			}
		}
	}
	slices.SortFunc(kinds, func(a, b kind) int {
		if order := rank(a.name) - rank(b.name); order != 0 {
			return order
		}
		return strings.Compare(a.name, b.name)
	})
	return kinds, nil
}

func rank(name string) int {
	if at := slices.Index(firstKinds, name); at >= 0 {
		return at
	}
	return len(firstKinds)
}

// object is what matters of an object that is held, or is being deleted.
type object struct {
	Object

	kind            kind
	uid             string
	resourceVersion string
	deleting        bool
	// ours are the finalizers of the operator, and kept those of others.
	ours, kept []string
}

func (o object) held() bool { return len(o.ours) > 0 }

const ourFinalizers = "smile-operator.io/"

// list returns the objects that are held or being deleted.
func (r *releaser) list(ctx context.Context) ([]object, error) {
	namespaces := r.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	var found []object
	for _, kind := range r.kinds {
		for _, namespace := range namespaces {
			pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				return r.objects.Resource(kind.GroupVersionResource).Namespace(namespace).List(ctx, options)
			})
			err := pages.EachListItem(ctx, metav1.ListOptions{LabelSelector: r.Selector}, func(item runtime.Object) error {
				if o := inspect(kind, item.(*unstructured.Unstructured)); o.held() || o.deleting {
					found = append(found, o)
				}
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("listing the %s: %w", kind.Resource, err)
			}
		}
	}
	return found, nil
}

func inspect(kind kind, item *unstructured.Unstructured) object {
	o := object{
		Object: Object{Kind: kind.name, Namespace: item.GetNamespace(), Name: item.GetName(), resource: kind.GroupResource()},
		kind:   kind, uid: string(item.GetUID()), resourceVersion: item.GetResourceVersion(),
		deleting: item.GetDeletionTimestamp() != nil,
	}
	for _, finalizer := range item.GetFinalizers() {
		if strings.HasPrefix(finalizer, ourFinalizers) {
			o.ours = append(o.ours, finalizer)
		} else {
			o.kept = append(o.kept, finalizer)
		}
	}
	if o.deleting {
		o.Message = blockedBy(item, o)
	}
	return o
}

// blockedBy says why an object that is being deleted still exists.
func blockedBy(item *unstructured.Unstructured, o object) string {
	if !o.held() && len(o.kept) > 0 {
		return "held by the finalizers " + strings.Join(o.kept, ", ") + ", which are not the operator's"
	}
	var status struct {
		Status v1alpha1.CommonStatus `json:"status"`
	}
	if runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &status) != nil {
		return ""
	}
	for _, condition := range status.Status.Conditions {
		if condition.Type == v1alpha1.ConditionReady && condition.Reason == v1alpha1.ReasonDeletionBlocked {
			return condition.Message
		}
	}
	return ""
}

// releasing removes our finalizers, and asks the operator to add none until a time.
func (o object) releasing(until time.Time) map[string]any {
	return map[string]any{
		"finalizers":  o.others(),
		"annotations": map[string]string{v1alpha1.AnnotationReleasedUntil: until.Format(time.RFC3339)},
	}
}

// orphaning tells the operator to complete a deletion and to leave at Smile what is there.
func (o object) orphaning() map[string]any {
	return map[string]any{"annotations": map[string]string{v1alpha1.AnnotationForceOrphan: o.uid}}
}

// unholding removes our finalizers from an object whose deletion nobody completes.
func (o object) unholding() map[string]any { return map[string]any{"finalizers": o.others()} }

// others are the finalizers that stay. An empty list, unlike null, is also valid in a strategic merge.
func (o object) others() []string { return append([]string{}, o.kept...) }

// patch changes the metadata of exactly the object that was listed. An object that has changed since is left for the next
// listing.
func (r *releaser) patch(ctx context.Context, o object, metadata map[string]any) error {
	metadata["uid"], metadata["resourceVersion"] = o.uid, o.resourceVersion
	body, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	resource := r.objects.Resource(o.kind.GroupVersionResource).Namespace(o.Namespace)
	_, err = resource.Patch(ctx, o.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: "smile-uninstall"})
	if err != nil && !stale(err) {
		return fmt.Errorf("patching %s: %w", o, err)
	}
	if err != nil {
		return errStale
	}
	return nil
}

// errStale means that an object changed since it was listed.
var errStale = errors.New("the object has changed")

func stale(err error) bool { return apierrors.IsConflict(err) || apierrors.IsNotFound(err) }

// parallel is how many objects are changed at the same time.
const parallel = 16

// each does something with many objects, in their order, and shows the progress.
func (r *releaser) each(ctx context.Context, done string, objects []object, do func(context.Context, object) error) error {
	if len(objects) == 0 {
		return nil
	}
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	var count atomic.Int64
	for _, o := range objects {
		if within.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := do(within, o); err != nil && !errors.Is(err, errStale) {
				return err
			}
			if n := count.Add(1); n%progressEvery == 0 {
				r.say("%s %d of %d objects", done, n, len(objects))
			}
			return nil
		})
	}
	return group.Wait()
}

// progressEvery is after how many objects a line shows the progress.
const progressEvery = 250

func filter(objects []object, chosen func(object) bool) []object {
	var all []object
	for _, o := range objects {
		if chosen(o) {
			all = append(all, o)
		}
	}
	return all
}
