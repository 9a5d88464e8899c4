package smile

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"time"
)

// EventType is what an event is about. The set is open.
type EventType string

// The events about single accounts.
const (
	EventTaskFinished            EventType = "TASK_FINISHED"
	EventAccountSyncTaskFinished EventType = "ACCOUNT_SYNC_TASK_FINISHED"
	EventAccountCreated          EventType = "ACCOUNT_CREATED"
	EventAccountConnected        EventType = "ACCOUNT_CONNECTED"
	EventAccountFailed           EventType = "ACCOUNT_FAILED"
	EventAccountDisconnected     EventType = "ACCOUNT_DISCONNECTED"
)

// Urgent reports whether an event requires a read at once: it is about new data, or about the end of data.
func (t EventType) Urgent() bool { return t.OfData() || t == EventAccountDisconnected }

// OfData reports whether an event says that data of an account was gathered.
func (t EventType) OfData() bool { return t == EventTaskFinished || t == EventAccountSyncTaskFinished }

// OfAccount reports whether an event says that an account itself changed.
func (t EventType) OfAccount() bool {
	switch t {
	case EventAccountCreated, EventAccountConnected, EventAccountFailed, EventAccountDisconnected:
		return true
	default:
		return false
	}
}

const (
	// SignatureHeader is the name of the header that holds an event's signature.
	SignatureHeader = "Smile-Signature"

	// MinSigningKey is how many bytes a key must have to prove anything. The vendor
	// accepts a single one, and a FIPS module panics below this.
	MinSigningKey = 14

	// maxEventDepth bounds the nesting of an event, those with payload included.
	maxEventDepth = 32
)

// Signature is an HMAC-SHA512.
type Signature [sha512.Size]byte

// ParseSignature reads the values of the Smile-Signature header: there must be one,
// of 128 lower-case hex digits.
func ParseSignature(values []string) (Signature, bool) {
	var signature Signature
	if len(values) != 1 || len(values[0]) != hex.EncodedLen(len(signature)) {
		return signature, false
	}
	for _, c := range []byte(values[0]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return signature, false
		}
	}
	_, err := hex.Decode(signature[:], []byte(values[0]))
	return signature, err == nil
}

// Proves reports whether the signature was made of exactly these bytes with this
// key. The time that it takes depends only on the length of body.
func (s Signature) Proves(body []byte, key Sensitive[string]) bool {
	secret := []byte(key.Reveal())
	usable := len(secret) >= MinSigningKey
	if !usable {
		secret = make([]byte, MaxWebhookSecretLength) // takes as long, and proves nothing
	}
	mac := hmac.New(sha512.New, secret)
	mac.Write(body)
	return hmac.Equal(mac.Sum(nil), s[:]) && usable
}

// Event is what a receiver reads of a delivery. The data in it is never used: the
// current state is read from the API instead.
type Event struct {
	Type EventType
	// UserID is the user that the event is about; empty if it is about none.
	UserID string
	// AccountID is the account that the event is about; empty if it is about none, or if the id has the wrong form.
	AccountID string
	// CreatedAt is when Smile created the event, by its own clock; zero if the event does not contain it.
	CreatedAt time.Time
	// Troubled reports that more than data may have changed: a task failed, or the end user must log in again.
	Troubled bool
}

const (
	taskSucceeded = "SUCCEEDED"
	// sourceAccount is the type of a source that is an account; archives are sources too.
	sourceAccount = "ACCOUNT"
)

type eventWire struct {
	Type      enum      `json:"type"`
	CreatedAt timestamp `json:"createdAt"`
	Data      struct {
		UserID        string    `json:"userId"`
		AccountID     lenientID `json:"accountId"`
		SourceID      lenientID `json:"sourceId"`
		SourceType    enum      `json:"sourceType"`
		Status        enum      `json:"status"`
		MonitorStatus enum      `json:"monitorStatus"`
		Session       struct {
			UserID string `json:"userId"`
		} `json:"session"`
	} `json:"data"`
}

// lenientID is an id; empty if the value does not have the form of one.
type lenientID string

func (i *lenientID) UnmarshalJSON(data []byte) error {
	if text, ok := asText(data); ok && validID(text) {
		*i = lenientID(text)
	}
	return nil
}

// accountID is the account that the event names, under either of the two names that Smile has for it.
func (w eventWire) accountID() string {
	if w.Data.AccountID == "" && (w.Data.SourceType == "" || w.Data.SourceType == sourceAccount) {
		return string(w.Data.SourceID)
	}
	return string(w.Data.AccountID)
}

func (w eventWire) troubled() bool {
	return w.Data.Status != "" && w.Data.Status != taskSucceeded ||
		MonitorStatus(w.Data.MonitorStatus) == MonitorUserActionRequired
}

// ParseEvent reads the body of a delivery whose signature was proven. Its errors are
// Problems.
func ParseEvent(body []byte) (Event, error) {
	if err := checkJSONDepth(body, maxEventDepth); err != nil {
		return Event{}, problemOf(err, ProblemNotJSON)
	}
	wire, err := decode[eventWire](json.RawMessage(body))
	if err != nil {
		return Event{}, err
	}
	event := Event{
		Type: EventType(wire.Type), UserID: wire.Data.UserID, AccountID: wire.accountID(),
		CreatedAt: wire.CreatedAt.Time, Troubled: wire.troubled(),
	}
	if event.UserID == "" {
		event.UserID = wire.Data.Session.UserID
	}
	switch {
	case event.Type == "":
		return Event{}, missing("type")
	case event.UserID != "" && !validID(event.UserID):
		return Event{}, ProblemBadID
	}
	return event, nil
}
