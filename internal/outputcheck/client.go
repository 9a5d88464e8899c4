package outputcheck

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/output"
)

// recordingClient is a client that records in the memory which version of an output was read or written through it.
type recordingClient struct {
	client.Client
	memory *memory
}

// Client makes the client that outputs are read and written with: it must read live. What passes through it counts as
// seen by a reconcile, which judges, repairs or reports it.
func (c *Checker) Client(live client.Client) client.Client { return recordingClient{live, c.memory} }

// Get implements client.Reader.
func (n recordingClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
	err := n.Client.Get(ctx, key, obj, options...)
	switch {
	case err == nil:
		n.note(ctx, obj)
	case apierrors.IsNotFound(err):
		if kind, ok := kindOf(obj); ok {
			n.memory.note(place{output.Target{Kind: kind, Name: key.Name}, key.Namespace, output.OwnerOf(ctx)}, versionOf(nil))
		}
	}
	return err
}

// Create implements client.Writer.
func (n recordingClient) Create(ctx context.Context, obj client.Object, options ...client.CreateOption) error {
	err := n.Client.Create(ctx, obj, options...)
	if err == nil && len(new(client.CreateOptions).ApplyOptions(options).DryRun) == 0 {
		n.note(ctx, obj)
	}
	return err
}

// Update implements client.Writer.
func (n recordingClient) Update(ctx context.Context, obj client.Object, options ...client.UpdateOption) error {
	err := n.Client.Update(ctx, obj, options...)
	if err == nil && len(new(client.UpdateOptions).ApplyOptions(options).DryRun) == 0 {
		n.note(ctx, obj)
	}
	return err
}

// Patch implements client.Writer.
func (n recordingClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, options ...client.PatchOption) error {
	err := n.Client.Patch(ctx, obj, patch, options...)
	if err == nil && len(new(client.PatchOptions).ApplyOptions(options).DryRun) == 0 {
		n.note(ctx, obj)
	}
	return err
}

func (n recordingClient) note(ctx context.Context, obj client.Object) {
	if kind, ok := kindOf(obj); ok {
		n.memory.note(place{output.Target{Kind: kind, Name: obj.GetName()}, obj.GetNamespace(), output.OwnerOf(ctx)}, versionOf(obj))
	}
}

func kindOf(obj client.Object) (output.Kind, bool) {
	switch obj.(type) {
	case *corev1.Secret:
		return output.Secret, true
	case *corev1.ConfigMap:
		return output.ConfigMap, true
	default:
		return "", false
	}
}
