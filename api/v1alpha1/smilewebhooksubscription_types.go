package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EventType is a type of event, as the vendor names it.
// +kubebuilder:validation:Enum=USER_CREATED;ACCOUNT_CREATED;ACCOUNT_CONNECTED;ACCOUNT_DISCONNECTED;ACCOUNT_FAILED;TASK_STARTED;TASK_FINISHED;ACCOUNT_SYNC_TASK_FINISHED;ARCHIVE_STARTED;ARCHIVE_ANALYZED;ARCHIVE_REVOKED;ARCHIVE_FAILED;INVITE_INVITED;INVITE_LINKED;IDENTITY_ADDED;RATING_ADDED;TRANSACTIONS_ADDED;DOCUMENTS_ADDED;DOCUMENTS_UPDATED;EMPLOYMENTS_ADDED;EMPLOYMENTS_UPDATED;INCOMES_ADDED;INCOMES_UPDATED;CONTRIBUTIONS_ADDED;CONTRIBUTIONS_UPDATED;EINCOMES_ADDED;EINCOMES_UPDATED;LIABILITIES_ADDED;LIABILITIES_UPDATED;INSIGHT_ADDED;LINK_ADDED;VERIFICATION_STARTED;VERIFICATION_COMPLETED;RECORD_CREATED;RECORD_COMPLETED;USER_SESSION_COMPLETED;USER_SESSION_RESET;ALL_EVENTS
type EventType string

// EventAll means all types of events.
const EventAll EventType = "ALL_EVENTS"

// WebhookDeletionPolicy selects what happens at Smile when a SmileWebhookSubscription is deleted.
// +kubebuilder:validation:Enum=Delete;Retain
type WebhookDeletionPolicy string

// The deletion policies of webhooks.
const (
	// WebhookDelete deletes the webhook.
	WebhookDelete WebhookDeletionPolicy = "Delete"
	// WebhookRetain leaves it at Smile.
	WebhookRetain WebhookDeletionPolicy = "Retain"
)

