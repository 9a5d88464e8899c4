package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AdoptionPolicy selects what happens when an object with the same subject is created again.
// +kubebuilder:validation:Enum=Owned;Never
type AdoptionPolicy string

// The adoption policies.
const (
	// AdoptionOwned re-attaches to the user that was created for the subject.
	AdoptionOwned AdoptionPolicy = "Owned"
	// AdoptionNever creates a new user for each object.
	AdoptionNever AdoptionPolicy = "Never"
)

// UserDeletionPolicy selects what happens at Smile when a SmileUser is deleted.
// +kubebuilder:validation:Enum=Retain;RevokeAccounts
type UserDeletionPolicy string

// The deletion policies of users.
const (
	// UserRetain leaves everything at Smile as it is.
	UserRetain UserDeletionPolicy = "Retain"
	// UserRevokeAccounts revokes every linked account and archive. This cannot be undone.
	UserRevokeAccounts UserDeletionPolicy = "RevokeAccounts"
)

// SubjectSource is the source of the business key of a person.
type SubjectSource struct {
	// secretKeyRef names a key of a Secret. Its value is the business key: 1 to 512 bytes.
	// +required
	SecretKeyRef SecretKeyReference `json:"secretKeyRef"`
}

// MetadataValue is a value of externalMetadata: at most 500 characters, printable ASCII.
// +kubebuilder:validation:MaxLength=500
// +kubebuilder:validation:Pattern=`^[\x20-\x7E]*$`
type MetadataValue string

// LinkTokenSpec requests a link token in a Secret.
type LinkTokenSpec struct {
	// secretName is the Secret that the token is kept in. It must not exist yet, or must have been created for this SmileUser.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	SecretName string `json:"secretName"`
}

