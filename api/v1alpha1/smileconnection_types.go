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

	// apiKeyKey is the key of the Secret that holds the API key. Default: apiKey.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	APIKeyKey string `json:"apiKeyKey,omitempty"`

	// apiSecretKey is the key of the Secret that holds the API secret. Default: apiSecret.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	APISecretKey string `json:"apiSecretKey,omitempty"`
}

// ManagementPolicy selects whether anything is changed at Smile.
// +kubebuilder:validation:Enum=Manage;Observe
type ManagementPolicy string

// The management policies.
const (
	// PolicyManage changes what the objects declare.
	PolicyManage ManagementPolicy = "Manage"
	// PolicyObserve changes nothing at Smile.
	PolicyObserve ManagementPolicy = "Observe"
)

// SmileConnectionSpec selects an environment of Smile, and the keys for it.
type SmileConnectionSpec struct {
	// mode is the environment that the keys belong to. Immutable: create another SmileConnection for the other mode.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="mode is immutable: create another SmileConnection for the other mode"
	Mode Mode `json:"mode"`

	// credentialsSecretRef names the Secret with the key pair. If its keys have other names than apiKey and apiSecret, the Secret
	// must have the annotation smile-operator.io/use: credentials. Under ca.crt, it may have certificate authorities in PEM format
	// that this connection trusts in addition to those of the operator.
	// +required
	CredentialsSecretRef CredentialsSecretReference `json:"credentialsSecretRef"`

	// endpoint is the base URL of the Open API. Default: that of the mode. Any other host requires the operator's flag
	// --allowed-api-hosts, and the annotation smile-operator.io/allowed-host on the credentials Secret.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=300
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['https', 'http'] && url(self).getHost() != ''",message="endpoint must be a URL like https://host[:port]/v1"
	// +kubebuilder:validation:XValidation:rule="!self.contains('@') && !self.contains('?') && !self.contains('#')",message="endpoint must not contain a user name, query or fragment: put keys into the Secret of credentialsSecretRef"
	Endpoint string `json:"endpoint,omitempty"`

	// requestsPerSecond is the maximum rate of calls of this connection. A value above the operator's own limit has no effect.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	RequestsPerSecond int32 `json:"requestsPerSecond,omitempty"`

	// resyncInterval is how often accounts and tasks at Smile are read: 1m to 24h. Default: 15m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="resyncInterval must be between 1m and 24h"
	ResyncInterval *metav1.Duration `json:"resyncInterval,omitempty"`

	// revokes limits the revokes that specs request.
	// +optional
	Revokes *DeclaredRevokes `json:"revokes,omitempty"`

	// managementPolicy selects whether anything is changed at Smile. With Manage (the default) it is. With Observe no call is sent
	// that changes something: no user or link token is created, no webhook is registered or deleted, and nothing is revoked. The
	// conditions of the objects say what would be done. Existing users are still attached, and their data is still kept.
	// +optional
	ManagementPolicy ManagementPolicy `json:"managementPolicy,omitempty"`

	// suspend stops all objects of this connection: no calls are made until it is false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// DeclaredRevokes limits the revokes that specs request, for example by spec.revokeAfterFetch of a SmileAccountSync. Revokes that
// the deletion of an object causes have a limit of their own: after 20 in 10 minutes, further ones wait for an approval.
type DeclaredRevokes struct {
	// perDay is the maximum number of accounts that are revoked in any 24 hours. Further ones wait. Default: 5000.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	PerDay int32 `json:"perDay,omitempty"`
}

// CredentialsStatus identifies the key pair in use without revealing it.
type CredentialsStatus struct {
	// fingerprint of the pair in use: a keyed hash that reveals nothing about it. It changes when the pair is rotated.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint,omitempty"`

	// since is when this pair was first used.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// modeConfirmed is true once a token that was minted with this pair has shown that it belongs to spec.mode.
	// +optional
	ModeConfirmed bool `json:"modeConfirmed,omitempty"`

	// knownUserID is a user that this operator created with an earlier pair. A pair that cannot read this user belongs to another
	// tenant.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	KnownUserID string `json:"knownUserID,omitempty"`
}

// SmileConnectionStatus is the observed state of a SmileConnection.
type SmileConnectionStatus struct {
	CommonStatus `json:",inline"`

	// endpoint in effect.
	// +optional
	// +kubebuilder:validation:MaxLength=300
	Endpoint string `json:"endpoint,omitempty"`

	// mode in effect.
	// +optional
	Mode Mode `json:"mode,omitempty"`

	// requestsPerSecond in effect. Absent if calls are not limited.
	// +optional
	RequestsPerSecond int32 `json:"requestsPerSecond,omitempty"`

	// resyncInterval in effect.
	// +optional
	ResyncInterval *metav1.Duration `json:"resyncInterval,omitempty"`

	// revokesPerDay in effect: the maximum number of accounts that are revoked in any 24 hours because specs request it.
	// +optional
	RevokesPerDay int32 `json:"revokesPerDay,omitempty"`

	// credentials in use.
	// +optional
	Credentials *CredentialsStatus `json:"credentials,omitempty"`

	// tasksSince is the day from which tasks at Smile are read, including after a restart.
	// +optional
	TasksSince *metav1.Time `json:"tasksSince,omitempty"`

	// lastErasureApproval is the value of the annotation smile-operator.io/approve-erasure that was handled last.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastErasureApproval string `json:"lastErasureApproval,omitempty"`

	// lastHandledApproval is the value of the annotation smile-operator.io/approve-revokes that was handled last.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	LastHandledApproval string `json:"lastHandledApproval,omitempty"`
}

// SmileConnection is an environment of Smile, with the key pair for it.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=smc,categories=smile
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Suspended",type=boolean,JSONPath=`.spec.suspend`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.status.endpoint`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
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

// CommonStatus returns the part of the status that all kinds share.
func (c *SmileConnection) CommonStatus() *CommonStatus { return &c.Status.CommonStatus }

// Suspended reports whether reconciling is suspended by the spec.
func (c *SmileConnection) Suspended() bool { return c.Spec.Suspend }
