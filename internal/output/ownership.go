package output

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// owns reports whether an object belongs to the owner: either the owner controls it, or it has the mark of the owner and no
// controller, because the owner reference was removed. Whoever can forge the mark can write the object anyway.
func owns(owner, obj client.Object) bool {
	if controller := metav1.GetControllerOf(obj); controller != nil {
		return controller.UID == owner.GetUID()
	}
	return owner.GetUID() != "" && obj.GetAnnotations()[v1alpha1.AnnotationOwner] == string(owner.GetUID())
}

// own gives an object the owner reference and the mark of the owner.
func (w *Writer) own(owner, obj client.Object) error {
	gvk, err := apiutil.GVKForObject(owner, w.scheme)
	if err != nil {
		return fmt.Errorf("finding the kind of the owner: %w", err)
	}
	set(obj, map[string]string{v1alpha1.AnnotationOwner: string(owner.GetUID())}, client.Object.GetAnnotations, client.Object.SetAnnotations)
	if metav1.IsControlledBy(obj, owner) {
		return nil
	}
	others := slices.DeleteFunc(slices.Clone(obj.GetOwnerReferences()), func(r metav1.OwnerReference) bool { return r.UID == owner.GetUID() })
	// Without blockOwnerDeletion: some clusters refuse it to clients that may not set the owner's finalizers.
	obj.SetOwnerReferences(append(others, metav1.OwnerReference{
		APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind,
		Name: owner.GetName(), UID: owner.GetUID(), Controller: ptr.To(true),
	}))
	return nil
}

// templateKeys are the keys of the template's labels and annotations that an object carries.
type templateKeys struct {
	Labels      []string `json:"labels,omitempty"`
	Annotations []string `json:"annotations,omitempty"`
}

// applyTemplate gives an object the labels and annotations of a template, and removes those of a former template. Labels and
// annotations of others stay. An annotation records the keys of the template, if it has any.
func applyTemplate(obj client.Object, template *v1alpha1.OutputTemplate) {
	var wanted v1alpha1.OutputMetadata
	if template != nil && template.Metadata != nil {
		wanted = *template.Metadata
	}
	var former templateKeys
	_ = json.Unmarshal([]byte(obj.GetAnnotations()[v1alpha1.AnnotationTemplateKeys]), &former)
	labels, annotations := texts(wanted.Labels), texts(wanted.Annotations)
	now := templateKeys{slices.Sorted(maps.Keys(labels)), slices.Sorted(maps.Keys(annotations))}
	drop(obj, former.Labels, client.Object.GetLabels, client.Object.SetLabels)
	drop(obj, append(former.Annotations, v1alpha1.AnnotationTemplateKeys), client.Object.GetAnnotations, client.Object.SetAnnotations)
	if len(labels)+len(annotations) > 0 {
		remembered, _ := json.Marshal(now) // strings always can be
		annotations[v1alpha1.AnnotationTemplateKeys] = string(remembered)
	}
	set(obj, labels, client.Object.GetLabels, client.Object.SetLabels)
	set(obj, annotations, client.Object.GetAnnotations, client.Object.SetAnnotations)
}

func texts[V ~string](of map[string]V) map[string]string {
	all := map[string]string{}
	for key, value := range of {
		all[key] = string(value)
	}
	return all
}

func drop(obj client.Object, keys []string, get func(client.Object) map[string]string, put func(client.Object, map[string]string)) {
	kept := maps.Clone(get(obj))
	for _, key := range keys {
		if key != v1alpha1.AnnotationOwner {
			delete(kept, key)
		}
	}
	put(obj, kept)
}

func set(obj client.Object, pairs map[string]string, get func(client.Object) map[string]string, put func(client.Object, map[string]string)) {
	if len(pairs) == 0 {
		return
	}
	all := maps.Clone(get(obj))
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, pairs)
	put(obj, all)
}
