package output

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

const pageSize = 500

// Watched selects the objects that an operator reconciles.
type Watched struct {
	// Namespaces; all when empty.
	Namespaces []string
	// Selector of labels; all objects when nil.
	Selector labels.Selector
}

// keyUser names an object with a status that only a process with an identity key can have written; empty if there is none.
func (w Watched) keyUser(ctx context.Context, live client.Reader) (string, error) {
	namespaces := w.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	for _, namespace := range namespaces {
		for _, kind := range []client.ObjectList{&v1alpha1.SmileConnectionList{}, &v1alpha1.SmileUserList{}} {
			user, err := w.keyUserOf(ctx, live, namespace, kind)
			if user != "" || err != nil {
				return user, err
			}
		}
	}
	return "", nil
}

func (w Watched) keyUserOf(ctx context.Context, live client.Reader, namespace string, kind client.ObjectList) (string, error) {
	options := &client.ListOptions{Namespace: namespace, LabelSelector: w.Selector, Limit: pageSize}
	for {
		page := kind.DeepCopyObject().(client.ObjectList)
		if err := live.List(ctx, page, options); err != nil {
			return "", fmt.Errorf("looking for signs of an earlier identity key: %w", err)
		}
		var user string
		err := meta.EachListItem(page, func(obj runtime.Object) error {
			if user == "" {
				user = usedKey(obj)
			}
			return nil
		})
		options.Continue = page.GetContinue()
		if user != "" || err != nil || options.Continue == "" {
			return user, err
		}
	}
}

// usedKey names the object if its status contains a value that was made with an identity key.
func usedKey(obj runtime.Object) string {
	switch obj := obj.(type) {
	case *v1alpha1.SmileConnection:
		if obj.Status.Credentials != nil {
			return fmt.Sprintf("SmileConnection %s/%s", obj.Namespace, obj.Name)
		}
	case *v1alpha1.SmileUser:
		if obj.Status.CreateAttempt != nil || obj.Status.UserID != "" && obj.Spec.UserID == "" {
			return fmt.Sprintf("SmileUser %s/%s", obj.Namespace, obj.Name)
		}
	}
	return ""
}
