package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Snapshot returns a snapshot of etcd, as a backup has it.
func (cp *ControlPlane) Snapshot(ctx context.Context) ([]byte, error) {
	const path = "/v3/maintenance/snapshot"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, cp.Etcd.URL()+path, strings.NewReader("{}"))
	if err != nil {
		return nil, err
	}
	response, err := cp.Etcd.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("etcd's snapshot: %s", response.Status)
	}
	var snapshot []byte
	for parts := json.NewDecoder(response.Body); ; {
		var part struct {
			Result struct{ Blob []byte }
			Error  struct{ Message string }
		}
		switch err := parts.Decode(&part); {
		case errors.Is(err, io.EOF):
			return snapshot, nil
		case err != nil:
			return nil, fmt.Errorf("etcd's snapshot: %w", err)
		case part.Error.Message != "":
			return nil, fmt.Errorf("etcd's snapshot: %s", part.Error.Message)
		}
		snapshot = append(snapshot, part.Result.Blob...)
	}
}