// SmileWebhookSubscriptionSpec declares a webhook.
// +kubebuilder:validation:XValidation:rule="self.connectionRef == oldSelf.connectionRef",message="connectionRef is immutable: create another SmileWebhookSubscription for the other connection"
// +kubebuilder:validation:XValidation:rule="!has(self.includePayload) || !self.includePayload || has(self.url)",message="includePayload requires url: the operator's own receiver does not read the contents of events"
type SmileWebhookSubscriptionSpec struct {
	// connectionRef names the connection. Immutable.
	// +required
	ConnectionRef ConnectionReference `json:"connectionRef"`

	// eventTypes to subscribe to, or ALL_EVENTS alone.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=37
	// +kubebuilder:validation:XValidation:rule="!self.exists(e, e == 'ALL_EVENTS') || size(self) == 1",message="eventTypes must be ALL_EVENTS alone, or a list without it"
	EventTypes []EventType `json:"eventTypes"`

	// url that Smile sends the events to. Default: the operator's own receiver. The operator's flag --allowed-webhook-hosts must
	// name the host, because it sees the events of all users under the API key.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() == 'https' && url(self).getHost() != ''",message="url must be a URL like https://host[:port]/path"
	// +kubebuilder:validation:XValidation:rule="!self.contains('@') && !self.contains('?') && !self.contains('#')",message="url must not contain a user name, query or fragment: events are authenticated by their signature"
	URL string `json:"url,omitempty"`

	// includePayload adds the data itself to events about new data. It requires url.
	// +optional
	IncludePayload bool `json:"includePayload,omitempty"`

	// secretRef names the secret that signs events: 32 to 64 printable characters. The Secret must have the annotation
	// smile-operator.io/use: webhook-secret. Default: a secret is generated, and kept in the Secret that status.secretName names.
	// +optional
	SecretRef *SecretKeyReference `json:"secretRef,omitempty"`

	// deletionPolicy selects what happens to the webhook at Smile when this object is deleted: Delete (the default) or Retain.
	// +optional
	DeletionPolicy WebhookDeletionPolicy `json:"deletionPolicy,omitempty"`

	// suspend leaves the webhook at Smile as it is. There is one exception: the webhook is deleted if its host is no longer
	// permitted. Deletion still works.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// WebhookRegistration is a webhook at Smile: a pair of path and secret that never changes.
type WebhookRegistration struct {
	// id of the pair. The webhook's name at Smile contains it.
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`

	// pathHash is a hash of the path at the operator's own receiver. Absent if events are sent to spec.url.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	PathHash string `json:"pathHash,omitempty"`

	// url that events are sent to. Absent for the operator's own receiver.
	// +optional
	// +kubebuilder:validation:MaxLength=600
	URL string `json:"url,omitempty"`

	// fingerprint of everything that is registered: a keyed hash that changes with it.
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint"`

	// credentials is the fingerprint of the key pair with which the webhook was last read.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Credentials string `json:"credentials,omitempty"`

	// startedAt is when the intent to create the webhook was stored.
	StartedAt metav1.Time `json:"startedAt"`

	// webhookID at Smile. Absent while the webhook is being created, or while the outcome of that call is unknown.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	WebhookID string `json:"webhookID,omitempty"`

	// verifiedAt is when Smile showed the webhook as it was declared.
	// +optional
	VerifiedAt *metav1.Time `json:"verifiedAt,omitempty"`

	// retiredAt is when another webhook replaced this one. This one is deleted after the operator's --webhook-overlap.
	// +optional
	RetiredAt *metav1.Time `json:"retiredAt,omitempty"`

	// acceptedUntil is the time until which events of the deleted webhook are still accepted.
	// +optional
	AcceptedUntil *metav1.Time `json:"acceptedUntil,omitempty"`
}

// SmileWebhookSubscriptionStatus is the observed state of a SmileWebhookSubscription.
type SmileWebhookSubscriptionStatus struct {
	CommonStatus `json:",inline"`

	// url that events are sent to. The path at the operator's own receiver is not shown, because it is secret.
	// +optional
	// +kubebuilder:validation:MaxLength=600
	URL string `json:"url,omitempty"`

	// secretName is the Secret with the pairs of path and secret. Unless secretRef is set, its key secret holds the secret that
	// signs events. Its key previousSecret holds the secret before that, as long as events signed with it may still arrive. A
	// receiver must accept both.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`

	// registrations at Smile: normally one, and more while one replaces another. Events of all of them are accepted.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=16
	Registrations []WebhookRegistration `json:"registrations,omitempty"`

	// lastEventAt is when the operator's receiver last accepted an event, accurate to ten minutes.
	// +optional
	LastEventAt *metav1.Time `json:"lastEventAt,omitempty"`

	// lastHandledRequest is the value of the annotation smile-operator.io/requested-at that was handled last.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledRequest string `json:"lastHandledRequest,omitempty"`
}

// SmileWebhookSubscription is a webhook registered at Smile.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=smw,categories=smile
// +kubebuilder:selectablefield:JSONPath=`.spec.connectionRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Suspended",type=boolean,JSONPath=`.spec.suspend`
// +kubebuilder:printcolumn:name="Events",type=string,JSONPath=`.spec.eventTypes`
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.status.url`
// +kubebuilder:printcolumn:name="Last Event",type=date,JSONPath=`.status.lastEventAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Connection",type=string,priority=1,JSONPath=`.spec.connectionRef.name`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="!has(self.spec.secretRef) || self.spec.secretRef.name != self.metadata.name + '-webhook'",message="spec.secretRef must not name the Secret that the operator creates for this object: omit spec.secretRef to use the secret in it"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 200",message="metadata.name must have at most 200 characters: the name of a Secret is derived from it"
type SmileWebhookSubscription struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the desired state.
	// +required
	Spec SmileWebhookSubscriptionSpec `json:"spec"`

	// status is the observed state.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status SmileWebhookSubscriptionStatus `json:"status,omitempty"`
}

// SmileWebhookSubscriptionList is a list of SmileWebhookSubscriptions.
// +kubebuilder:object:root=true
type SmileWebhookSubscriptionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SmileWebhookSubscription `json:"items"`
}

// CommonStatus returns the part of the status that all kinds share.
func (s *SmileWebhookSubscription) CommonStatus() *CommonStatus { return &s.Status.CommonStatus }

// Suspended reports whether reconciling is suspended by the spec.
func (s *SmileWebhookSubscription) Suspended() bool { return s.Spec.Suspend }
