package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

	// erasedAt is when the data of the account was erased, because it was disconnected or its ttl had passed.
	// +optional
	ErasedAt *metav1.Time `json:"erasedAt,omitempty"`

	// lostAt is when the data was found to be lost: it is no longer in the output, and Smile has it no longer either.
	// +optional
	LostAt *metav1.Time `json:"lostAt,omitempty"`

	// releasedAt is when the operator decided to revoke the account itself, because of revokeAfterFetch, before the
	// call left. From then on a disconnection is its own doing, and erases nothing.
	// +optional
	ReleasedAt *metav1.Time `json:"releasedAt,omitempty"`

	// revokeAcknowledgedAt is when Smile acknowledged that the operator revoked the account.
	// +optional
	RevokeAcknowledgedAt *metav1.Time `json:"revokeAcknowledgedAt,omitempty"`

	// datapoints that were fetched and are kept.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=11
	Datapoints []DatapointStatus `json:"datapoints,omitempty"`
}

// OutputObject is an object that may hold data.
type OutputObject struct {
	// kind of the object.
	// +kubebuilder:validation:Enum=Secret;ConfigMap
	Kind string `json:"kind"`
	// name of the object.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// OutputStatus tells of the object that holds the data.
type OutputStatus struct {
	// kind of the object.
	// +kubebuilder:validation:Enum=Secret;ConfigMap
	Kind string `json:"kind"`
	// name of the object.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// others are further objects that may hold data: parts of an output that is too large for one object, and former
	// outputs that are still to be deleted. Written before any of them is made, so that none is ever forgotten.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Others []OutputObject `json:"others,omitempty"`
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

	// dataGeneration is the generation of the spec by which the data was last fetched and written, completely.
	// +optional
	DataGeneration int64 `json:"dataGeneration,omitempty"`

	// dataSpec is a hash of the part of the spec that decides which data is fetched: as long as it is the same, a new
	// generation needs no fetch.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	DataSpec string `json:"dataSpec,omitempty"`

	// dataPending is true while there is known to be other data than was written, and it has not been written yet.
	// +optional
	DataPending bool `json:"dataPending,omitempty"`

	// lastHandledRequest echoes the smile-operator.io/requested-at annotation that was handled last.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledRequest string `json:"lastHandledRequest,omitempty"`
}
