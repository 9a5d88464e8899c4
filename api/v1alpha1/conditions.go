package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Condition types. Ready summarizes the others. Reconciling, Stalled and Suspended are present only while true. Each of the
// others is set by one phase, and True is the good state.
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

// Condition types that are present only while false, and do not affect Ready.
const (
	ConditionSecretUsePermitted = "SecretUsePermitted"
	ConditionTemplateApplied    = "TemplateApplied"
)

// Reasons of conditions and events. docs/reasons.md has a line for each.
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

	ReasonObserveOnly             = "ObserveOnly"
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

// CommonStatus is the part of the status that all kinds share.
type CommonStatus struct {
	// observedGeneration is the newest generation of the spec that was completely processed: with success, or with an error that
	// only a change can fix. It is -1 before the first.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions of the object. Ready summarizes the others. Reconciling and Stalled follow kstatus: they are present only while
	// true.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
