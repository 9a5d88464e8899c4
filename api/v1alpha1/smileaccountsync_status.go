package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DatapointStatus describes one kind of data of one account.
type DatapointStatus struct {
	// type of the data.
	Type DatapointType `json:"type"`
	// items in the output.
	Items int32 `json:"items"`
	// fetchedAt is when the data was last fetched.
	FetchedAt metav1.Time `json:"fetchedAt"`
}

// SyncedAccount describes a linked account.
type SyncedAccount struct {
	// id of the account at Smile.
	// +kubebuilder:validation:MaxLength=200
	ID string `json:"id"`

	// providerID is the provider of the account.
	// +kubebuilder:validation:MaxLength=200
	ProviderID string `json:"providerID"`

	// connectionStatus in the vendor's terms: PENDING, AWAITING_MFA, CONNECTED, ERROR, DISCONNECTED.
	// +kubebuilder:validation:MaxLength=64
	ConnectionStatus string `json:"connectionStatus"`

	// errorCode in the vendor's terms, if connectionStatus is ERROR.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ErrorCode string `json:"errorCode,omitempty"`

	// monitorStatus in the vendor's terms: ACTIVE, USER_ACTION_REQUIRED, UNSUPPORTED, CUSTOMER_DISABLED.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	MonitorStatus string `json:"monitorStatus,omitempty"`

	// connectedAt is when the account was connected.
	// +optional
	ConnectedAt *metav1.Time `json:"connectedAt,omitempty"`

	// availableUntil is when Smile deletes the data, 60 days after the account was linked.
	// +optional
	AvailableUntil *metav1.Time `json:"availableUntil,omitempty"`

	// dataAsOf is when Smile finished gathering the data that was fetched, by Smile's clock.
	// +optional
	DataAsOf *metav1.Time `json:"dataAsOf,omitempty"`

	// finishedTasks is the number of tasks at Smile that finished at dataAsOf. A later task or a different count shows new data.
	// +optional
	FinishedTasks int32 `json:"finishedTasks,omitempty"`

	// erasedAt is when the data of the account was erased, because it was disconnected or its ttl had passed.
	// +optional
	ErasedAt *metav1.Time `json:"erasedAt,omitempty"`

	// lostAt is when the data was found to be lost: neither the output nor Smile has it any longer.
	// +optional
	LostAt *metav1.Time `json:"lostAt,omitempty"`

	// releasedAt is when the operator decided to revoke the account because of revokeAfterFetch. It is stored before the call. A
	// later disconnection was caused by the operator, and erases nothing.
	// +optional
	ReleasedAt *metav1.Time `json:"releasedAt,omitempty"`

	// revokeAcknowledgedAt is when Smile acknowledged that the operator revoked the account.
	// +optional
	RevokeAcknowledgedAt *metav1.Time `json:"revokeAcknowledgedAt,omitempty"`

	// datapoints in the output.
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

// OutputStatus describes the objects that hold the data.
type OutputStatus struct {
	// kind of the object.
	// +kubebuilder:validation:Enum=Secret;ConfigMap
	Kind string `json:"kind"`
	// name of the object.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// others are further objects that may hold data: the parts of an output that is too large for one object, and former outputs
	// that are not deleted yet. Each is listed before it is created.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Others []OutputObject `json:"others,omitempty"`
	// fingerprint of the content: a keyed hash that reveals nothing about it.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint,omitempty"`
}

// SmileAccountSyncStatus is the observed state of a SmileAccountSync. It contains none of the data.
type SmileAccountSyncStatus struct {
	CommonStatus `json:",inline"`

	// accounts of the person that the sync covers.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=100
	Accounts []SyncedAccount `json:"accounts,omitempty"`

	// connectedAccounts is the number of accounts that are CONNECTED.
	// +optional
	ConnectedAccounts int32 `json:"connectedAccounts,omitempty"`

	// lastFetchedAt is when data in the output was last fetched. Absent while there is none.
	// +optional
	LastFetchedAt *metav1.Time `json:"lastFetchedAt,omitempty"`

	// output that holds the data.
	// +optional
	Output *OutputStatus `json:"output,omitempty"`

	// dataGeneration is the newest generation of the spec for which the data was completely fetched and written.
	// +optional
	DataGeneration int64 `json:"dataGeneration,omitempty"`

	// dataSpec is a hash of the part of the spec that selects the data. A new generation with the same hash requires no fetch.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	DataSpec string `json:"dataSpec,omitempty"`

	// dataPending is true while Smile is known to have data that has not been written yet.
	// +optional
	DataPending bool `json:"dataPending,omitempty"`

	// lastHandledRequest is the value of the annotation smile-operator.io/requested-at that was handled last.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledRequest string `json:"lastHandledRequest,omitempty"`
}
