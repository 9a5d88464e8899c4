package connection

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

// Tenant is the tenant of an object that refers to a connection.
func (r *Registry) Tenant(ctx context.Context, namespace string, ref v1alpha1.ConnectionReference) engine.Tenant {
	name := types.NamespacedName{Namespace: namespace, Name: ref.Name}
	tenant := engine.Tenant{Connection: name.String()}
	var obj v1alpha1.SmileConnection
	if err := r.config.Connections.Get(ctx, name, &obj); err == nil {
		tenant.Host = r.host(&obj)
	}
	return tenant
}

// host names the host that a connection calls; "" when its endpoint is not permitted.
func (r *Registry) host(obj *v1alpha1.SmileConnection) string {
	if obj.Spec.Endpoint == "" {
		return transport.HostName(r.config.Hosts.DefaultEndpoint(wireMode(obj.Spec.Mode)))
	}
	endpoint, err := r.config.Hosts.Check(obj.Spec.Endpoint)
	if err != nil {
		return ""
	}
	return transport.HostName(endpoint)
}
