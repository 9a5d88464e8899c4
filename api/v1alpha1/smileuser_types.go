package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AdoptionPolicy says what happens when a person is declared again.
// +kubebuilder:validation:Enum=Owned;Never
type AdoptionPolicy string

// The adoption policies.
const (
	// AdoptionOwned re-attaches to the remote user that was created for the same subject.
	AdoptionOwned AdoptionPolicy = "Owned"
	// AdoptionNever creates a new remote user for every object.
	AdoptionNever AdoptionPolicy = "Never"
)

// UserDeletionPolicy says what happens at Smile when a SmileUser is deleted.
// +kubebuilder:validation:Enum=Retain;RevokeAccounts
type UserDeletionPolicy string

// The deletion policies of users.
const (
	// UserRetain leaves everything at Smile as it is.
	UserRetain UserDeletionPolicy = "Retain"
	// UserRevokeAccounts revokes every linked account and archive, irrevocably.
	UserRevokeAccounts UserDeletionPolicy = "RevokeAccounts"
)

// SubjectSource says where the business key of a person comes from.
type SubjectSource struct {
	// secretKeyRef names the Secret key that holds it, 1 to 512 bytes.
	// +required
	SecretKeyRef SecretKeyReference `json:"secretKeyRef"`
}

// MetadataValue is a value of externalMetadata: printable ASCII, at most 500 characters, as Smile has it.
// +kubebuilder:validation:MaxLength=500
// +kubebuilder:validation:Pattern=`^[\x20-\x7E]*$`
type MetadataValue string

// LinkTokenSpec asks for a link token in a Secret.
type LinkTokenSpec struct {
	// secretName is the Secret to keep the token in; it must not exist, or be this object's.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	SecretName string `json:"secretName"`
}

// SmileUserSpec declares one person at Smile.
// +kubebuilder:validation:XValidation:rule="self.connectionRef == oldSelf.connectionRef",message="connectionRef is immutable: a person cannot move to another connection; create another SmileUser"
// +kubebuilder:validation:XValidation:rule="has(self.subjectFrom) == has(oldSelf.subjectFrom) && (!has(self.subjectFrom) || self.subjectFrom == oldSelf.subjectFrom)",message="subjectFrom is immutable: it says who the person is"
// +kubebuilder:validation:XValidation:rule="has(self.externalMetadata) == has(oldSelf.externalMetadata) && (!has(self.externalMetadata) || self.externalMetadata == oldSelf.externalMetadata)",message="externalMetadata is immutable: Smile cannot change it after creation"
// +kubebuilder:validation:XValidation:rule="has(self.userID) == has(oldSelf.userID) && (!has(self.userID) || self.userID == oldSelf.userID)",message="userID is immutable: create another SmileUser to adopt another user"
// +kubebuilder:validation:XValidation:rule="!(has(self.userID) && has(self.externalMetadata))",message="externalMetadata cannot be set with userID: the metadata of an existing user cannot be changed"
type SmileUserSpec struct {
	// connectionRef names the connection. Immutable.
	// +required
	ConnectionRef ConnectionReference `json:"connectionRef"`

	// subjectFrom names the business key of this person, by which the person is recognised when declared again;
	// <namespace>/<name> when absent. Smile sees a keyed digest of it only. The value is used byte by byte; nobody is
	// created under one that is not valid UTF-8 in normalization form C, holds control characters, or begins or ends
	// with white space. The Secret must carry the annotation smile-operator.io/use: subjects. Immutable.
	// +optional
	SubjectFrom *SubjectSource `json:"subjectFrom,omitempty"`

	// adoptionPolicy says whether the same subject declared again re-attaches to its remote user (Owned, the
	// default) or gets a new one (Never).
	// +optional
	AdoptionPolicy AdoptionPolicy `json:"adoptionPolicy,omitempty"`

	// externalMetadata are at most 4 pairs kept with the user at Smile: keys of 1 to 50, values of at most 500
	// printable ASCII characters. They can never be changed or removed, so no personal data here. Immutable.
	// +optional
	// +kubebuilder:validation:MaxProperties=4
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) >= 1 && size(k) <= 50)",message="externalMetadata keys must have 1 to 50 characters"
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[\\x20-\\x7E]+$'))",message="externalMetadata keys must be printable ASCII"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('smile-operator.io/'))",message="externalMetadata keys beginning with smile-operator.io/ are reserved"
	ExternalMetadata map[string]MetadataValue `json:"externalMetadata,omitempty"`

	// userID adopts an existing remote user instead of creating one. A user that this installation did not
	// create needs the annotation smile-operator.io/allow-adoption: "true" on the credentials Secret. Immutable.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	UserID string `json:"userID,omitempty"`

	// linkToken asks for a fresh link token in a Secret, for test persons. It is renewed at half of its life.
	// +optional
	LinkToken *LinkTokenSpec `json:"linkToken,omitempty"`

	// deletionPolicy says what happens at Smile on deletion: Retain (the default) leaves everything,
	// RevokeAccounts revokes every linked account and archive, which nothing can undo. Users themselves cannot
	// be deleted at Smile.
	// +optional
	DeletionPolicy UserDeletionPolicy `json:"deletionPolicy,omitempty"`

	// suspend stops all calls for this person; deletion still works.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// AccountCounts counts the accounts that a person has linked.
