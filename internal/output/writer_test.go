package output_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
)

var (
	owner = &v1alpha1.SmileAccountSync{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "george", UID: "uid-1"}}
	ours  = metav1.OwnerReference{
		APIVersion: "smile-operator.io/v1alpha1", Kind: "SmileAccountSync", Name: "george", UID: "uid-1", Controller: ptr.To(true),
	}
	targets = []output.Target{{Kind: output.Secret, Name: "data"}, {Kind: output.ConfigMap, Name: "data"}}
	before  = output.Content{"a.json": []byte("1"), "b.json": []byte("2")}
	after   = output.Content{"a.json": []byte("3")}
)

// cluster is an API server in memory that records the writes to it.
type cluster struct {
	client.WithWatch
	writes   []string
	deletion client.DeleteOptions
	// onUpdate happens at an update, before it.
	onUpdate func()
}

func newCluster(t *testing.T, objects ...client.Object) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	own := make([]client.Object, len(objects)) // the client writes into them, and tests that run in parallel share some
	for i, obj := range objects {
		own[i] = obj.DeepCopyObject().(client.Object)
	}
	c := &cluster{onUpdate: func() {}}
	c.WithWatch = fake.NewClientBuilder().WithScheme(scheme).WithObjects(own...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			c.writes = append(c.writes, "create")
			return to.Create(ctx, obj, opts...)
		},
		Update: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			c.writes = append(c.writes, "update "+string(obj.GetUID())+" "+obj.GetResourceVersion())
			c.onUpdate()
			return to.Update(ctx, obj, opts...)
		},
		Delete: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			c.writes = append(c.writes, "delete")
			c.deletion = *(&client.DeleteOptions{}).ApplyOptions(opts)
			return to.Delete(ctx, obj, opts...)
		},
	}).Build()
	return c
}

// stored makes an object as it lies in the cluster.
func stored(target output.Target, content output.Content, immutable bool, owners ...metav1.OwnerReference) client.Object {
	meta := metav1.ObjectMeta{
		Namespace: "shop", Name: target.Name, UID: "uid-out", OwnerReferences: owners, Annotations: map[string]string{"by": "hand"},
	}
	if len(owners) > 0 && owners[0].UID == ours.UID {
		meta.Annotations[v1alpha1.AnnotationOwner] = string(ours.UID)
	}
	if target.Kind == output.Secret {
		return &corev1.Secret{ObjectMeta: meta, Data: content, Immutable: &immutable}
	}
	text := map[string]string{}
	for key, value := range content {
		text[key] = string(value)
	}
	return &corev1.ConfigMap{ObjectMeta: meta, Data: text, Immutable: &immutable}
}

func (c *cluster) get(t *testing.T, target output.Target) client.Object {
	t.Helper()
	var obj client.Object = &corev1.Secret{}
	if target.Kind == output.ConfigMap {
		obj = &corev1.ConfigMap{}
	}
	err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: target.Name}, obj)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

// apply opens an output and writes it.
func apply(t *testing.T, writer *output.Writer, target output.Target, content output.Content) (bool, error) {
	t.Helper()
	open, err := writer.Open(t.Context(), owner, target)
	if err != nil {
		return false, err
	}
	return writer.Write(t.Context(), owner, open, content, nil)
}

func TestOpenAndWrite(t *testing.T) {
	t.Parallel()
	foreign := ours
	foreign.APIVersion, foreign.Kind, foreign.UID = "apps/v1", "Deployment", "uid-of-a-deployment"
	follower := ours
	follower.Controller = nil
	for _, target := range targets {
		for name, c := range map[string]struct {
			present  client.Object
			writes   []string
			conflict bool
		}{
			"absent":         {nil, []string{"create"}, false},
			"another's":      {stored(target, before, false, foreign), nil, true},
			"nobody's":       {stored(target, before, false), nil, true},
			"nobody's equal": {stored(target, after, false), nil, true},
			"not controlled": {stored(target, before, false), nil, true},
			"cut off":        {stored(target, before, false, follower), []string{"update uid-out 999"}, false},
			"cut off, equal": {stored(target, after, false, follower), []string{"update uid-out 999"}, false},
			"equal":          {stored(target, after, false, ours), nil, false},
			"equal, locked":  {stored(target, after, true, ours), nil, false},
			"other":          {stored(target, before, false, ours), []string{"update uid-out 999"}, false},
			"empty":          {stored(target, nil, false, ours), []string{"update uid-out 999"}, false},
			"locked":         {stored(target, before, true, ours), []string{"delete", "create"}, false},
		} {
			t.Run(string(target.Kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				kube := newCluster(t)
				if c.present != nil {
					kube = newCluster(t, c.present)
				}
				untouched := kube.get(t, target)
				changed, err := apply(t, output.NewWriter(kube), target, after)
				if problem.Is(err, v1alpha1.ReasonOutputConflict) != c.conflict || (err != nil) != c.conflict {
					t.Fatalf("error %v", err)
				}
				if diff := cmp.Diff(c.writes, kube.writes); diff != "" || changed != (len(c.writes) > 0) {
					t.Errorf("changed %v by writes (-want +got)\n%s", changed, diff)
				}
				if len(c.writes) == 0 {
					if diff := cmp.Diff(untouched, kube.get(t, target)); diff != "" {
						t.Errorf("it was changed:\n%s", diff)
					}
					return
				}
				assertOurs(t, kube, target)
			})
		}
	}
}

