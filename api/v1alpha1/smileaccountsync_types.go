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

// SmileAccountSyncSpec selects the data of a person that is kept, and where it is written.
// +kubebuilder:validation:XValidation:rule="self.userRef == oldSelf.userRef",message="userRef is immutable: create another SmileAccountSync for another person"
// +kubebuilder:validation:XValidation:rule="!has(self.output) || !has(self.output.configMap) || self.datapoints.all(d, has(d.fields) || has(d.additional))",message="output.configMap requires fields or additional on every datapoint, because only named fields may be written to a ConfigMap: name the fields, or use output.secret"
// +kubebuilder:validation:XValidation:rule="!has(self.revokeAfterFetch) || !self.revokeAfterFetch || has(self.output)",message="revokeAfterFetch requires an output: Smile deletes the data of a revoked account, so the output is the only copy"
type SmileAccountSyncSpec struct {
	// userRef names the SmileUser. Immutable.
	// +required
	UserRef UserReference `json:"userRef"`

	// providers limits the sync to accounts of these providers. Default: all providers.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=200
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_-]+$`
	Providers []string `json:"providers,omitempty"`

	// accountIDs limits the sync to these accounts of the person. Default: all accounts.
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

	// output that the data is written to. Without it no data is kept, and only the status shows the accounts.
	// +optional
	Output *SyncOutput `json:"output,omitempty"`

	// refreshInterval fetches the data again at this interval, even if Smile has nothing newer: 1h to 8760h. Default: never.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('8760h')",message="refreshInterval must be between 1h and 8760h"
	RefreshInterval *metav1.Duration `json:"refreshInterval,omitempty"`

	// retention limits how long the data is kept.
	// +optional
	Retention *Retention `json:"retention,omitempty"`

	// revokeAfterFetch revokes each account at Smile as soon as its data is in the output. A revoke cannot be undone. The data
	// stays in the output until its ttl expires, or until this object is deleted.
	// +optional
	RevokeAfterFetch bool `json:"revokeAfterFetch,omitempty"`

	// suspend stops this sync: it makes no calls, and its output stays as it is, even after retention.ttl.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// SmileAccountSync keeps the data of a person's linked accounts in a Secret or ConfigMap.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=sms,categories=smile
// +kubebuilder:selectablefield:JSONPath=`.spec.userRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Suspended",type=boolean,JSONPath=`.spec.suspend`
// +kubebuilder:printcolumn:name="User",type=string,JSONPath=`.spec.userRef.name`
// +kubebuilder:printcolumn:name="Connected",type=integer,JSONPath=`.status.connectedAccounts`
// +kubebuilder:printcolumn:name="Output",type=string,JSONPath=`.status.output.name`
// +kubebuilder:printcolumn:name="Fetched",type=date,JSONPath=`.status.lastFetchedAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
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

// CommonStatus returns the part of the status that all kinds share.
func (s *SmileAccountSync) CommonStatus() *CommonStatus { return &s.Status.CommonStatus }

// Suspended reports whether reconciling is suspended by the spec.
func (s *SmileAccountSync) Suspended() bool { return s.Spec.Suspend }
