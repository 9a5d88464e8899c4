package v1alpha1

// ConditionTypes are all condition types that the operator sets.
var ConditionTypes = []string{
	ConditionReady, ConditionReconciling, ConditionStalled, ConditionSuspended, ConditionCredentialsValid,
	ConditionMirrored, ConditionRevokesAllowed, ConditionClockSynchronized, ConditionConnectionReady,
	ConditionProvisioned, ConditionTokenIssued, ConditionUserReady, ConditionAccountsConnected, ConditionDataSynced,
	ConditionOutputReady, ConditionRegistered, ConditionSecretUsePermitted, ConditionTemplateApplied,
}

// Reasons are all reasons that the operator sets.
var Reasons = []string{
	ReasonSucceeded, ReasonProgressing, ReasonSuspended, ReasonAwaitingEndUser, ReasonInvalidSpec,
	ReasonEndpointNotAllowed, ReasonSecretNotFound, ReasonSecretInvalid, ReasonSecretUseNotPermitted,
	ReasonAnnotationNotAllowed, ReasonDatapointUnsupported, ReasonWebhookURLNotAllowed, ReasonReceiverNotConfigured,
	ReasonWebhookCreated, ReasonWebhookReplaced, ReasonWebhookRepaired, ReasonInvalidCredentials,
	ReasonCredentialsMismatch, ReasonModeMismatch, ReasonAccessForbidden, ReasonConnectionNotFound,
	ReasonConnectionNotReady, ReasonUserNotFound, ReasonUserNotReady, ReasonCreateOutcomeUnknown, ReasonUserIDConflict,
	ReasonUserNotOwned, ReasonRemoteUserMissing, ReasonDuplicateRemoteUser, ReasonUserCreated, ReasonUserAdopted,
	ReasonEndUserActionRequired, ReasonProviderUnavailable, ReasonContactSmile, ReasonAccountStatusUnknown,
	ReasonReleased, ReasonDataOverdue, ReasonDataExpired, ReasonDataLost, ReasonNamespaceTerminating,
	ReasonOutputConflict, ReasonOutputDamaged, ReasonOutputTakenBack, ReasonOutputTooLarge, ReasonDataWritten,
	ReasonDataTakenBack, ReasonDataErased, ReasonMassDisappearance, ReasonDeletionBlocked, ReasonOrphaned,
	ReasonRevokesPaused, ReasonRevokeLimitReached, ReasonClockSkew, ReasonClockUnconfirmed, ReasonObserveOnly, ReasonStale,
	ReasonThrottled, ReasonSmileUnavailable, ReasonInvalidResponse, ReasonListingTooLong, ReasonRedirectRefused,
	ReasonErasureLedgerIncomplete, ReasonClusterRefused, ReasonClusterError, ReasonUnexpectedError,
}
