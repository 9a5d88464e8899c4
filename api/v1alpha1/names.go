package v1alpha1

// Annotations, labels and finalizers that the operator reads or writes.
const (
	// AnnotationRequestedAt, set to any new value on a SmileUser, SmileAccountSync or SmileWebhookSubscription, makes
	// the object due now. The value handled last is echoed in status.lastHandledRequest; 256 characters of it count.
	AnnotationRequestedAt = "smile-operator.io/requested-at"

	// AnnotationCreations holds the creation log, on a Lease of the operator.
	AnnotationCreations = "smile-operator.io/creations"

	// AnnotationForceOrphan, set to the object's own UID, lets a blocked deletion go ahead without undoing
	// what is left at Smile.
	AnnotationForceOrphan = "smile-operator.io/force-orphan"

	// AnnotationApproveErasure, set to any new value on a SmileConnection, lets the objects of that connection erase the data
	// of accounts that disappeared at Smile, or were disconnected, in such numbers that their erasure is held.
	AnnotationApproveErasure = "smile-operator.io/approve-erasure"

	// AnnotationApproveRevokes, set to any new value on a SmileConnection, permits the revokes that its revoke limiter holds.
	// Revokes that specs ask for need no approval.
	// The value handled last is echoed in status.lastHandledApproval.
	AnnotationApproveRevokes = "smile-operator.io/approve-revokes"

	// AnnotationAllowedHost, on a credentials Secret, names the host:port of a custom endpoint that the keys
	// may be sent to.
	AnnotationAllowedHost = "smile-operator.io/allowed-host"

	// AnnotationAllowVendorAddresses, set to "true" on a credentials Secret, lets the keys be sent to the vendor's hosts
	// at the addresses that the operator's flag --vendor-address-exemptions names.
	AnnotationAllowVendorAddresses = "smile-operator.io/allow-vendor-addresses"

	// AnnotationAllowAdoption, set to "true" on a credentials Secret, lets SmileUsers adopt by spec.userID
	// remote users that this installation did not create.
	AnnotationAllowAdoption = "smile-operator.io/allow-adoption"

	// AnnotationUse, on a Secret that a spec names, says what its values may be used for: credentials (by
	// SmileConnection.spec.credentialsSecretRef), webhook-secret (SmileWebhookSubscription.spec.secretRef) or subjects
	// (SmileUser.spec.subjectFrom); several are separated by commas. Key pairs under the keys apiKey and apiSecret need none.
	AnnotationUse = "smile-operator.io/use"

	// AnnotationOwner, on an output, is the UID of the object that it belongs to, by which it is known even when
	// its owner reference was cut.
	AnnotationOwner = "smile-operator.io/owner-uid"

	// AnnotationSeal, on the first object of an output, proves for whom the output was written, when its data was fetched,
	// and that nobody has changed it since.
	AnnotationSeal = "smile-operator.io/seal"

	// AnnotationTemplateKeys, on an output, remembers the labels and annotations that its template has set.
	AnnotationTemplateKeys = "smile-operator.io/template-keys"

	// LabelErasureLedger, with the value "true", marks the ConfigMaps of the erasure ledger, so that a backup finds them.
	LabelErasureLedger = "smile-operator.io/erasure-ledger"

	// FinalizerRevoke holds a SmileUser whose deletionPolicy is RevokeAccounts until its accounts are revoked.
	FinalizerRevoke = "smile-operator.io/revoke-accounts"

	// FinalizerWebhook holds a SmileWebhookSubscription whose deletionPolicy is Delete until its webhook is deleted.
	FinalizerWebhook = "smile-operator.io/delete-webhook"

	// MetadataPrefix is reserved in externalMetadata.
	MetadataPrefix = "smile-operator.io/"

	// MetadataOwner is the externalMetadata key of the ownership marker.
	MetadataOwner = MetadataPrefix + "owner"
)
