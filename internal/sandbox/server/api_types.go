package server

import (
	"encoding/json"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// envelope wraps every response of the Open API. Data is absent if there is
// none, as after a DELETE.
type envelope struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"requestId"`
	Data      any    `json:"data,omitempty"`
	// AddedLater is a field that the API does not document.
	AddedLater json.RawMessage `json:"addedLater,omitempty"`
}

// page is the data of every list. NextCursor is null on the last one.
type page struct {
	NextCursor *string `json:"nextCursor"`
	Items      []any   `json:"items"`
}

// User is a user as the API shows it.
type User struct {
	ID               string            `json:"id"`
	ExternalMetadata map[string]string `json:"externalMetadata"`
	CreatedAt        wire.Timestamp    `json:"createdAt"`
	Providers        []string          `json:"providers"`
	Session          session           `json:"session"`
}

type session struct {
	UserID    string  `json:"userId"`
	Channel   string  `json:"channel"`
	ChannelID *string `json:"channelId"`
	Status    string  `json:"status"`
}

// linkToken lets a browser open the widget for one user.
type linkToken struct {
	ID          string         `json:"id"`
	ExpiresAt   wire.Timestamp `json:"expiresAt"`
	Mode        Mode           `json:"mode"`
	AccessToken string         `json:"accessToken"`
}

// CreatedUser is a user, and a link token that opens the widget.
type CreatedUser struct {
	User  User      `json:"user"`
	Token linkToken `json:"token"`
}

// Account is a user's account at one provider as the API shows it.
// ConnectionStatus and MonitorStatus repeat what Connection and Monitor say.
type Account struct {
	ID               string           `json:"id"`
	CreatedAt        wire.Timestamp   `json:"createdAt"`
	ProviderID       string           `json:"providerId"`
	UserID           string           `json:"userId"`
	ConnectionStatus ConnectionStatus `json:"connectionStatus"`
	Connection       Connection       `json:"connection"`
	MonitorStatus    MonitorStatus    `json:"monitorStatus"`
	Monitor          Monitor          `json:"monitor"`
}

// Connection is the state of the login at the provider. ErrorCode and
// ErrorMessage are null unless Status is ERROR.
type Connection struct {
	Status       ConnectionStatus `json:"status"`
	ErrorCode    *string          `json:"errorCode"`
	ErrorMessage *string          `json:"errorMessage"`
	UpdatedAt    wire.Timestamp   `json:"updatedAt"`
}

// Monitor is the state of the continuous synchronization. UpdatedAt is null
// while nothing is monitored.
type Monitor struct {
	Status    MonitorStatus   `json:"status"`
	UpdatedAt *wire.Timestamp `json:"updatedAt"`
}

// ConnectionStatus is the state of an account's login.
type ConnectionStatus string

// The states of a login.
const (
	Pending      ConnectionStatus = "PENDING"
	AwaitingMFA  ConnectionStatus = "AWAITING_MFA"
	Failed       ConnectionStatus = "ERROR"
	Connected    ConnectionStatus = "CONNECTED"
	Disconnected ConnectionStatus = "DISCONNECTED"
)

// ConnectionStatuses lists the states of a login.
var ConnectionStatuses = []ConnectionStatus{Pending, AwaitingMFA, Failed, Connected, Disconnected}

// MonitorStatus is the state of the continuous synchronization of an account.
type MonitorStatus string

// The states of the continuous synchronization.
const (
	MonitorActive         MonitorStatus = "ACTIVE"
	MonitorActionRequired MonitorStatus = "USER_ACTION_REQUIRED"
	MonitorUnsupported    MonitorStatus = "UNSUPPORTED"
	// MonitorCustomerDisabled is permanent: the tenant has switched it off.
	MonitorCustomerDisabled MonitorStatus = "CUSTOMER_DISABLED"
)

// reference is where an item or a task comes from. CreatedAt belongs to the
// account or archive, ItemCreatedAt to the item or task.
type reference struct {
	CreatedAt     wire.Timestamp `json:"createdAt"`
	ItemCreatedAt wire.Timestamp `json:"itemCreatedAt"`
	AccountID     string         `json:"accountId,omitempty"`
	SourceID      string         `json:"sourceId"`
	SourceType    string         `json:"sourceType"`
	UserID        string         `json:"userId"`
	ProviderID    string         `json:"providerId"`
}

type taskWire struct {
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	StartedAt  wire.Timestamp  `json:"startedAt"`
	FinishedAt *wire.Timestamp `json:"finishedAt"`
	Status     string          `json:"status"`
	Datapoints []string        `json:"datapoints"`
	Metadata   reference       `json:"metadata"`
}

type payloadReference struct {
	SourceID   string `json:"sourceId"`
	SourceType string `json:"sourceType"`
	UserID     string `json:"userId"`
	ProviderID string `json:"providerId"`
}

// accountPayload has the metadata, and one key per data point: Datapoint.Key.
type accountPayload map[string]any

type archiveWire struct {
	uploadWire
	Classification *classification   `json:"classification"`
	Analysis       *fixtures.Payslip `json:"analysis"`
	Extraction     *extraction       `json:"extraction,omitempty"`
	Validation     *validation       `json:"validation,omitempty"`
}

type uploadWire struct {
	ID         string         `json:"id"`
	CreatedAt  wire.Timestamp `json:"createdAt"`
	ProviderID string         `json:"providerId"`
	UserID     string         `json:"userId"`
	Type       *string        `json:"type"`
	State      archiveState   `json:"state"`
	RawFiles   []rawFile      `json:"rawFiles"`
}

type classification struct {
	FileType string `json:"fileType"`
}

type extraction struct {
	FileType string            `json:"fileType"`
	Analysis *fixtures.Payslip `json:"analysis"`
}

// validation is how trustworthy an archive is.
type validation struct {
	FileType    string           `json:"fileType"`
	Metadata    validationResult `json:"metadata"`
	Computation validationResult `json:"computation"`
	Identity    validationResult `json:"identity"`
	Location    validationResult `json:"location"`
}

type validationResult struct {
	ResultCode string `json:"resultCode"`
	Score      int    `json:"score"`
	Message    string `json:"resultMessage"`
}

// passed is the validation of a file in which nothing is wrong.
func passed(fileType string) *validation {
	fine := validationResult{"PASSED", 100, "Nothing is wrong."}
	return &validation{fileType, fine, fine, fine, validationResult{"NO_DATA", 0, "The file names no place."}}
}

type archiveState struct {
	Status       string         `json:"status"`
	ErrorCode    *string        `json:"errorCode"`
	ErrorMessage *string        `json:"errorMessage"`
	UpdatedAt    wire.Timestamp `json:"updatedAt"`
}
