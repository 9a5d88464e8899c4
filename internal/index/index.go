// Package index defines the fields by which the cache finds objects.
package index

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// Names of the indexed fields, for client.MatchingFields.
const (
	// Connection finds SmileUsers, SmileWebhookSubscriptions and SmileWinkWidgets by the name of their connection.
	Connection = "spec.connectionRef.name"
	// RemoteUser finds SmileUsers by the id of their user at Smile.
	RemoteUser = "status.userID"
	// User finds SmileAccountSyncs by the name of their SmileUser.
	User = "spec.userRef.name"
	// PathHash finds SmileWebhookSubscriptions by the hash of a path at which events arrive.
	PathHash = "status.registrations.pathHash"
)

// Field is an indexed field of one kind.
type Field struct {
	// Object is an empty object of the kind.
	Object client.Object
	// Name is one of the names above.
	Name string
	// Values returns the values under which an object is found.
	Values client.IndexerFunc
}

// Fields returns all indexed fields.
func Fields() []Field {
	return []Field{
		{&v1alpha1.SmileUser{}, Connection, one(func(user *v1alpha1.SmileUser) string { return user.Spec.ConnectionRef.Name })},
		{&v1alpha1.SmileUser{}, RemoteUser, one(func(user *v1alpha1.SmileUser) string { return user.Status.UserID })},
		{&v1alpha1.SmileAccountSync{}, User, one(func(sync *v1alpha1.SmileAccountSync) string { return sync.Spec.UserRef.Name })},
		{
			&v1alpha1.SmileWebhookSubscription{}, Connection,
			one(func(sub *v1alpha1.SmileWebhookSubscription) string { return sub.Spec.ConnectionRef.Name }),
		},
		{&v1alpha1.SmileWebhookSubscription{}, PathHash, pathHashes},
		{&v1alpha1.SmileWinkWidget{}, Connection, one(func(widget *v1alpha1.SmileWinkWidget) string {
			return widget.Spec.ConnectionRef.Name
		})},
	}
}

// Register adds all indexed fields to a cache.
func Register(ctx context.Context, indexer client.FieldIndexer) error {
	for _, field := range Fields() {
		if err := indexer.IndexField(ctx, field.Object, field.Name, field.Values); err != nil {
			return fmt.Errorf("indexing %T by %s: %w", field.Object, field.Name, err)
		}
	}
	return nil
}

func one[T client.Object](value func(T) string) client.IndexerFunc {
	return func(obj client.Object) []string { return []string{value(obj.(T))} }
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
