package v1alpha1

// Annotations, labels and finalizers that the operator reads or writes.
const (
	// AnnotationRequestedAt requests a refresh of a SmileUser, SmileAccountSync or SmileWebhookSubscription by any new value. The
	// first 256 characters count. status.lastHandledRequest shows the value that was handled last.
	AnnotationRequestedAt = "smile-operator.io/requested-at"

	// AnnotationCreations holds the creation log, on a Lease of the operator.
	AnnotationCreations = "smile-operator.io/creations"

	// AnnotationForceOrphan, set to the object's own UID, completes a blocked deletion and leaves at Smile what is there.
	AnnotationForceOrphan = "smile-operator.io/force-orphan"

	// AnnotationReleasedUntil is a time (RFC 3339), at most an hour ahead, until which the operator does not hold the object by a
	// finalizer, so that its deletion changes nothing at Smile. An uninstall sets it. After that time the operator holds the object
	// again and removes the annotation. Any other value is ignored.
	AnnotationReleasedUntil = "smile-operator.io/released-until"

	// AnnotationApproveErasure, set to any new value on a SmileConnection, ends the protection of the mass-disappearance guard for
	// the objects of that connection: the data of the accounts that disappeared or were disconnected is erased.
	AnnotationApproveErasure = "smile-operator.io/approve-erasure"

	// AnnotationApproveRevokes, set to any new value on a SmileConnection, permits the revokes that wait in its revoke limiter.
	// Revokes that specs request need no approval. status.lastHandledApproval shows the value that was handled last.
	AnnotationApproveRevokes = "smile-operator.io/approve-revokes"

	// AnnotationAllowedHost, on a credentials Secret, names the host:port of a custom endpoint to which the keys may be sent.
	AnnotationAllowedHost = "smile-operator.io/allowed-host"

	// AnnotationAllowVendorAddresses, set to "true" on a credentials Secret, permits the operator to send the keys to the vendor's
	// hosts at the addresses that its flag --vendor-address-exemptions names.
	AnnotationAllowVendorAddresses = "smile-operator.io/allow-vendor-addresses"

	// AnnotationAllowAdoption, set to "true" on a credentials Secret, permits SmileUsers to adopt users that this installation did
	// not create, by spec.userID.
	AnnotationAllowAdoption = "smile-operator.io/allow-adoption"

	// AnnotationUse, on a Secret that a spec names, lists the permitted uses of its values, separated by commas: credentials
	// (SmileConnection.spec.credentialsSecretRef), webhook-secret (SmileWebhookSubscription.spec.secretRef), subjects
	// (SmileUser.spec.subjectFrom). A key pair under the keys apiKey and apiSecret requires none.
	AnnotationUse = "smile-operator.io/use"

	// AnnotationOwner, on an output, is the UID of the object that it belongs to. It identifies the owner even if the owner
	// reference was removed.
	AnnotationOwner = "smile-operator.io/owner-uid"

	// AnnotationSeal, on the first object of an output, proves which object and user the output was written for, when its data was
	// fetched, and that nobody has changed it since.
	AnnotationSeal = "smile-operator.io/seal"

	// AnnotationTemplateKeys, on an output, lists the labels and annotations that its template has set.
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
