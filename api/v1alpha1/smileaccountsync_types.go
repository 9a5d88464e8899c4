package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// UserReference names a SmileUser in the namespace of the object.
type UserReference struct {
	// name of the SmileUser.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`
}

// SmileAccountSyncSpec says which data of which person is kept, and where.
// +kubebuilder:validation:XValidation:rule="self.userRef == oldSelf.userRef",message="userRef is immutable: create another SmileAccountSync for another person"
// +kubebuilder:validation:XValidation:rule="!has(self.output) || !has(self.output.configMap) || self.datapoints.all(d, has(d.fields) || has(d.additional))",message="a configMap output needs fields on every datapoint: personal data enters a ConfigMap only field by field; name the fields or use output.secret"
// +kubebuilder:validation:XValidation:rule="!has(self.revokeAfterFetch) || !self.revokeAfterFetch || has(self.output)",message="revokeAfterFetch needs an output: what Smile revokes it forgets, and the data would be nowhere"
type SmileAccountSyncSpec struct {
	// userRef names the SmileUser. Immutable.
	// +required
	UserRef UserReference `json:"userRef"`

	// providers limits the sync to accounts of these providers; all of them when absent.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=200
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_-]+$`
	Providers []string `json:"providers,omitempty"`

	// accountIDs limits the sync to these accounts of the person; all of them when absent.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=200
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_-]+$`
	AccountIDs []string `json:"accountIDs,omitempty"`

	// datapoints to keep.
	// +required
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=11
	Datapoints []Datapoint `json:"datapoints"`

	// output to write the data to; without it only the status is kept.
	// +optional
	Output *SyncOutput `json:"output,omitempty"`

	// refreshInterval fetches the data again even without news, 1h to 8760h; never when absent.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('8760h')",message="refreshInterval must lie between 1h and 8760h"
	RefreshInterval *metav1.Duration `json:"refreshInterval,omitempty"`

	// retention says how long the data is kept.
	// +optional
	Retention *Retention `json:"retention,omitempty"`

	// revokeAfterFetch revokes each account at Smile, irrevocably, as soon as its data is in the output. The account is
	// Released then: its data stays until retention.ttl, or until this object is deleted.
	// +optional
	RevokeAfterFetch bool `json:"revokeAfterFetch,omitempty"`

	// suspend stops all calls of this sync; what was written stays, also beyond its ttl.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// SmileAccountSync keeps the data of the accounts that a person has linked.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=sms,categories=smile
// +kubebuilder:selectablefield:JSONPath=`.spec.userRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="User",type=string,JSONPath=`.spec.userRef.name`
// +kubebuilder:printcolumn:name="Connected",type=integer,JSONPath=`.status.connectedAccounts`
// +kubebuilder:printcolumn:name="Output",type=string,JSONPath=`.status.output.name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type SmileAccountSync struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the desired state.
	// +required
	Spec SmileAccountSyncSpec `json:"spec"`

	// status is the observed state.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status SmileAccountSyncStatus `json:"status,omitempty"`
}

// SmileAccountSyncList is a list of SmileAccountSyncs.
// +kubebuilder:object:root=true
type SmileAccountSyncList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SmileAccountSync `json:"items"`
}

// CommonStatus gives access to what all kinds share.
func (s *SmileAccountSync) CommonStatus() *CommonStatus { return &s.Status.CommonStatus }

// Suspended tells whether the object is to be left alone.
func (s *SmileAccountSync) Suspended() bool { return s.Spec.Suspend }
