package engine

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// PatchStatus changes some fields of the status of an object, and removes those that are nil. It fails with a conflict
// unless the stored object is exactly the one that was read: same UID, same resourceVersion.
func PatchStatus(ctx context.Context, c client.StatusClient, read client.Object, fields map[string]any) error {
	patch, err := patchOf(read, true, fields)
	if err != nil {
		return err
	}
	return c.Status().Patch(ctx, read.DeepCopyObject().(client.Object), patch)
}

// statusPatch changes the status of an object from one value to another. It never meets another object of the same name; an
// exact one meets only the version that was read.
func statusPatch(read, changed client.Object, exact bool) (client.Patch, error) {
	data, err := client.MergeFrom(read).Data(changed)
	if err != nil {
		return nil, fmt.Errorf("computing the status patch: %w", err)
	}
	var patch struct {
		Status map[string]any `json:"status"`
	}
	if err := json.Unmarshal(data, &patch); err != nil {
		return nil, fmt.Errorf("reading the status patch: %w", err)
	}
	return patchOf(read, exact, patch.Status)
}

func patchOf(read client.Object, exact bool, status map[string]any) (client.Patch, error) {
	identity := map[string]any{"uid": read.GetUID()}
	if exact {
		identity["resourceVersion"] = read.GetResourceVersion()
	}
	patch := map[string]any{"metadata": identity}
	if status != nil {
		patch["status"] = status
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("computing the status patch: %w", err)
	}
	return client.RawPatch(types.MergePatchType, data), nil
}