// SmileUserSpec declares a person at Smile.
// +kubebuilder:validation:XValidation:rule="self.connectionRef == oldSelf.connectionRef",message="connectionRef is immutable: a person cannot move to another connection; create another SmileUser"
// +kubebuilder:validation:XValidation:rule="has(self.subjectFrom) == has(oldSelf.subjectFrom) && (!has(self.subjectFrom) || self.subjectFrom == oldSelf.subjectFrom)",message="subjectFrom is immutable: it identifies the person; create another SmileUser for another person"
// +kubebuilder:validation:XValidation:rule="has(self.subject) == has(oldSelf.subject) && (!has(self.subject) || self.subject == oldSelf.subject)",message="subject is immutable: it identifies the person; create another SmileUser for another person"
// +kubebuilder:validation:XValidation:rule="!(has(self.subject) && has(self.subjectFrom))",message="subject and subjectFrom cannot be set together: a person has one business key"
// +kubebuilder:validation:XValidation:rule="has(self.externalMetadata) == has(oldSelf.externalMetadata) && (!has(self.externalMetadata) || self.externalMetadata == oldSelf.externalMetadata)",message="externalMetadata is immutable: Smile cannot change the metadata of a user"
// +kubebuilder:validation:XValidation:rule="has(self.userID) == has(oldSelf.userID) && (!has(self.userID) || self.userID == oldSelf.userID)",message="userID is immutable: create another SmileUser to adopt another user"
// +kubebuilder:validation:XValidation:rule="!(has(self.userID) && has(self.externalMetadata))",message="externalMetadata cannot be set together with userID: Smile cannot change the metadata of a user"
type SmileUserSpec struct {
	// connectionRef names the connection. Immutable.
	// +required
	ConnectionRef ConnectionReference `json:"connectionRef"`

	// subjectFrom is the source of the person's business key. An object that is re-created with the same business key gets the
	// same user at Smile. Default: <namespace>/<name>. Smile gets only a keyed digest of it. The value is compared byte by byte. For
	// a new user it must be valid UTF-8 in normalization form C, without control characters and without white space at either
	// end. The Secret must have the annotation smile-operator.io/use: subjects. Immutable.
	// +optional
	SubjectFrom *SubjectSource `json:"subjectFrom,omitempty"`

	// subject is the person's business key as a literal, for keys that are not personal data, such as a customer number: 1 to 253
	// printable ASCII characters, without a space at either end. It is the same person as under subjectFrom with the same value.
	// Smile gets only a keyed digest of it. Immutable; excludes subjectFrom.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[\x21-\x7E]([\x20-\x7E]*[\x21-\x7E])?$`
	Subject string `json:"subject,omitempty"`

	// adoptionPolicy selects what happens if Smile already has a user for the business key. With Owned (the default) this object is
	// attached to that user. With Never a new user is created.
	// +optional
	AdoptionPolicy AdoptionPolicy `json:"adoptionPolicy,omitempty"`

	// externalMetadata is stored with the user at Smile: at most 4 pairs, with keys of 1 to 50 and values of at most 500 printable
	// ASCII characters. It can never be changed or removed, so it must not contain personal data. Immutable.
	// +optional
	// +kubebuilder:validation:MaxProperties=4
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) >= 1 && size(k) <= 50)",message="externalMetadata keys must have 1 to 50 characters"
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[\\x20-\\x7E]+$'))",message="externalMetadata keys must be printable ASCII"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('smile-operator.io/'))",message="externalMetadata keys beginning with smile-operator.io/ are reserved"
	ExternalMetadata map[string]MetadataValue `json:"externalMetadata,omitempty"`

	// userID adopts an existing user at Smile instead of creating one. If this installation did not create that user, the
	// credentials Secret must have the annotation smile-operator.io/allow-adoption: "true". Immutable.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	UserID string `json:"userID,omitempty"`

	// linkToken keeps a valid link token in a Secret. It is meant for test users. The token is renewed halfway through its lifetime.
	// +optional
	LinkToken *LinkTokenSpec `json:"linkToken,omitempty"`

	// deletionPolicy selects what happens at Smile when this object is deleted. Retain (the default) leaves everything as it is.
	// RevokeAccounts revokes every linked account and archive, which cannot be undone. Smile cannot delete users.
	// +optional
	DeletionPolicy UserDeletionPolicy `json:"deletionPolicy,omitempty"`

	// suspend stops all calls for this person. Deletion still works.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// AccountCounts counts the accounts that a person has linked.
type AccountCounts struct {
	// total number of accounts, excluding disconnected ones.
	Total int32 `json:"total"`
	// connected accounts.
	Connected int32 `json:"connected"`
	// needsAction is the number of accounts that only the end user can fix.
	NeedsAction int32 `json:"needsAction"`
}

// LinkTokenStatus describes the link token in the Secret, without the token itself.
type LinkTokenStatus struct {
	// secretName is the Secret that holds the token.
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName"`
	// issuedAt is when the token was minted.
	IssuedAt metav1.Time `json:"issuedAt"`
	// expiresAt is when the token expires.
	ExpiresAt metav1.Time `json:"expiresAt"`
	// renewAt is when the next token is minted. It is computed once, when a token is issued.
	RenewAt metav1.Time `json:"renewAt"`
	// fingerprint of the contents of the Secret: a keyed hash that reveals nothing about them.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint,omitempty"`
}

