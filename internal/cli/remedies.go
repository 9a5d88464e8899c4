package cli

import (
	"strings"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// remedy is what to do about a reason. docs/reasons.md says more.
type remedy struct {
	// advice in a few words; "" if the command says it all.
	advice string
	// command to run next; "" if there is none. {ref} is KIND/NAME for this plugin, {object} RESOURCE NAME for kubectl, {connection}
	// the name of its SmileConnection.
	command string
}

const (
	see  = "kubectl describe {object}"
	edit = "kubectl edit {object}"
)

var (
	doNothing  = remedy{}
	doWait     = remedy{advice: "it resolves on its own; if it persists, see the conditions", command: see}
	fixSpec    = remedy{advice: "fix the spec", command: edit}
	fixKeys    = remedy{advice: "put a valid key pair into the Secret that the connection names", command: "kubectl edit secret"}
	fixSecret  = remedy{advice: "fix the Secret that the spec names", command: "kubectl get secrets"}
	askPerson  = remedy{advice: "give the person a link token and the widget: docs/wink.md"}
	askSupport = remedy{advice: "contact Smile's support"}
	permit     = remedy{advice: "permit it by the operator's flag that the message names, or fix the spec", command: edit}
	fixAbove   = remedy{advice: "fix the object that it depends on, shown above it"}
	restore    = remedy{advice: "restore the output from a backup, or let the person link the account again: docs/backup.md", command: see}
)

// remedies has an entry for each reason of a condition.
var remedies = map[string]remedy{
	v1alpha1.ReasonSucceeded:   doNothing,
	v1alpha1.ReasonReleased:    doNothing,
	v1alpha1.ReasonDataExpired: doNothing,
	v1alpha1.ReasonProgressing: doWait,
	v1alpha1.ReasonSuspended:   {command: "kubectl smile resume {ref}"},

	v1alpha1.ReasonAwaitingEndUser:       askPerson,
	v1alpha1.ReasonEndUserActionRequired: askPerson,
	v1alpha1.ReasonProviderUnavailable:   {advice: "the person can try again later"},
	v1alpha1.ReasonContactSmile:          askSupport,
	v1alpha1.ReasonDataOverdue:           askSupport,
	v1alpha1.ReasonAccountStatusUnknown:  {advice: "update the operator"},

	v1alpha1.ReasonInvalidSpec:           fixSpec,
	v1alpha1.ReasonUserIDConflict:        fixSpec,
	v1alpha1.ReasonDatapointUnsupported:  fixSpec,
	v1alpha1.ReasonOutputTooLarge:        fixSpec,
	v1alpha1.ReasonListingTooLong:        fixSpec,
	v1alpha1.ReasonAccessForbidden:       fixSpec,
	v1alpha1.ReasonEndpointNotAllowed:    permit,
	v1alpha1.ReasonWebhookURLNotAllowed:  permit,
	v1alpha1.ReasonAnnotationNotAllowed:  permit,
	v1alpha1.ReasonReceiverNotConfigured: permit,

	v1alpha1.ReasonSecretNotFound: fixSecret,
	v1alpha1.ReasonSecretInvalid:  fixSecret,
	v1alpha1.ReasonSecretUseNotPermitted: {
		advice:  "let the Secret permit its use: docs/secrets.md",
		command: "kubectl annotate secret NAME smile-operator.io/use=USE",
	},
	v1alpha1.ReasonInvalidCredentials:  fixKeys,
	v1alpha1.ReasonCredentialsMismatch: fixKeys,
	v1alpha1.ReasonModeMismatch:        fixKeys,

	v1alpha1.ReasonConnectionNotFound: {advice: "create the SmileConnection", command: "kubectl get smileconnections"},
	v1alpha1.ReasonConnectionNotReady: fixAbove,
	v1alpha1.ReasonUserNotFound:       {advice: "create the SmileUser", command: "kubectl get smileusers"},
	v1alpha1.ReasonUserNotReady:       fixAbove,

	v1alpha1.ReasonCreateOutcomeUnknown: {advice: "wait: a listing shows the outcome within a few minutes"},
	v1alpha1.ReasonUserNotOwned: {
		advice:  "fix spec.userID, or let the Secret of the connection permit the adoption",
		command: "kubectl annotate secret NAME smile-operator.io/allow-adoption=true",
	},
	v1alpha1.ReasonRemoteUserMissing: {advice: "fix spec.userID, or delete the object and create it again", command: edit},

	v1alpha1.ReasonOutputConflict: {advice: "choose another name for the output, or delete what has its name", command: edit},
	v1alpha1.ReasonOutputDamaged:  doWait,
	v1alpha1.ReasonDataLost:       restore,
	v1alpha1.ReasonMassDisappearance: {
		advice:  "find out what happened; if the accounts are really gone, approve that their data is erased",
		command: `kubectl annotate --overwrite smileconnection {connection} smile-operator.io/approve-erasure="$(date)"`,
	},
	v1alpha1.ReasonDeletionBlocked: {advice: "fix what the message names"},
	v1alpha1.ReasonRevokesPaused: {
		advice:  "if all these deletions are intended, approve their revokes",
		command: `kubectl annotate --overwrite smileconnection {connection} smile-operator.io/approve-revokes="$(date)"`,
	},
	v1alpha1.ReasonRevokeLimitReached: {
		advice:  "wait, or raise spec.revokes.perDay",
		command: "kubectl edit smileconnection {connection}",
	},
	v1alpha1.ReasonObserveOnly: {
		advice:  "to have it done, let the connection manage",
		command: `kubectl patch smileconnection {connection} --type=merge --patch='{"spec":{"managementPolicy":"Manage"}}'`,
	},
	v1alpha1.ReasonNamespaceTerminating: {advice: "wait until the namespace is gone"},

	v1alpha1.ReasonClockSkew:               {advice: "synchronize the clock of the operator's node"},
	v1alpha1.ReasonClockUnconfirmed:        fixAbove,
	v1alpha1.ReasonClusterRefused:          {advice: "change the policy, quota or permission that the message names", command: see},
	v1alpha1.ReasonRedirectRefused:         {advice: "check spec.endpoint and proxies", command: edit},
	v1alpha1.ReasonThrottled:               doWait,
	v1alpha1.ReasonStale:                   doWait,
	v1alpha1.ReasonSmileUnavailable:        {advice: "if it persists, check the network, proxies and Smile's status"},
	v1alpha1.ReasonInvalidResponse:         {advice: "if it persists, check proxies, and the operator's log"},
	v1alpha1.ReasonClusterError:            {advice: "if it persists, check the API server and the webhooks that it calls"},
	v1alpha1.ReasonUnexpectedError:         {advice: "if it persists, report it with the operator's log"},
	v1alpha1.ReasonErasureLedgerIncomplete: {advice: "restore the erasure ledger: docs/backup.md"},

	reasonMissing:   {advice: "create it"},
	reasonUntouched: {advice: "check that the operator runs, and that its scope and label selector include the object: docs/scopes.md"},
}

// Reasons of this plugin, for what no condition shows.
const (
	reasonMissing   = "Missing"
	reasonUntouched = "NotProcessed"
)

// remedyOf returns the remedy of a reason. That of a blocked deletion is the one of the reason that blocks it, which the engine
// puts first into the message, in parentheses.
func remedyOf(reason, message string) remedy {
	if reason == v1alpha1.ReasonDeletionBlocked {
		_, rest, _ := strings.Cut(message, "(")
		inner, _, _ := strings.Cut(rest, ")")
		if found, known := remedies[inner]; known {
			return found
		}
	}
	return remedies[reason]
}

// next is the command for a node, in its namespace. Without its connection, a command for that would apply to all connections.
func (r remedy) next(n *Node) string {
	if r.command == "" || n.connection == "" && strings.Contains(r.command, "{connection}") {
		return ""
	}
	command := strings.NewReplacer(
		"{ref}", n.kind.noun+"/"+n.Name, "{object}", n.kind.short+" "+n.Name, "{connection}", n.connection,
	).Replace(r.command)
	return command + " --namespace=" + n.Namespace
}
