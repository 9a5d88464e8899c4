package testenv

import (
	"context"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/internal/engine"
)

// indexes are the fields by which the operator's cache finds objects, here looked up in what the API server lists.
type indexes map[string]client.IndexerFunc

// IndexField implements client.FieldIndexer.
func (i indexes) IndexField(_ context.Context, obj client.Object, field string, value client.IndexerFunc) error {
	i[kindOf(obj)+"/"+field] = value
	return nil
}

func kindOf(obj any) string { return reflect.TypeOf(obj).Elem().Name() }

// cacheless gives a client that answers all that the operator asks of its cache, but from the API server itself:
// never late, unless a test makes it so.
func cacheless(ctx context.Context, live client.WithWatch) (client.WithWatch, error) {
	found := indexes{}
	if err := engine.RegisterIndexes(ctx, found); err != nil {
		return nil, err
	}
	return interceptor.NewClient(live, interceptor.Funcs{
		List: func(ctx context.Context, inner client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			var asked client.ListOptions
			asked.ApplyOptions(options)
			selector := asked.FieldSelector
			asked.FieldSelector = nil
			if err := inner.List(ctx, list, &asked); err != nil || selector == nil {
				return err
			}
			return found.keep(list, selector)
		},
	}), nil
}

// keep drops what a selector does not select.
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
			if value(item.(client.Object))[0] == wanted.Value {
				kept = append(kept, item)
			}
		}
		items = kept
	}
	return meta.SetList(list, items)
}
