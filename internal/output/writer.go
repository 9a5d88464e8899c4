// Package output is the only writer of Secrets and ConfigMaps: it guards whose they are, selects what goes into
// them, and leaves alone what would not change.
package output

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/identity"
)

// Kind is what an output is stored as.
type Kind string

// The kinds of outputs.
const (
	Secret    Kind = "Secret"
	ConfigMap Kind = "ConfigMap"
)

// Target is an output, in the namespace of its owner.
type Target struct {
	Kind Kind
	Name string
}

// Content is what an output holds, by key.
type Content map[string][]byte

// Fingerprint of the content, keyed, the same for the same content.
func (c Content) Fingerprint(key identity.Key) string {
	var parts [][]byte
	for _, name := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, []byte(name), c[name])
	}
	return key.Fingerprint("output", parts...)
}

// Equal tells whether two contents are the same.
func (c Content) Equal(other Content) bool { return maps.EqualFunc(c, other, bytes.Equal) }

// Writer writes outputs. Its client must read live: Secrets are never cached.
type Writer struct {
	client client.Client
	scheme *runtime.Scheme
}

// NewWriter makes a writer on a client that reads live.
func NewWriter(live client.Client) *Writer {
	return &Writer{client: live, scheme: live.Scheme()}
}

// Read gives the content of an output of owner; nil when it does not exist. One that is not the owner's is a
// conflict.
func (w *Writer) Read(ctx context.Context, owner client.Object, target Target) (Content, error) {
	obj, err := w.get(ctx, owner, target)
	if err != nil || obj == nil {
		return nil, err
	}
	if !metav1.IsControlledBy(obj, owner) {
		return nil, conflict(target)
	}
	return contentOf(obj), nil
}

// Apply makes the output hold exactly this content, and tells whether that changed anything. An object of the
// same name that is not controlled by owner is a conflict and stays as it is. An update names the UID and the
// resourceVersion that it saw, so that a late writer cannot bring old data back.
func (w *Writer) Apply(ctx context.Context, owner client.Object, target Target, content Content) (bool, error) {
	obj, err := w.get(ctx, owner, target)
	if err != nil {
		return false, err
	}
	if obj == nil {
		return true, w.create(ctx, owner, target, content)
	}
	if !metav1.IsControlledBy(obj, owner) {
		return false, conflict(target)
	}
	if contentOf(obj).Equal(content) {
		return false, nil
	}
	if immutable(obj) {
		return true, w.replace(ctx, owner, obj, target, content)
	}
	setContent(obj, content)
	if err := w.client.Update(ctx, obj); err != nil {
		return false, fmt.Errorf("updating the %s: %w", target.Kind, err)
	}
	return true, nil
}

// Delete removes the output if it is the owner's.
func (w *Writer) Delete(ctx context.Context, owner client.Object, target Target) error {
	obj, err := w.get(ctx, owner, target)
	if err != nil || obj == nil || !metav1.IsControlledBy(obj, owner) {
		return err
	}
	return w.delete(ctx, obj, target)
}

func (w *Writer) create(ctx context.Context, owner client.Object, target Target, content Content) error {
	obj := target.object(owner.GetNamespace())
	gvk, err := apiutil.GVKForObject(owner, w.scheme)
	if err != nil {
		return fmt.Errorf("finding the kind of the owner: %w", err)
	}
	// Without blockOwnerDeletion, which some clusters refuse to whoever may not set the owner's finalizers.
	obj.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind,
		Name: owner.GetName(), UID: owner.GetUID(), Controller: ptr.To(true),
	}})
	setContent(obj, content)
	err = w.client.Create(ctx, obj)
	if apierrors.IsAlreadyExists(err) {
		return conflict(target)
	}
	if err != nil {
		return fmt.Errorf("creating the %s: %w", target.Kind, err)
	}
	return nil
}

// replace writes over an output that somebody made immutable, which only a new object can do.
func (w *Writer) replace(ctx context.Context, owner, obj client.Object, target Target, content Content) error {
	if err := w.delete(ctx, obj, target); err != nil {
		return err
	}
	return w.create(ctx, owner, target, content)
}

func (w *Writer) delete(ctx context.Context, obj client.Object, target Target) error {
	uid, version := obj.GetUID(), obj.GetResourceVersion()
	err := w.client.Delete(ctx, obj, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting the %s: %w", target.Kind, err)
	}
	return nil
}

func (w *Writer) get(ctx context.Context, owner client.Object, target Target) (client.Object, error) {
	obj := target.object(owner.GetNamespace())
	err := w.client.Get(ctx, client.ObjectKeyFromObject(obj), obj)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the %s: %w", target.Kind, err)
	}
	return obj, nil
}

func (t Target) object(namespace string) client.Object {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: t.Name}
	if t.Kind == ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: meta}
	}
	return &corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeOpaque}
}

func contentOf(obj client.Object) Content {
	switch obj := obj.(type) {
	case *corev1.Secret:
		return obj.Data
	case *corev1.ConfigMap:
		content := Content{}
		maps.Copy(content, obj.BinaryData)
		for key, value := range obj.Data {
			content[key] = []byte(value)
		}
		return content
	default:
		return nil
	}
}

func setContent(obj client.Object, content Content) {
	switch obj := obj.(type) {
	case *corev1.Secret:
		obj.Data = content
	case *corev1.ConfigMap:
		obj.BinaryData = nil
		obj.Data = make(map[string]string, len(content))
		for key, value := range content {
			obj.Data[key] = string(value)
		}
	}
}

func immutable(obj client.Object) bool {
	switch obj := obj.(type) {
	case *corev1.Secret:
		return equality.Semantic.DeepEqual(obj.Immutable, ptr.To(true))
	case *corev1.ConfigMap:
		return equality.Semantic.DeepEqual(obj.Immutable, ptr.To(true))
	default:
		return false
	}
}

func conflict(target Target) error {
	return engine.NewInvalid(v1alpha1.ReasonOutputConflict,
		fmt.Sprintf("the %s %q exists and does not belong to this object: choose another name or delete it", target.Kind, target.Name)).
		After(conflictRetry)
}
