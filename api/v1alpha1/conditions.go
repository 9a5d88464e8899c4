package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Condition types. Ready sums up; Reconciling, Stalled and Suspended are present only while true; the others
// are positive and each belongs to one phase.
const (
	ConditionReady       = "Ready"
	ConditionReconciling = "Reconciling"
	ConditionStalled     = "Stalled"
	ConditionSuspended   = "Suspended"

	ConditionCredentialsValid  = "CredentialsValid"
	ConditionMirrored          = "Mirrored"
	ConditionRevokesAllowed    = "RevokesAllowed"
	ConditionClockSynchronized = "ClockSynchronized"
	ConditionConnectionReady   = "ConnectionReady"
	ConditionProvisioned       = "Provisioned"
	ConditionTokenIssued       = "TokenIssued"
	ConditionUserReady         = "UserReady"
	ConditionAccountsConnected = "AccountsConnected"
	ConditionDataSynced        = "DataSynced"
	ConditionOutputReady       = "OutputReady"
	ConditionRegistered        = "Registered"
)

// Condition types that are present only while false, and leave Ready as it is.
const (
	ConditionSecretUsePermitted = "SecretUsePermitted"
	ConditionTemplateApplied    = "TemplateApplied"
)

// Reasons of conditions, which are the reasons of events too. docs/reasons.md has a line for each.
const (
	ReasonSucceeded       = "Succeeded"
	ReasonProgressing     = "Progressing"
	ReasonSuspended       = "Suspended"
	ReasonAwaitingEndUser = "AwaitingEndUser"

	ReasonInvalidSpec           = "InvalidSpec"
	ReasonEndpointNotAllowed    = "EndpointNotAllowed"
	ReasonSecretNotFound        = "SecretNotFound"
	ReasonSecretInvalid         = "SecretInvalid"
	ReasonSecretUseNotPermitted = "SecretUseNotPermitted"
	ReasonAnnotationNotAllowed  = "AnnotationNotAllowed"
	ReasonDatapointUnsupported  = "DatapointUnsupported"

	ReasonWebhookURLNotAllowed  = "WebhookURLNotAllowed"
	ReasonReceiverNotConfigured = "ReceiverNotConfigured"
	ReasonWebhookCreated        = "WebhookCreated"
	ReasonWebhookReplaced       = "WebhookReplaced"
	ReasonWebhookRepaired       = "WebhookRepaired"

	ReasonInvalidCredentials  = "InvalidCredentials"
	ReasonCredentialsMismatch = "CredentialsMismatch"
	ReasonModeMismatch        = "ModeMismatch"
	ReasonAccessForbidden     = "AccessForbidden"

	ReasonConnectionNotFound = "ConnectionNotFound"
	ReasonConnectionNotReady = "ConnectionNotReady"
	ReasonUserNotFound       = "UserNotFound"
	ReasonUserNotReady       = "UserNotReady"

	ReasonCreateOutcomeUnknown = "CreateOutcomeUnknown"
	ReasonUserIDConflict       = "UserIDConflict"
	ReasonUserNotOwned         = "UserNotOwned"
	ReasonRemoteUserMissing    = "RemoteUserMissing"
	ReasonDuplicateRemoteUser  = "DuplicateRemoteUser"
	ReasonUserCreated          = "UserCreated"
	ReasonUserAdopted          = "UserAdopted"

	ReasonEndUserActionRequired = "EndUserActionRequired"
	ReasonProviderUnavailable   = "ProviderUnavailable"
	ReasonContactSmile          = "ContactSmile"
	ReasonAccountStatusUnknown  = "AccountStatusUnknown"
	ReasonReleased              = "Released"
	ReasonDataOverdue           = "DataOverdue"
	ReasonDataExpired           = "DataExpired"
	ReasonDataLost              = "DataLost"
	ReasonNamespaceTerminating  = "NamespaceTerminating"

	ReasonOutputConflict     = "OutputConflict"
	ReasonOutputDamaged      = "OutputDamaged"
	ReasonOutputTakenBack    = "OutputTakenBack"
	ReasonOutputTooLarge     = "OutputTooLarge"
	ReasonDataWritten        = "DataWritten"
	ReasonDataTakenBack      = "DataTakenBack"
	ReasonDataErased         = "DataErased"
	ReasonMassDisappearance  = "MassDisappearance"
	ReasonDeletionBlocked    = "DeletionBlocked"
	ReasonOrphaned           = "Orphaned"
	ReasonRevokesPaused      = "RevokesPaused"
	ReasonRevokeLimitReached = "RevokeLimitReached"
	ReasonClockSkew          = "ClockSkew"
	ReasonClockUnconfirmed   = "ClockUnconfirmed"

	ReasonStale                   = "Stale"
	ReasonThrottled               = "Throttled"
	ReasonSmileUnavailable        = "SmileUnavailable"
	ReasonInvalidResponse         = "InvalidResponse"
	ReasonListingTooLong          = "ListingTooLong"
	ReasonRedirectRefused         = "RedirectRefused"
	ReasonErasureLedgerIncomplete = "ErasureLedgerIncomplete"
	ReasonClusterRefused          = "ClusterRefused"
	ReasonClusterError            = "ClusterError"
	ReasonUnexpectedError         = "UnexpectedError"
)

// CommonStatus is what the status of every kind holds.
type CommonStatus struct {
	// observedGeneration is the newest spec generation that was fully handled, with success or with an error
	// that only a change can fix; -1 before the first.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions say how the object is. Ready sums up; Reconciling and Stalled follow kstatus and are present
	// only when true.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
