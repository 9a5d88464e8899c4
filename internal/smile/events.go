package smile

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
)

// EventType is what an event tells. The set is open.
type EventType string

// The events that tell of data or of its end. What they announce is worth a look at
// once.
const (
	EventTaskFinished            EventType = "TASK_FINISHED"
	EventAccountSyncTaskFinished EventType = "ACCOUNT_SYNC_TASK_FINISHED"
	EventAccountDisconnected     EventType = "ACCOUNT_DISCONNECTED"
)

// Urgent reports whether an event is worth a look at once.
func (t EventType) Urgent() bool {
	return t == EventTaskFinished || t == EventAccountSyncTaskFinished || t == EventAccountDisconnected
}

const (
	// SignatureHeader is the name of the header that holds an event's signature.
	SignatureHeader = "Smile-Signature"

	// MinSigningKey is how many bytes a key must have to prove anything. The vendor
	// takes a single one, and a FIPS module panics below this.
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

// Proves reports whether the signature was made of these very bytes with this key.
// How long that takes depends on the length of body alone.
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

// Event is what a receiver may know of a delivery. Contents are never read: state is
// asked for, not told.
type Event struct {
	Type EventType
	// UserID is the user that the event is about; empty when it is about none.
	UserID string
}

type eventWire struct {
	Type enum `json:"type"`
	Data struct {
		UserID  string `json:"userId"`
		Session struct {
			UserID string `json:"userId"`
		} `json:"session"`
	} `json:"data"`
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
	event := Event{Type: EventType(wire.Type), UserID: wire.Data.UserID}
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