func assertOurs(t *testing.T, kube *cluster, target output.Target) {
	t.Helper()
	if diff := cmp.Diff([]metav1.OwnerReference{ours}, kube.get(t, target).GetOwnerReferences()); diff != "" {
		t.Errorf("owners: %s", diff)
	}
	content, err := output.NewWriter(kube).Read(t.Context(), owner, target)
	if diff := cmp.Diff(after, content); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// Somebody else writes between our read and our update: theirs stays, and the next reconcile sees it.
func TestALateWriterChangesNothing(t *testing.T) {
	t.Parallel()
	for _, target := range targets {
		kube := newCluster(t, stored(target, before, false, ours))
		kube.onUpdate = func() {
			kube.onUpdate = func() {}
			newer := kube.get(t, target)
			newer.SetAnnotations(map[string]string{"newer": "yes"})
			if err := kube.Update(t.Context(), newer); err != nil {
				t.Error(err)
			}
		}
		changed, err := apply(t, output.NewWriter(kube), target, after)
		if changed || !apierrors.IsConflict(err) {
			t.Errorf("%s: changed %v, %v", target.Kind, changed, err)
		}
		if kube.get(t, target).GetAnnotations()["newer"] != "yes" {
			t.Errorf("%s: the newer object was overwritten", target.Kind)
		}
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	foreign := ours
	foreign.UID = "uid-2"
	for _, target := range targets {
		for name, c := range map[string]struct {
			present client.Object
			gone    bool
			writes  int
		}{
			"absent":    {nil, true, 0},
			"ours":      {stored(target, before, false, ours), true, 1},
			"another's": {stored(target, before, false, foreign), false, 0},
			"nobody's":  {stored(target, before, false), false, 0},
		} {
			t.Run(string(target.Kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				kube := newCluster(t)
				if c.present != nil {
					kube = newCluster(t, c.present)
				}
				if err := output.NewWriter(kube).Delete(t.Context(), owner, target); err != nil {
					t.Fatal(err)
				}
				if gone := kube.get(t, target) == nil; gone != c.gone || len(kube.writes) != c.writes {
					t.Errorf("deleted: %v, with the writes %v", gone, kube.writes)
				}
				if c.writes > 0 {
					want := &metav1.Preconditions{UID: ptr.To(c.present.GetUID()), ResourceVersion: ptr.To("999")}
					if diff := cmp.Diff(want, kube.deletion.Preconditions); diff != "" {
						t.Error(diff)
					}
				}
			})
		}
	}
}

func TestReadGivesNothingOfOthers(t *testing.T) {
	t.Parallel()
	for _, target := range targets {
		content, err := output.NewWriter(newCluster(t, stored(target, before, false))).Read(t.Context(), owner, target)
		if content != nil || !problem.Is(err, v1alpha1.ReasonOutputConflict) {
			t.Errorf("%s without an owner: %v, %v", target.Kind, content, err)
		}
		content, err = output.NewWriter(newCluster(t)).Read(t.Context(), owner, target)
		if content != nil || err != nil {
			t.Errorf("no %s: %v, %v", target.Kind, content, err)
		}
	}
}

func TestFingerprintsTellContentsApart(t *testing.T) {
	t.Parallel()
	key, _ := identity.NewKey()
	seen := map[string]output.Content{}
	for _, content := range []output.Content{
		nil,
		{"a": nil},
		{"a": []byte("1")},
		{"a": []byte("12")},
		{"a1": []byte("2")},
		{"a": []byte("1"), "b": []byte("2")},
		{"a": []byte("2"), "b": []byte("1")},
		{"a": []byte("1b2")},
	} {
		shown := output.Set{content}.Fingerprint(key)
		if other, taken := seen[shown]; taken {
			t.Errorf("%q and %q have the same", content, other)
		}
		seen[shown] = content
		for range 8 { // maps iterate at random
			if (output.Set{content}).Fingerprint(key) != shown {
				t.Fatalf("%q has several", content)
			}
		}
	}
}
