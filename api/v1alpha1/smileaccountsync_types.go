package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// UserReference names a SmileUser in the namespace of the object.
type UserReference struct {
	// name of the SmileUser.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// DatapointType is a kind of data that Smile has of a person, in the vendor's words.
// +kubebuilder:validation:Enum=IDENTITIES;EMPLOYMENTS;INCOMES;CONTRIBUTIONS;EINCOMES;TRANSACTIONS;DOCUMENTS;RATINGS;LIABILITIES;LINK;INSIGHTS
type DatapointType string

// FieldPath selects one field of an item: names joined by dots, [] after a list for each of its elements,
// [n] for one of them, as in addresses[].fullAddress.
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_]*(\[[0-9]{0,3}\])?(\.[A-Za-z][A-Za-z0-9_]*(\[[0-9]{0,3}\])?)*$`
type FieldPath string

// Datapoint asks for one kind of data.
type Datapoint struct {
	// type of the data.
	// +required
	Type DatapointType `json:"type"`

	// fields keeps only these fields of each item; all of them when absent.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Fields []FieldPath `json:"fields,omitempty"`
}

// OutputReference names the object that the data is written to.
type OutputReference struct {
	// name of the object; it must not exist, or be this object's.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`
}

// SyncOutput says where the data goes.
// +kubebuilder:validation:XValidation:rule="has(self.secret) != has(self.configMap)",message="output needs exactly one of secret and configMap"
type SyncOutput struct {
	// secret to write.
	// +optional
	Secret *OutputReference `json:"secret,omitempty"`

	// configMap to write; every datapoint must name its fields then.
	// +optional
	ConfigMap *OutputReference `json:"configMap,omitempty"`
}

// SmileAccountSyncSpec says which data of which person is kept, and where.
// +kubebuilder:validation:XValidation:rule="self.userRef == oldSelf.userRef",message="userRef is immutable: create another SmileAccountSync for another person"
// +kubebuilder:validation:XValidation:rule="!has(self.output) || !has(self.output.configMap) || self.datapoints.all(d, has(d.fields))",message="a configMap output needs fields on every datapoint: personal data enters a ConfigMap only field by field; name the fields or use output.secret"
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

	// suspend stops all calls of this sync; what was written stays.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// DatapointStatus tells of one kind of data of one account.
type DatapointStatus struct {
	// type of the data.
	Type DatapointType `json:"type"`
	// items is how many there are.
	Items int32 `json:"items"`
	// fetchedAt is when they were last fetched.
	FetchedAt metav1.Time `json:"fetchedAt"`
}

// SyncedAccount tells of one linked account.
type SyncedAccount struct {
	// id of the account at Smile.
	// +kubebuilder:validation:MaxLength=200
	ID string `json:"id"`

	// providerID is whom the account is with.
	// +kubebuilder:validation:MaxLength=200
	ProviderID string `json:"providerID"`

	// connectionStatus in the vendor's words: PENDING, AWAITING_MFA, CONNECTED, ERROR, DISCONNECTED.
	// +kubebuilder:validation:MaxLength=64
	ConnectionStatus string `json:"connectionStatus"`

	// errorCode in the vendor's words, when the status is ERROR.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ErrorCode string `json:"errorCode,omitempty"`

	// monitorStatus in the vendor's words: ACTIVE, USER_ACTION_REQUIRED, UNSUPPORTED, CUSTOMER_DISABLED.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	MonitorStatus string `json:"monitorStatus,omitempty"`

	// connectedAt is when the account was connected.
	// +optional
	ConnectedAt *metav1.Time `json:"connectedAt,omitempty"`

	// availableUntil is when Smile drops the data, 60 days after the account was linked.
	// +optional
	AvailableUntil *metav1.Time `json:"availableUntil,omitempty"`

	// dataAsOf is when Smile had finished gathering the data that was fetched, by Smile's clock.
	// +optional
	DataAsOf *metav1.Time `json:"dataAsOf,omitempty"`

	// finishedTasks counts the tasks at Smile that finished at dataAsOf: a later one, or another number, means news.
	// +optional
	FinishedTasks int32 `json:"finishedTasks,omitempty"`

	// datapoints that were fetched.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=11
	Datapoints []DatapointStatus `json:"datapoints,omitempty"`
}

// OutputStatus tells of the object that holds the data.
type OutputStatus struct {
	// kind of the object.
	// +kubebuilder:validation:Enum=Secret;ConfigMap
	Kind string `json:"kind"`
	// name of the object.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// fingerprint of the content: a keyed hash that changes with it and reveals nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint,omitempty"`
}

// SmileAccountSyncStatus is what the operator knows of the data of a person. It holds none of the data.
type SmileAccountSyncStatus struct {
	CommonStatus `json:",inline"`

	// accounts of the person that the sync covers.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=100
	Accounts []SyncedAccount `json:"accounts,omitempty"`

	// connectedAccounts counts those that are CONNECTED.
	// +optional
	ConnectedAccounts int32 `json:"connectedAccounts,omitempty"`

	// output that holds the data.
	// +optional
	Output *OutputStatus `json:"output,omitempty"`

	// lastHandledRequest echoes the smile-operator.io/requested-at annotation that was handled last.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledRequest string `json:"lastHandledRequest,omitempty"`
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
