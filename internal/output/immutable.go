package output

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// Immutable reports whether the object that was opened cannot be changed.
func (s *Stored) Immutable() bool { return s != nil && s.obj != nil && immutable(s.obj) }

// Thaw replaces an immutable object by one that can be changed, with the same content and seal. For a moment there is no
// object, so use it only for content that can be fetched again.
func (w *Writer) Thaw(ctx context.Context, owner client.Object, stored *Stored, template *v1alpha1.OutputTemplate) error {
	content := stored.Content()
	stored.SetSeal(stored.Seal())
	if err := w.delete(ctx, stored.obj, stored.target); err != nil {
		return err
	}
	return w.create(ctx, owner, stored, content, template)
}
