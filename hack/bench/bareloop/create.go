package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// createAll creates a user for each SmileUser.
func (l *loop) createAll(ctx context.Context) error {
	all, err := l.users.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(l.concurrency)
	for i := range all.Items {
		user := &all.Items[i]
		group.Go(func() error { return l.create(ctx, user.GetName(), string(user.GetUID())) })
	}
	return group.Wait()
}

// create writes the statuses that the operator writes, so that the API server has the same work.
func (l *loop) create(ctx context.Context, name, uid string) error {
	now := time.Now().UTC().Format(time.RFC3339)
	connected := succeeded("ConnectionReady", "the connection can be used", now)
	err := l.store(ctx, name, uid, map[string]any{
		"createAttempt": map[string]any{"id": string(uuid.NewUUID()), "startedAt": now}, "conditions": []any{connected},
	})
	if err != nil {
		return err
	}
	id, err := l.post(ctx, uid)
	if err != nil {
		return err
	}
	return l.store(ctx, name, uid, map[string]any{
		"userID": id, "createdAt": now, "mode": "Sandbox", "createAttempt": nil, "observedGeneration": 1,
		"accounts": map[string]any{"total": 0, "connected": 0, "needsAction": 0},
		"conditions": []any{
			succeeded("Ready", "everything declared is in place", now), connected,
			succeeded("Provisioned", "the person is a user at Smile", now),
		},
	})
}

func succeeded(kind, message, now string) map[string]any {
	return map[string]any{
		"type": kind, "status": "True", "reason": "Succeeded", "message": message, "lastTransitionTime": now, "observedGeneration": 1,
	}
}

func (l *loop) store(ctx context.Context, name, uid string, status map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": uid}, "status": status})
	if err != nil {
		return err
	}
	_, err = l.users.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

func (l *loop) post(ctx context.Context, uid string) (id string, err error) {
	body, err := json.Marshal(map[string]any{"externalMetadata": map[string]string{"bareloop": uid}})
	if err != nil {
		return "", err
	}
	var data struct {
		User struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	status, err := l.call(ctx, http.MethodPost, "/users", body, &data)
	if err == nil && data.User.ID == "" {
		err = errors.New("no user in the response " + status)
	}
	return data.User.ID, err
}
