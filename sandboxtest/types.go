package sandboxtest

import "time"

// User is a user at Smile, with a link token.
type User struct {
	// ID is the user id, such as tenant-0a1b.
	ID string
	// AccessToken is the link token that opens the widget. It is valid for 5 hours.
	AccessToken string
}

// Account is an account of a user at a provider.
type Account struct {
	ID         string `json:"id"`
	UserID     string `json:"userId"`
	ProviderID string `json:"providerId"`
	// ConnectionStatus is PENDING, AWAITING_MFA, CONNECTED, ERROR or DISCONNECTED.
	ConnectionStatus string `json:"connectionStatus"`
	Connection       struct {
		// ErrorCode is set if the status is ERROR, for example ACCOUNT_LOCKED.
		ErrorCode string `json:"errorCode"`
	} `json:"connection"`
}

// Login is what a person enters into the widget.
type Login struct {
	UserID     string `json:"userId"`
	ProviderID string `json:"providerId"`
	Login      string `json:"login"`
	Password   string `json:"password"`
	// MFA is the one-time code. Without it, the account stays AWAITING_MFA.
	MFA string `json:"mfa"`
}

// Fault makes calls of an operation go wrong. Calls are counted from the moment the
// faults are set.
type Fault struct {
	// Operation is Smile's operationId, such as create-user, or * for every call.
	Operation string `json:"operation"`
	// Nth is the first call that is affected; default 1.
	Nth int `json:"nth,omitempty"`
	// Count is how many calls are affected; default 1, -1 for all.
	Count int `json:"count,omitempty"`
	// Phase is "before" (default: the call is not executed) or "after" (it is
	// executed, and then the response is changed).
	Phase string `json:"phase,omitempty"`
	// Action is status:N, delay:D, hang, reset, truncate:BYTES, garbage, empty,
	// redirect:URL, acknowledge or endless.
	Action string `json:"action"`
}

// DeliveryFault makes deliveries of an event go wrong.
type DeliveryFault struct {
	// EventType is the type of the event, or * for every one.
	EventType string `json:"eventType"`
	Nth       int    `json:"nth,omitempty"`
	Count     int    `json:"count,omitempty"`
	// Action is duplicate:N, lose, delay:D, reorder or forge.
	Action string `json:"action"`
}

// Call is a call that the application has made to the sandbox.
type Call struct {
	Seq    int       `json:"seq"`
	Time   time.Time `json:"time"` // on the sandbox clock
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Query  string    `json:"query"`
	// Operation is Smile's operationId, empty for unknown paths.
	Operation string `json:"operation"`
	// Status is the status that was sent, 0 if the connection was cut.
	Status int `json:"status"`
	// UserID is the user that the call created or named.
	UserID string `json:"userId"`
	// Committed reports whether the call changed state, whatever the response was.
	Committed bool `json:"committed"`
}

// Delivery is an event for a webhook.
type Delivery struct {
	Seq       int    `json:"seq"`
	EventID   string `json:"eventId"`
	EventType string `json:"eventType"`
	UserID    string `json:"userId"`
	URL       string `json:"url"`
	// State is PENDING, DELIVERED, FAILED, LOST, HELD or DROPPED.
	State    string `json:"state"`
	Attempts []struct {
		// Status is that of the response, 0 if there was none.
		Status int    `json:"status"`
		Error  string `json:"error"`
	} `json:"attempts"`
}
