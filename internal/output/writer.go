// Package output is the only writer of Secrets and ConfigMaps. It never changes an object of another owner, selects the content
// of outputs, and writes only if something changes.
package output

import (
	"bytes"
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
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

// TargetsOf are the outputs that a status names, the one with the index first.
func TargetsOf(held *v1alpha1.OutputStatus) []Target {
	if held == nil {
		return nil
	}
	targets := []Target{{Kind(held.Kind), held.Name}}
	for _, other := range held.Others {
		targets = append(targets, Target{Kind(other.Kind), other.Name})
	}
	return targets
}

// Content is what an output holds, by key.
type Content map[string][]byte

// Equal reports whether two contents are the same.
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

// Stored is an object of an output as it was read, or the fact that there was none. A write replaces exactly this: if the object
// was changed, deleted or created meanwhile, the write fails with a conflict, so it cannot bring erased data back. After a write,
// Stored is what was written.
type Stored struct {
	target Target
	obj    client.Object
	left   bool
	// seal to be written with the object; nil leaves it as it is.
	seal *string
}

type ownerKey struct{}

// ForOwner returns a context that names the owner for which a client reads or writes. A Writer uses it itself.
func ForOwner(ctx context.Context, owner types.UID) context.Context {
	return context.WithValue(ctx, ownerKey{}, owner)
}

// OwnerOf is the owner for which a client reads or writes; "" if the context names none.
func OwnerOf(ctx context.Context) types.UID {
	owner, _ := ctx.Value(ownerKey{}).(types.UID)
	return owner
}

// Absent is an object that must not exist yet.
func Absent(target Target) *Stored { return &Stored{target: target} }

// Content that was read; nil when there was no object.
func (s *Stored) Content() Content {
	if s == nil || s.obj == nil {
		return nil
	}
	return contentOf(s.obj)
}

// LeftBehind reports whether the object is an output that a deleted object of this operator has left behind, and that was not
// taken back. It cannot be written before that.
func (s *Stored) LeftBehind() bool { return s.left }

// TakeBack permits writing an object that was left behind. The write makes it the owner's.
func (s *Stored) TakeBack() { s.left = false }

// HoldsOnly reports whether the object holds no keys but these.
func (s *Stored) HoldsOnly(keys ...string) bool {
	for key := range s.Content() {
		if !slices.Contains(keys, key) {
			return false
		}
	}
	return true
}

// Conflict is the problem of an object that is left unchanged because it does not belong to the owner.
func (s *Stored) Conflict() error { return conflict(s.target) }

// Open reads an object of an output. An object that was left behind is returned as such (LeftBehind). One that the garbage
// collector is going to delete is a problem Progressing, and one of another owner a problem OutputConflict.
func (w *Writer) Open(ctx context.Context, owner client.Object, target Target) (*Stored, error) {
	obj, err := w.get(ctx, owner, target)
	if err != nil {
		return nil, err
	}
	if obj == nil {
		return Absent(target), nil
	}
	found, err := w.claimOf(ctx, owner, obj)
	switch {
	case err != nil:
		return nil, err
	case found == foreign:
		return nil, conflict(target)
	case found == collectable:
		return nil, awaitingCollection(target)
	default:
		return &Stored{target: target, obj: obj, left: found == leftBehind}, nil
	}
}

// Read returns the content of an output of owner; nil if it does not exist. An object that does not belong to owner is a
// problem OutputConflict.
func (w *Writer) Read(ctx context.Context, owner client.Object, target Target) (Content, error) {
	obj, err := w.get(ctx, owner, target)
	if err != nil || obj == nil {
		return nil, err
	}
	if !owns(owner, obj) {
		return nil, conflict(target)
	}
	return contentOf(obj), nil
}

// Write gives the object that was opened exactly this content and the metadata of the template, and reports whether that
// changed anything. An update names the UID and the resourceVersion that were read.
func (w *Writer) Write(
	ctx context.Context,
	owner client.Object,
	stored *Stored,
	content Content,
	template *v1alpha1.OutputTemplate,
) (bool, error) {
	if stored.left {
		return false, stored.Conflict()
	}
	if stored.obj == nil {
		return true, w.create(ctx, owner, stored, content, template)
	}
	obj := stored.obj.DeepCopyObject().(client.Object)
	if err := w.own(owner, obj); err != nil {
		return false, err
	}
	applyTemplate(obj, template)
	stored.stamp(obj)
	equal := contentOf(obj).Equal(content)
	if equal && equality.Semantic.DeepEqual(obj, stored.obj) {
		return false, nil
	}
	if immutable(obj) && !equal {
		if err := w.delete(ctx, stored.obj, stored.target); err != nil {
			return false, err
		}
		return true, w.create(ctx, owner, stored, content, template)
	}
	setContent(obj, content)
	if err := w.client.Update(ForOwner(ctx, owner.GetUID()), obj); err != nil {
		return false, failed("updating", stored.target, content, err)
	}
	stored.obj = obj
	return true, nil
}

// Check finds out by a dry run whether the API server would accept a Write. The content is a placeholder with the keys of the
// content to come. An immutable object would be replaced, so only its deletion is tried.
func (w *Writer) Check(
	ctx context.Context, owner client.Object, stored *Stored, content Content, template *v1alpha1.OutputTemplate,
) error {
	trial := &Writer{client: client.NewDryRunClient(w.client), scheme: w.scheme}
	if stored.obj != nil && immutable(stored.obj) {
		return trial.delete(ctx, stored.obj.DeepCopyObject().(client.Object), stored.target)
	}
	written := *stored
	_, err := trial.Write(ctx, owner, &written, content, template)
	return err
}

// AsDeclared reports whether the object that was opened has the owner and the template's metadata.
func (w *Writer) AsDeclared(owner client.Object, stored *Stored, template *v1alpha1.OutputTemplate) (bool, error) {
	if stored.obj == nil {
		return true, nil
	}
	before := meta.AsPartialObjectMetadata(stored.obj)
	after := before.DeepCopy()
	if err := w.own(owner, after); err != nil {
		return false, err
	}
	applyTemplate(after, template)
	return equality.Semantic.DeepEqual(before, after), nil
}

// Delete removes the output if it is the owner's.
func (w *Writer) Delete(ctx context.Context, owner client.Object, target Target) error {
	obj, err := w.get(ctx, owner, target)
	if err != nil || obj == nil || !owns(owner, obj) {
		return err
	}
	return w.delete(ctx, obj, target)
}

func (w *Writer) create(
	ctx context.Context,
	owner client.Object,
	stored *Stored,
	content Content,
	template *v1alpha1.OutputTemplate,
) error {
	target := stored.target
	obj := target.object(owner.GetNamespace())
	if err := w.own(owner, obj); err != nil {
		return err
	}
	applyTemplate(obj, template)
	stored.stamp(obj)
	setContent(obj, content)
	err := w.client.Create(ForOwner(ctx, owner.GetUID()), obj)
	switch {
	case apierrors.IsAlreadyExists(err):
		return w.existsAlready(ctx, owner, target)
	case err != nil:
		return failed("creating", target, content, err)
	}
	stored.obj = obj
	return nil
}

// existsAlready is the problem of an object that was to be created and exists.
func (w *Writer) existsAlready(ctx context.Context, owner client.Object, target Target) error {
	found, err := w.Open(ctx, owner, target)
	switch {
	case err != nil:
		return err
	case found.left:
		return conflict(target)
	default:
		return changed(target)
	}
}

func (w *Writer) delete(ctx context.Context, obj client.Object, target Target) error {
	uid, version := obj.GetUID(), obj.GetResourceVersion()
	err := w.client.Delete(ctx, obj, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if client.IgnoreNotFound(err) != nil {
		return failed("deleting", target, contentOf(obj), err)
	}
	return nil
}

func (w *Writer) get(ctx context.Context, owner client.Object, target Target) (client.Object, error) {
	obj := target.object(owner.GetNamespace())
	err := w.client.Get(ForOwner(ctx, owner.GetUID()), client.ObjectKeyFromObject(obj), obj)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, failed("reading", target, nil, err)
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
