package testenv

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/internal/app"
)

type namespaceKey struct{}

// withNamespace returns a context that carries the namespace of the reconciled object.
func withNamespace(ctx context.Context, namespace string) context.Context {
	return context.WithValue(ctx, namespaceKey{}, namespace)
}

// fenced reports each Secret and ConfigMap that a reconcile reads or writes outside the namespace of its object.
func fenced(live client.WithWatch, report func(format string, values ...any)) client.WithWatch {
	check := func(ctx context.Context, verb string, obj client.Object, namespace string) {
		own, ok := ctx.Value(namespaceKey{}).(string)
		_, secret := obj.(*corev1.Secret)
		_, config := obj.(*corev1.ConfigMap)
		if ok && own != namespace && (secret || config) {
			report("the reconcile of an object of namespace %s would %s a %T of namespace %s", own, verb, obj, namespace)
		}
	}
	return interceptor.NewClient(live, interceptor.Funcs{
		Get: func(
			ctx context.Context, inner client.WithWatch, key client.ObjectKey, obj client.Object, options ...client.GetOption,
		) error {
			check(ctx, "read", obj, key.Namespace)
			return inner.Get(ctx, key, obj, options...)
		},
		Create: func(ctx context.Context, inner client.WithWatch, obj client.Object, options ...client.CreateOption) error {
			check(ctx, "create", obj, obj.GetNamespace())
			return inner.Create(ctx, obj, options...)
		},
		Update: func(ctx context.Context, inner client.WithWatch, obj client.Object, options ...client.UpdateOption) error {
			check(ctx, "update", obj, obj.GetNamespace())
			return inner.Update(ctx, obj, options...)
		},
		Delete: func(ctx context.Context, inner client.WithWatch, obj client.Object, options ...client.DeleteOption) error {
			check(ctx, "delete", obj, obj.GetNamespace())
			return inner.Delete(ctx, obj, options...)
		},
	})
}

// indexes are the fields by which the operator's cache finds objects, here looked up in what the API server lists.
type indexes map[string]client.IndexerFunc

// IndexField implements client.FieldIndexer.
func (i indexes) IndexField(_ context.Context, obj client.Object, field string, value client.IndexerFunc) error {
	i[kindOf(obj)+"/"+field] = value
	return nil
}

func kindOf(obj any) string { return reflect.TypeOf(obj).Elem().Name() }

// cacheless returns a client that reads as the operator does from its cache, but from the API server itself. It is never late
// unless a test makes it so.
func cacheless(ctx context.Context, live client.WithWatch) (client.WithWatch, error) {
	found := indexes{}
	if err := app.RegisterIndexes(ctx, found); err != nil {
		return nil, err
	}
	return interceptor.NewClient(live, interceptor.Funcs{
		List: func(ctx context.Context, inner client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			var requested client.ListOptions
			requested.ApplyOptions(options)
			selector := requested.FieldSelector
			requested.FieldSelector = nil
			if err := inner.List(ctx, list, &requested); err != nil || selector == nil {
				return err
			}
			return found.keep(list, selector)
		},
	}), nil
}

// keep drops the objects that a selector does not select.
func (i indexes) keep(list client.ObjectList, selector fields.Selector) error {
	items, err := meta.ExtractList(list)
	if err != nil {
		return err
	}
	for _, wanted := range selector.Requirements() {
		var kept []runtime.Object
		for _, item := range items {
			value, ok := i[kindOf(item)+"/"+wanted.Field]
			if !ok {
				return fmt.Errorf("no index of %T by %s", item, wanted.Field)
			}
			if slices.Contains(value(item.(client.Object)), wanted.Value) {
				kept = append(kept, item)
			}
		}
		items = kept
	}
	return meta.SetList(list, items)
}
