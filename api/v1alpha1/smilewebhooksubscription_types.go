package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EventType is a type of event, as Smile spells it.
// +kubebuilder:validation:Enum=USER_CREATED;ACCOUNT_CREATED;ACCOUNT_CONNECTED;ACCOUNT_DISCONNECTED;ACCOUNT_FAILED;TASK_STARTED;TASK_FINISHED;ACCOUNT_SYNC_TASK_FINISHED;ARCHIVE_STARTED;ARCHIVE_ANALYZED;ARCHIVE_REVOKED;ARCHIVE_FAILED;INVITE_INVITED;INVITE_LINKED;IDENTITY_ADDED;RATING_ADDED;TRANSACTIONS_ADDED;DOCUMENTS_ADDED;DOCUMENTS_UPDATED;EMPLOYMENTS_ADDED;EMPLOYMENTS_UPDATED;INCOMES_ADDED;INCOMES_UPDATED;CONTRIBUTIONS_ADDED;CONTRIBUTIONS_UPDATED;EINCOMES_ADDED;EINCOMES_UPDATED;LIABILITIES_ADDED;LIABILITIES_UPDATED;INSIGHT_ADDED;LINK_ADDED;VERIFICATION_STARTED;VERIFICATION_COMPLETED;RECORD_CREATED;RECORD_COMPLETED;USER_SESSION_COMPLETED;USER_SESSION_RESET;ALL_EVENTS
type EventType string

// EventAll stands for every type of event.
const EventAll EventType = "ALL_EVENTS"

// WebhookDeletionPolicy says what happens at Smile when a SmileWebhookSubscription is deleted.
// +kubebuilder:validation:Enum=Delete;Retain
type WebhookDeletionPolicy string

// The deletion policies of webhooks.
const (
	// WebhookDelete deletes the webhook.
	WebhookDelete WebhookDeletionPolicy = "Delete"
	// WebhookRetain leaves it.
	WebhookRetain WebhookDeletionPolicy = "Retain"
)

// SmileWebhookSubscriptionSpec declares a webhook.
// +kubebuilder:validation:XValidation:rule="self.connectionRef == oldSelf.connectionRef",message="connectionRef is immutable: create another SmileWebhookSubscription for the other connection"
// +kubebuilder:validation:XValidation:rule="!has(self.includePayload) || !self.includePayload || has(self.url)",message="includePayload needs url: the operator's own receiver never reads contents"
type SmileWebhookSubscriptionSpec struct {
	// connectionRef names the connection. Immutable.
	// +required
	ConnectionRef ConnectionReference `json:"connectionRef"`

	// eventTypes are the events to be told of, or ALL_EVENTS alone.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=37
	// +kubebuilder:validation:XValidation:rule="!self.exists(e, e == 'ALL_EVENTS') || size(self) == 1",message="eventTypes must hold ALL_EVENTS alone, or the types without it"
	EventTypes []EventType `json:"eventTypes"`

	// url to send the events to; without it they come to the operator's own receiver. Its host must be on the
	// operator's flag --allowed-webhook-hosts: whoever receives them sees the events of everybody under that API key.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() == 'https' && url(self).getHost() != ''",message="url must be a URL like https://host[:port]/path"
	// +kubebuilder:validation:XValidation:rule="!self.contains('@') && !self.contains('?') && !self.contains('#')",message="url must hold no user name, query or fragment: events are proven by their signature"
	URL string `json:"url,omitempty"`

	// includePayload sends the fetched data along with events that tell of it; only with url.
	// +optional
	IncludePayload bool `json:"includePayload,omitempty"`

	// secretRef names the secret that events are signed with, 32 to 64 printable characters; when absent one is
	// generated and kept in the Secret that status.secretName names. The Secret must carry the annotation
	// smile-operator.io/use: webhook-secret.
	// +optional
	SecretRef *SecretKeyReference `json:"secretRef,omitempty"`

	// deletionPolicy says what happens to the webhook at Smile on deletion: Delete (the default) or Retain.
	// +optional
	DeletionPolicy WebhookDeletionPolicy `json:"deletionPolicy,omitempty"`

	// suspend leaves the webhook at Smile as it is, unless its host is no longer one to which events may be sent; deletion
	// still works.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// WebhookRegistration is a webhook at Smile: a pair of path and secret that never changes.
type WebhookRegistration struct {
	// id of the pair. It stands in the webhook's name at Smile.
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`

	// pathHash finds the pair by the path that events come to; absent for events that go elsewhere.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	PathHash string `json:"pathHash,omitempty"`

	// url that events go to; absent for the operator's own receiver.
	// +optional
	// +kubebuilder:validation:MaxLength=600
	URL string `json:"url,omitempty"`

	// fingerprint of all that is registered: a keyed hash that changes when any of it does.
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint"`

	// credentials is the fingerprint of the key pair under which Smile last showed the webhook.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Credentials string `json:"credentials,omitempty"`

	// startedAt is when the intent to create the webhook was written.
	StartedAt metav1.Time `json:"startedAt"`

	// webhookID at Smile; absent while the creation is under way or its outcome unknown.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	WebhookID string `json:"webhookID,omitempty"`

	// verifiedAt is when Smile showed the webhook as it was declared.
	// +optional
	VerifiedAt *metav1.Time `json:"verifiedAt,omitempty"`

	// retiredAt is when another one took over. This one is deleted a while later.
	// +optional
	RetiredAt *metav1.Time `json:"retiredAt,omitempty"`

	// acceptedUntil is when events signed with the pair of a deleted webhook are no longer taken.
	// +optional
	AcceptedUntil *metav1.Time `json:"acceptedUntil,omitempty"`
}

// SmileWebhookSubscriptionStatus is what the operator knows of a webhook.
type SmileWebhookSubscriptionStatus struct {
	CommonStatus `json:",inline"`

	// url that the events go to. The path of the operator's own receiver is not shown: it is part of the proof.
	// +optional
	// +kubebuilder:validation:MaxLength=600
	URL string `json:"url,omitempty"`

	// secretName is the Secret that holds the pairs and, unless secretRef is set, what events are signed with: under the
	// key secret and, for as long as events signed with the one before may still come, that one under the key
	// previousSecret. Whoever receives the events takes both.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`

	// registrations at Smile: one at rest, more while one replaces another. Events of all of them are taken.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=16
	Registrations []WebhookRegistration `json:"registrations,omitempty"`

	// lastEventAt is when an event last came to the operator's receiver, to ten minutes.
	// +optional
	LastEventAt *metav1.Time `json:"lastEventAt,omitempty"`

	// lastHandledRequest echoes the smile-operator.io/requested-at annotation that was handled last.
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
// +kubebuilder:printcolumn:name="Events",type=string,JSONPath=`.spec.eventTypes`
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.status.url`
// +kubebuilder:printcolumn:name="Last Event",type=date,JSONPath=`.status.lastEventAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Connection",type=string,priority=1,JSONPath=`.spec.connectionRef.name`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="!has(self.spec.secretRef) || self.spec.secretRef.name != self.metadata.name + '-webhook'",message="spec.secretRef names the Secret that the operator makes for this object: leave out spec.secretRef, and the secret that it holds is used"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 200",message="metadata.name must have at most 200 characters: the name of a Secret is made from it"
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

// CommonStatus gives access to what all kinds share.
func (s *SmileWebhookSubscription) CommonStatus() *CommonStatus { return &s.Status.CommonStatus }

// Suspended tells whether the object is to be left alone.
func (s *SmileWebhookSubscription) Suspended() bool { return s.Spec.Suspend }
