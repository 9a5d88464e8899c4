package smile

import (
	"cmp"
	"context"
	"iter"
	"net/url"
	"time"
)

// ConnectionStatus is the status of the connection between an account and its provider.
// The set is open.
type ConnectionStatus string

// The connection statuses that are documented.
const (
	ConnectionPending      ConnectionStatus = "PENDING"
	ConnectionAwaitingMFA  ConnectionStatus = "AWAITING_MFA"
	ConnectionError        ConnectionStatus = "ERROR"
	ConnectionConnected    ConnectionStatus = "CONNECTED"
	ConnectionDisconnected ConnectionStatus = "DISCONNECTED"
)

// MonitorStatus says whether Smile keeps the data of an account current. The set
// is open.
type MonitorStatus string

// The monitor statuses that are documented.
const (
	MonitorActive             MonitorStatus = "ACTIVE"
	MonitorUserActionRequired MonitorStatus = "USER_ACTION_REQUIRED"
	MonitorUnsupported        MonitorStatus = "UNSUPPORTED"
	MonitorCustomerDisabled   MonitorStatus = "CUSTOMER_DISABLED"
)

// AccountErrorCode says why a connection failed. The set is open.
type AccountErrorCode string

// The account error codes that are documented.
const (
	AccountDisabled             AccountErrorCode = "ACCOUNT_DISABLED"
	AccountInaccessible         AccountErrorCode = "ACCOUNT_INACCESSIBLE"
	AccountIncomplete           AccountErrorCode = "ACCOUNT_INCOMPLETE"
	AccountLocked               AccountErrorCode = "ACCOUNT_LOCKED"
	AccountAuthRequired         AccountErrorCode = "AUTH_REQUIRED"
	AccountExpiredCredentials   AccountErrorCode = "EXPIRED_CREDENTIALS"
	AccountInvalidType          AccountErrorCode = "INVALID_ACCOUNT_TYPE"
	AccountInvalidAuth          AccountErrorCode = "INVALID_AUTH"
	AccountInvalidCredentials   AccountErrorCode = "INVALID_CREDENTIALS"
	AccountInvalidMFA           AccountErrorCode = "INVALID_MFA"
	AccountMFATimeout           AccountErrorCode = "MFA_TIMEOUT"
	AccountServiceUnavailable   AccountErrorCode = "SERVICE_UNAVAILABLE"
	AccountSystemError          AccountErrorCode = "SYSTEM_ERROR"
	AccountTOSRequired          AccountErrorCode = "TOS_REQUIRED"
	AccountUnsupportedAuthType  AccountErrorCode = "UNSUPPORTED_AUTH_TYPE"
	AccountUnsupportedMFAMethod AccountErrorCode = "UNSUPPORTED_MFA_METHOD"
)

// Connection is the state of an account's connection to its provider. The vendor's
// error message is not kept, because it may contain personal data.
type Connection struct {
	Status    ConnectionStatus
	ErrorCode AccountErrorCode
	UpdatedAt time.Time
}

// Monitor is the state of an account's continuous data sync.
type Monitor struct {
	Status    MonitorStatus
	UpdatedAt time.Time
}

// Account is a provider's account that a user has linked.
type Account struct {
	ID         string
	CreatedAt  time.Time
	ProviderID string
	UserID     string
	Connection Connection
	Monitor    Monitor
}

type accountWire struct {
	ID               string    `json:"id"`
	CreatedAt        timestamp `json:"createdAt"`
	ProviderID       string    `json:"providerId"`
	UserID           string    `json:"userId"`
	ConnectionStatus enum      `json:"connectionStatus"`
	Connection       struct {
		Status    enum      `json:"status"`
		ErrorCode enum      `json:"errorCode"`
		UpdatedAt timestamp `json:"updatedAt"`
	} `json:"connection"`
	MonitorStatus enum `json:"monitorStatus"`
	Monitor       struct {
		Status    enum      `json:"status"`
		UpdatedAt timestamp `json:"updatedAt"`
	} `json:"monitor"`
}

func (w accountWire) domain() (Account, error) {
	account := Account{
		ID:         w.ID,
		CreatedAt:  w.CreatedAt.Time,
		ProviderID: w.ProviderID,
		UserID:     w.UserID,
		Connection: Connection{
			Status:    ConnectionStatus(cmp.Or(w.Connection.Status, w.ConnectionStatus)),
			ErrorCode: AccountErrorCode(w.Connection.ErrorCode),
			UpdatedAt: w.Connection.UpdatedAt.Time,
		},
		Monitor: Monitor{
			Status:    MonitorStatus(cmp.Or(w.Monitor.Status, w.MonitorStatus)),
			UpdatedAt: w.Monitor.UpdatedAt.Time,
		},
	}
	switch {
	case w.UserID == "":
		return account, missing("userId")
	case !validID(w.UserID), w.ProviderID != "" && !validID(w.ProviderID):
		return account, ProblemBadID
	default:
		return account, checkID(w.ID)
	}
}

// AccountFilter narrows a listing of accounts: by user, and by the day (UTC) on
// which they were linked. A zero field does not narrow it.
type AccountFilter struct {
	UserID    string
	StartDate time.Time
	EndDate   time.Time
}

// Accounts lists accounts: of one user, or of all users of the key pair's tenant.
func (c *Client) Accounts(ctx context.Context, by AccountFilter) iter.Seq2[Account, error] {
	query := filter{}.text("userId", by.UserID).day("startDate", by.StartDate).day("endDate", by.EndDate)
	owner := owner{userID: by.UserID}
	return listOf[accountWire](ctx, c, call{
		operation: opListAccounts, path: []string{"accounts"}, query: url.Values(query), bounds: ofOwner(owner),
	}, owner, func(a Account) Source { return Source{UserID: a.UserID} })
}

// Account returns one account.
func (c *Client) Account(ctx context.Context, id string) (Account, error) {
	return fetchByID[accountWire](ctx, c, opGetAccount, "accounts", id, func(a Account) string { return a.ID })
}

// RevokeAccount disconnects an account and deletes its data at Smile, irrevocably.
func (m *Mutator) RevokeAccount(ctx context.Context, id string) error {
	return m.deleteByID(ctx, opDeleteAccount, "accounts", id)
}
