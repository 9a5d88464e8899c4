package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CredentialsSecretReference names the Secret that holds a Smile key pair.
type CredentialsSecretReference struct {
	// name of the Secret, in the namespace of the connection.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`

	// apiKeyKey is the Secret's key that holds the API key; apiKey when absent.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	APIKeyKey string `json:"apiKeyKey,omitempty"`

	// apiSecretKey is the Secret's key that holds the API secret; apiSecret when absent.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	APISecretKey string `json:"apiSecretKey,omitempty"`
}

// SmileConnectionSpec says which Smile environment is used, with which keys.
type SmileConnectionSpec struct {
	// mode is the Smile environment that the keys belong to. It cannot be changed: make another connection.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="mode is immutable: create another SmileConnection for the other mode"
	Mode Mode `json:"mode"`

	// credentialsSecretRef names the Secret with the key pair. If the keys in it have other names than apiKey and apiSecret, the
	// Secret must carry the annotation smile-operator.io/use: credentials.
	// +required
	CredentialsSecretRef CredentialsSecretReference `json:"credentialsSecretRef"`

	// endpoint is the base URL of the Open API; by default that of the mode. Any other host needs the operator
	// flag --allowed-api-hosts and the annotation smile-operator.io/allowed-host on the credentials Secret.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=300
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['https', 'http'] && url(self).getHost() != ''",message="endpoint must be a URL like https://host[:port]/v1"
	// +kubebuilder:validation:XValidation:rule="!self.contains('@') && !self.contains('?') && !self.contains('#')",message="endpoint must hold no user name, query or fragment: keys belong in credentialsSecretRef"
	Endpoint string `json:"endpoint,omitempty"`

	// requestsPerSecond lowers this connection's share of the call budget of the API host; it never raises it.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	RequestsPerSecond int32 `json:"requestsPerSecond,omitempty"`

	// resyncInterval is how old the picture of the remote side may get, 1m to 24h; 15m when absent.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="resyncInterval must lie between 1m and 24h"
	ResyncInterval *metav1.Duration `json:"resyncInterval,omitempty"`

	// revokes limits the revokes that objects ask for by their specs.
	// +optional
	Revokes *DeclaredRevokes `json:"revokes,omitempty"`

	// suspend stops every object of this connection: nothing is called until it is false again.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// DeclaredRevokes limits the revokes that objects ask for by their specs, as spec.revokeAfterFetch of a SmileAccountSync does.
// Revokes that the deletion of an object causes are limited separately: beyond 20 in 10 minutes they wait for an approval.
type DeclaredRevokes struct {
	// perDay is how many accounts are revoked in any 24 hours; 5000 when absent. The others wait until the limit permits them.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	PerDay int32 `json:"perDay,omitempty"`
}

// CredentialsStatus tells which key pair is in use, without telling the pair.
type CredentialsStatus struct {
	// fingerprint of the pair in use: a keyed hash that proves a rotation and reveals nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint,omitempty"`

	// since when this pair is in use.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// modeConfirmed is true once a token minted with this pair has shown the mode of the spec.
	// +optional
	ModeConfirmed bool `json:"modeConfirmed,omitempty"`

	// knownUserID is a remote user that this operator created with an earlier pair: a pair that cannot see it
	// belongs to another tenant.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	KnownUserID string `json:"knownUserID,omitempty"`
}

// SmileConnectionStatus is what the operator knows of a connection.
type SmileConnectionStatus struct {
	CommonStatus `json:",inline"`

	// endpoint in effect.
	// +optional
	// +kubebuilder:validation:MaxLength=300
	Endpoint string `json:"endpoint,omitempty"`

	// mode in effect.
	// +optional
	Mode Mode `json:"mode,omitempty"`

	// requestsPerSecond in effect; absent when the budget is unlimited.
	// +optional
	RequestsPerSecond int32 `json:"requestsPerSecond,omitempty"`

	// resyncInterval in effect.
	// +optional
	ResyncInterval *metav1.Duration `json:"resyncInterval,omitempty"`

	// revokesPerDay in effect: how many accounts are revoked in any 24 hours because a spec asks for it.
	// +optional
	RevokesPerDay int32 `json:"revokesPerDay,omitempty"`

	// credentials in use.
	// +optional
	Credentials *CredentialsStatus `json:"credentials,omitempty"`

	// tasksSince is the day from which tasks at Smile are read, to go on from there after a restart.
	// +optional
	TasksSince *metav1.Time `json:"tasksSince,omitempty"`

	// lastErasureApproval echoes the smile-operator.io/approve-erasure annotation that was heeded last.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastErasureApproval string `json:"lastErasureApproval,omitempty"`

	// lastHandledApproval is the value of the annotation smile-operator.io/approve-revokes that was handled last.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	LastHandledApproval string `json:"lastHandledApproval,omitempty"`
}

// SmileConnection is one Smile environment and the key pair to use it with.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=smc,categories=smile
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.status.endpoint`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type SmileConnection struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the desired state.
	// +required
	Spec SmileConnectionSpec `json:"spec"`

	// status is the observed state.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status SmileConnectionStatus `json:"status,omitempty"`
}

// SmileConnectionList is a list of SmileConnections.
// +kubebuilder:object:root=true
type SmileConnectionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SmileConnection `json:"items"`
}

// CommonStatus gives access to what all kinds share.
func (c *SmileConnection) CommonStatus() *CommonStatus { return &c.Status.CommonStatus }

// Suspended tells whether the object is to be left alone.
func (c *SmileConnection) Suspended() bool { return c.Spec.Suspend }
