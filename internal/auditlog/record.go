// Package auditlog writes the audit log: one JSON line for each operation on personal data, in a stream of its own, for auditors.
// docs/audit-log.md is its schema.
package auditlog

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Record is one operation on the data of a person. It holds no personal data, no token and no id of Smile.
type Record struct {
	// Time of the operation by the operator's clock, in UTC. Write sets it.
	Time time.Time `json:"time"`
	// Actor is the kind of the controller that acted, ActorApplicationAPI or ActorWinkPage.
	Actor string `json:"actor"`
	Object
	// Call of the application API; nil for operations of a controller.
	*Call
	// Account is the keyed digest of the account's id (identity.Key.Account); empty if the operation is not about one account.
	Account string `json:"account,omitempty"`
	// Action that was taken.
	Action Action `json:"action"`
	// Reason for the action.
	Reason Reason `json:"reason"`
	// Datapoints that the action covers; none when it covers the account as a whole.
	Datapoints []string `json:"datapoints,omitempty"`
	// Outcome of the action.
	Outcome Outcome `json:"outcome"`
}

// Object is the Kubernetes object for which the operator acted.
type Object struct {
	Namespace string `json:"namespace,omitempty"`
	Kind      string `json:"kind"`
	Name      string `json:"name,omitempty"`
	UID       string `json:"uid,omitempty"`
}

// Actors that are no controllers.
const (
	// ActorApplicationAPI is the actor of calls of the application API.
	ActorApplicationAPI = "ApplicationAPI"
	// ActorWinkPage is the actor of what a person's browser asks for on the hosted page.
	ActorWinkPage = "WinkPage"
)

// Call is a call of the application API.
type Call struct {
	// ID of the call, which the caller got too.
	ID string `json:"call"`
	// Caller is the name of the caller; empty if the caller was not authenticated.
	Caller string `json:"caller,omitempty"`
	// Verb and Resource of the call, as in RBAC.
	Verb     string `json:"verb"`
	Resource string `json:"resource"`
	// ConsentRef and Purpose are what the caller's headers said.
	ConsentRef string `json:"consentRef,omitempty"`
	Purpose    string `json:"purpose,omitempty"`
	// Problem is the reason for which the call failed.
	Problem string `json:"problem,omitempty"`
	// DurationMS is how long the call took, in milliseconds.
	DurationMS int64 `json:"durationMS"`
}

// ObjectOf identifies an object of a kind.
func ObjectOf(kind string, obj metav1.Object) Object {
	return Object{Namespace: obj.GetNamespace(), Kind: kind, Name: obj.GetName(), UID: string(obj.GetUID())}
}

// Action is what was done. The list is closed.
type Action string

// The actions. docs/audit-log.md explains each.
const (
	ActionFetched      Action = "Fetched"
	ActionWritten      Action = "Written"
	ActionErased       Action = "Erased"
	ActionLost         Action = "Lost"
	ActionTakenBack    Action = "TakenBack"
	ActionNotTakenBack Action = "NotTakenBack"
	ActionRevoked      Action = "Revoked"
	ActionMinted       Action = "Minted"
	ActionLinked       Action = "Linked"
)

// Reason is why it was done. The list is closed.
type Reason string

// The reasons. docs/audit-log.md explains each.
const (
	ReasonNews            Reason = "News"
	ReasonRequested       Reason = "Requested"
	ReasonRefreshDue      Reason = "RefreshDue"
	ReasonSpecChanged     Reason = "SpecChanged"
	ReasonRepair          Reason = "Repair"
	ReasonWithdrawn       Reason = "Withdrawn"
	ReasonExpired         Reason = "Expired"
	ReasonReleased        Reason = "Released"
	ReasonRetained        Reason = "Retained"
	ReasonConnected       Reason = "Connected"
	ReasonNotConnected    Reason = "NotConnected"
	ReasonNotSelected     Reason = "NotSelected"
	ReasonObjectDeleted   Reason = "ObjectDeleted"
	ReasonOutputMissing   Reason = "OutputMissing"
	ReasonOutputDamaged   Reason = "OutputDamaged"
	ReasonSealMismatch    Reason = "SealMismatch"
	ReasonInErasureLedger Reason = "InErasureLedger"
	ReasonCalled          Reason = "Called"
	ReasonLinkOpened      Reason = "LinkOpened"
)

// Outcome is the result of an operation. The list is closed.
type Outcome string

// The outcomes. docs/audit-log.md explains each.
const (
	OutcomeSucceeded Outcome = "Succeeded"
	OutcomeRefused   Outcome = "Refused"
	OutcomeFailed    Outcome = "Failed"
	OutcomeUnknown   Outcome = "Unknown"
)
