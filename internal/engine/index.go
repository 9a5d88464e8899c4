package engine

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// The fields by which objects are found in the cache.
const (
	// IndexConnection finds SmileUsers and SmileWebhookSubscriptions by the name of their connection.
	IndexConnection = "spec.connectionRef.name"
	// IndexRemoteUser finds SmileUsers by the id of their remote user.
	IndexRemoteUser = "status.userID"
	// IndexUser finds SmileAccountSyncs by the name of their user.
	IndexUser = "spec.userRef.name"
	// IndexPath finds SmileWebhookSubscriptions by the hash of a path that events come to.
	IndexPath = "status.registrations.pathHash"
)

// RegisterIndexes makes the cache find objects by these fields.
func RegisterIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		kind  client.Object
		field string
		value func(client.Object) string
	}{
		{&v1alpha1.SmileWebhookSubscription{}, IndexConnection, func(obj client.Object) string {
			return obj.(*v1alpha1.SmileWebhookSubscription).Spec.ConnectionRef.Name
		}},
		{&v1alpha1.SmileUser{}, IndexConnection, func(obj client.Object) string { return obj.(*v1alpha1.SmileUser).Spec.ConnectionRef.Name }},
		{&v1alpha1.SmileUser{}, IndexRemoteUser, func(obj client.Object) string { return obj.(*v1alpha1.SmileUser).Status.UserID }},
		{&v1alpha1.SmileAccountSync{}, IndexUser, func(obj client.Object) string { return obj.(*v1alpha1.SmileAccountSync).Spec.UserRef.Name }},
	} {
		err := indexer.IndexField(ctx, index.kind, index.field, func(obj client.Object) []string { return []string{index.value(obj)} })
		if err != nil {
			return fmt.Errorf("indexing %T by %s: %w", index.kind, index.field, err)
		}
	}
	if err := indexer.IndexField(ctx, &v1alpha1.SmileWebhookSubscription{}, IndexPath, pathHashes); err != nil {
		return fmt.Errorf("indexing the paths of webhooks: %w", err)
	}
	return nil
}

func pathHashes(obj client.Object) []string {
	var hashes []string
	for _, registration := range obj.(*v1alpha1.SmileWebhookSubscription).Status.Registrations {
		if registration.PathHash != "" {
			hashes = append(hashes, registration.PathHash)
		}
	}
	return hashes
}

// RequestsFor finds the objects of a list for which an event is a reason to look.
func RequestsFor(ctx context.Context, reader client.Reader, list client.ObjectList, options ...client.ListOption) []reconcile.Request {
	if err := reader.List(ctx, list, options...); err != nil {
		return nil // a synced cache does not fail
	}
	var requests []reconcile.Request
	_ = meta.EachListItem(list, func(item runtime.Object) error {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(item.(client.Object))})
		return nil
	})
	return requests
}