type AccountCounts struct {
	// total number of accounts, disconnected ones aside.
	Total int32 `json:"total"`
	// connected accounts.
	Connected int32 `json:"connected"`
	// needsAction counts accounts that only the end user can fix.
	NeedsAction int32 `json:"needsAction"`
}

// LinkTokenStatus tells of the link token in the Secret, without the token.
type LinkTokenStatus struct {
	// secretName is the Secret that holds it.
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName"`
	// issuedAt is when it was minted.
	IssuedAt metav1.Time `json:"issuedAt"`
	// expiresAt is when Smile will refuse it.
	ExpiresAt metav1.Time `json:"expiresAt"`
	// renewAt is when the next one is minted, computed once when this one was issued.
	RenewAt metav1.Time `json:"renewAt"`
	// fingerprint of what the Secret holds: a keyed hash that changes with it and reveals nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Fingerprint string `json:"fingerprint,omitempty"`
}

// CreateAttempt is the intent to create a remote user, written before the call that creates it.
type CreateAttempt struct {
	// id of the attempt.
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`
	// startedAt is when the intent was written.
	StartedAt metav1.Time `json:"startedAt"`
}

// HintSubject is what an event says about an account. A value that is not listed here is read as HintAccount.
// +kubebuilder:validation:MaxLength=32
type HintSubject string

// The subjects of hints.
const (
	// HintData says that Smile has gathered data of the account.
	HintData HintSubject = "Data"
	// HintAccount says that the account itself changed: it was connected, disconnected, or its login failed.
	HintAccount HintSubject = "Account"
)

// AccountHint names an account that an event was about. It says what to ask Smile about, and proves nothing.
type AccountHint struct {
	// accountID at Smile.
	// +kubebuilder:validation:MaxLength=200
	AccountID string `json:"accountID"`
	// about is Data when Smile has gathered data of the account, and Account when the account itself changed.
	About HintSubject `json:"about"`
	// at is the value that hintedAt had when the last such event was stored.
	At metav1.MicroTime `json:"at"`
	// eventAt is when that event was created, by Smile's clock.
	// +optional
	EventAt *metav1.Time `json:"eventAt,omitempty"`
}

// UserHints are what events about a user were about. Only receivers of webhooks write them, and only together with
// hintedAt: a hintedAt that none of them has was written by an older receiver, and is about everything of the user.
type UserHints struct {
	// allAt is the value that hintedAt had when an event was stored that is not about a single account, or when there were
	// more accounts than accounts has room for.
	// +optional
	AllAt *metav1.MicroTime `json:"allAt,omitempty"`
	// accounts are single accounts to ask Smile about. Entries older than 15 minutes are dropped with the next event.
	// +optional
	// +listType=map
	// +listMapKey=accountID
	// +listMapKey=about
	// +kubebuilder:validation:MaxItems=16
	Accounts []AccountHint `json:"accounts,omitempty"`
}

// SmileUserStatus is what the operator knows of a person at Smile. It holds no personal data.
type SmileUserStatus struct {
	CommonStatus `json:",inline"`

	// userID is the remote user.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	UserID string `json:"userID,omitempty"`

	// createdAt is when Smile created the user.
	// +optional
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// mode of the environment that the user lives in.
	// +optional
	Mode Mode `json:"mode,omitempty"`

	// accounts that the person has linked.
	// +optional
	Accounts *AccountCounts `json:"accounts,omitempty"`

	// linkToken tells of the token kept in spec.linkToken.secretName.
	// +optional
	LinkToken *LinkTokenStatus `json:"linkToken,omitempty"`

	// createAttempt is present while a creation is under way or its outcome unknown.
	// +optional
	CreateAttempt *CreateAttempt `json:"createAttempt,omitempty"`

	// duplicates is how many more users Smile has that were created for this object. They cannot be deleted.
	// +optional
	Duplicates int32 `json:"duplicates,omitempty"`

	// hintedAt is from when on a look at this person at Smile shows what Smile's last hint was about.
	// +optional
	HintedAt *metav1.MicroTime `json:"hintedAt,omitempty"`

	// hints are what the last events about this user were about. Without them, hintedAt is about everything of the user.
	// +optional
	Hints *UserHints `json:"hints,omitempty"`

	// lastHandledRequest echoes the smile-operator.io/requested-at annotation that was handled last.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledRequest string `json:"lastHandledRequest,omitempty"`
}

// SmileUser is one person at Smile.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=smu,categories=smile
// +kubebuilder:selectablefield:JSONPath=`.spec.connectionRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.status.mode`
// +kubebuilder:printcolumn:name="User ID",type=string,JSONPath=`.status.userID`
// +kubebuilder:printcolumn:name="Accounts",type=integer,JSONPath=`.status.accounts.connected`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Connection",type=string,priority=1,JSONPath=`.spec.connectionRef.name`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
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

// CommonStatus gives access to what all kinds share.
func (u *SmileUser) CommonStatus() *CommonStatus { return &u.Status.CommonStatus }

// Suspended tells whether the object is to be left alone.
func (u *SmileUser) Suspended() bool { return u.Spec.Suspend }
