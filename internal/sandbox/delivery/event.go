package delivery

import (
	"encoding/json"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// AllEvents is what a webhook names to get events of every type.
const AllEvents = "ALL_EVENTS"

// EventTypes is every type of event that a webhook can name. Nothing in the
// sandbox causes those of risk screening.
var EventTypes = []string{
	"USER_CREATED", "ACCOUNT_CREATED", "ACCOUNT_CONNECTED", "ACCOUNT_DISCONNECTED", "ACCOUNT_FAILED",
	"TASK_STARTED", "TASK_FINISHED", "ACCOUNT_SYNC_TASK_FINISHED",
	"ARCHIVE_STARTED", "ARCHIVE_ANALYZED", "ARCHIVE_REVOKED", "ARCHIVE_FAILED", "INVITE_INVITED", "INVITE_LINKED",
	"IDENTITY_ADDED", "RATING_ADDED", "TRANSACTIONS_ADDED", "DOCUMENTS_ADDED", "DOCUMENTS_UPDATED",
	"EMPLOYMENTS_ADDED", "EMPLOYMENTS_UPDATED", "INCOMES_ADDED", "INCOMES_UPDATED",
	"CONTRIBUTIONS_ADDED", "CONTRIBUTIONS_UPDATED", "EINCOMES_ADDED", "EINCOMES_UPDATED",
	"LIABILITIES_ADDED", "LIABILITIES_UPDATED", "INSIGHT_ADDED", "LINK_ADDED",
	"VERIFICATION_STARTED", "VERIFICATION_COMPLETED", "RECORD_CREATED", "RECORD_COMPLETED",
	"USER_SESSION_COMPLETED", "USER_SESSION_RESET", AllEvents,
}

// Event is an event as a webhook gets it.
type Event struct {
	ID        string          `json:"id"`
	Version   int             `json:"version"`
	Type      string          `json:"type"`
	CreatedAt wire.Timestamp  `json:"createdAt"`
	Data      json.RawMessage `json:"data"`
	// UserID is the user that the event is about; it is only for the record.
	UserID string `json:"-"`
	// AddedLater is a field that the API does not document.
	AddedLater json.RawMessage `json:"addedLater,omitempty"`
}
