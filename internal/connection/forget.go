package connection

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// forgetInterval is how often the registry checks which connections were deleted.
const forgetInterval = time.Minute

// Start forgets deleted connections until ctx ends.
func (r *Registry) Start(ctx context.Context) error {
	tick := time.NewTicker(forgetInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := r.ForgetDeleted(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "deleted connections are kept in memory until the next check")
		}
	}
}

// ForgetDeleted drops connections that were deleted, with their key pairs and revoke limiters, unless the deletion of
// another object still needs the pair.
func (r *Registry) ForgetDeleted(ctx context.Context) error {
	for _, name := range r.names() {
		var obj v1alpha1.SmileConnection
		err := r.config.Connections.Get(ctx, name, &obj)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading a connection: %w", err)
		}
		if err == nil && !r.replaced(&obj) {
			continue
		}
		needed, err2 := r.needed(ctx, name)
		switch {
		case err2 != nil:
			return err2
		case needed:
		case apierrors.IsNotFound(err):
			r.forget(name, true)
		default:
			r.forget(name, false)
		}
	}
	return nil
}

func (r *Registry) names() []types.NamespacedName {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []types.NamespacedName
	for name := range r.connections {
		names = append(names, name)
	}
	for name := range r.limiters {
		if r.connections[name] == nil {
			names = append(names, name)
		}
	}
	return names
}

// replaced reports whether the former key pair is that of a deleted object of the same name.
func (r *Registry) replaced(obj *v1alpha1.SmileConnection) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	former := r.good[client.ObjectKeyFromObject(obj)]
	return former != nil && former.uid != obj.UID
}

// needed reports whether an object that names a connection will need it to undo something at Smile when the object is deleted.
func (r *Registry) needed(ctx context.Context, name types.NamespacedName) (bool, error) {
	var users v1alpha1.SmileUserList
	if err := r.config.Connections.List(ctx, &users, client.InNamespace(name.Namespace)); err != nil {
		return false, fmt.Errorf("listing the users of a deleted connection: %w", err)
	}
	for i := range users.Items {
		user := &users.Items[i]
		if user.Spec.ConnectionRef.Name == name.Name && slices.Contains(user.Finalizers, v1alpha1.FinalizerRevoke) {
			return true, nil
		}
	}
	var subs v1alpha1.SmileWebhookSubscriptionList
	if err := r.config.Connections.List(ctx, &subs, client.InNamespace(name.Namespace)); err != nil {
		return false, fmt.Errorf("listing the webhooks of a deleted connection: %w", err)
	}
	for i := range subs.Items {
		sub := &subs.Items[i]
		if sub.Spec.ConnectionRef.Name == name.Name && slices.Contains(sub.Finalizers, v1alpha1.FinalizerWebhook) {
			return true, nil
		}
	}
	return false, nil
}

// forget drops the former key pair of a name, or everything of the name if all is true, and closes the connections that are no
// longer used.
func (r *Registry) forget(name types.NamespacedName, all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	dropped := []*Connection{r.good[name]}
	delete(r.good, name)
	if all {
		if conn := r.connections[name]; conn != nil {
			r.leave(conn)
			dropped = append(dropped, conn)
		}
		delete(r.connections, name)
		delete(r.limiters, name)
	}
	held := r.held()
	for _, conn := range dropped {
		if conn != nil && !slices.ContainsFunc(held, func(other *Connection) bool { return other.session == conn.session }) {
			conn.session.transport.CloseIdleConnections()
		}
	}
}
