// Package v1alpha1 is the API smile-operator.io/v1alpha1: the kinds by which a company declares its integration with Smile.
//
// The schemas set no defaults in spec, so that the API server stores exactly what is in Git. Defaults are applied in code and
// shown in status. The only default is status.observedGeneration: -1, so that a new object is not mistaken for a finished one.
//
// +kubebuilder:object:generate=true
// +groupName=smile-operator.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "smile-operator.io", Version: "v1alpha1"}

// AddToScheme registers the kinds of this package.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&SmileConnection{}, &SmileConnectionList{},
		&SmileUser{}, &SmileUserList{},
		&SmileAccountSync{}, &SmileAccountSyncList{},
		&SmileWebhookSubscription{}, &SmileWebhookSubscriptionList{},
		&SmileWinkWidget{}, &SmileWinkWidgetList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