// CreateAttempt is the intent to create a user. It is stored before the call.
type CreateAttempt struct {
	// id of the attempt.
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`
	// startedAt is when the intent was stored.
	StartedAt metav1.Time `json:"startedAt"`
}

// HintSubject is the subject of an event about an account. An unknown value is treated as HintAccount.
// +kubebuilder:validation:MaxLength=32
type HintSubject string

// The subjects of hints.
const (
	// HintData: Smile has gathered data of the account.
	HintData HintSubject = "Data"
	// HintAccount: the account itself changed. It was connected or disconnected, or its login failed.
	HintAccount HintSubject = "Account"
)

// AccountHint names an account that an event was about. It is a reason to ask Smile, not a fact.
type AccountHint struct {
	// accountID at Smile.
	// +kubebuilder:validation:MaxLength=200
	AccountID string `json:"accountID"`
	// about is Data if Smile has gathered data of the account, and Account if the account itself changed.
	About HintSubject `json:"about"`
	// at is the value of hintedAt when the last such event was stored.
	At metav1.MicroTime `json:"at"`
	// eventAt is when that event was created, by Smile's clock.
	// +optional
	EventAt *metav1.Time `json:"eventAt,omitempty"`
}

// UserHints name what to ask Smile about, according to the last events. Only receivers of webhooks write them, always together
// with hintedAt. If no hint has the value of hintedAt, an older receiver wrote it, and it applies to all of the user's accounts.
type UserHints struct {
	// allAt is the value of hintedAt at the last event that the list does not cover: it was not about a single account, or the list
	// was full.
	// +optional
	AllAt *metav1.MicroTime `json:"allAt,omitempty"`
	// accounts to ask Smile about. Entries older than 15 minutes are dropped when the next event is stored.
	// +optional
	// +listType=map
	// +listMapKey=accountID
	// +listMapKey=about
	// +kubebuilder:validation:MaxItems=16
	Accounts []AccountHint `json:"accounts,omitempty"`
}

// SmileUserStatus is the observed state of a SmileUser. It contains no personal data.
type SmileUserStatus struct {
	CommonStatus `json:",inline"`

	// userID is the id of the user at Smile.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	UserID string `json:"userID,omitempty"`

	// createdAt is when Smile created the user.
	// +optional
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// mode of the environment that the user belongs to.
	// +optional
	Mode Mode `json:"mode,omitempty"`

	// accounts that the person has linked.
	// +optional
	Accounts *AccountCounts `json:"accounts,omitempty"`

	// linkToken describes the token in the Secret of spec.linkToken.
	// +optional
	LinkToken *LinkTokenStatus `json:"linkToken,omitempty"`

	// createAttempt is present while the user is being created, or while the outcome of a call is unknown.
	// +optional
	CreateAttempt *CreateAttempt `json:"createAttempt,omitempty"`

	// duplicates is the number of further users at Smile that were created for this object. They cannot be deleted.
	// +optional
	Duplicates int32 `json:"duplicates,omitempty"`

	// hintedAt is the time from which the user is due to be re-read at Smile, because of the last event.
	// +optional
	HintedAt *metav1.MicroTime `json:"hintedAt,omitempty"`

	// hints name what to ask Smile about. If absent, hintedAt applies to all of the user's accounts.
	// +optional
	Hints *UserHints `json:"hints,omitempty"`

	// lastHandledRequest is the value of the annotation smile-operator.io/requested-at that was handled last.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledRequest string `json:"lastHandledRequest,omitempty"`
}

// SmileUser is a person at Smile.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=smu,categories=smile
// +kubebuilder:selectablefield:JSONPath=`.spec.connectionRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Suspended",type=boolean,JSONPath=`.spec.suspend`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.status.mode`
// +kubebuilder:printcolumn:name="User ID",type=string,JSONPath=`.status.userID`
// +kubebuilder:printcolumn:name="Accounts",type=integer,JSONPath=`.status.accounts.connected`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Connection",type=string,priority=1,JSONPath=`.spec.connectionRef.name`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type SmileUser struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the desired state.
	// +required
	Spec SmileUserSpec `json:"spec"`

	// status is the observed state.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status SmileUserStatus `json:"status,omitempty"`
}

// SmileUserList is a list of SmileUsers.
// +kubebuilder:object:root=true
type SmileUserList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SmileUser `json:"items"`
}

// CommonStatus returns the part of the status that all kinds share.
func (u *SmileUser) CommonStatus() *CommonStatus { return &u.Status.CommonStatus }

// Suspended reports whether reconciling is suspended by the spec.
func (u *SmileUser) Suspended() bool { return u.Spec.Suspend }
