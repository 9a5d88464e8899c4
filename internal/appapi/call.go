package appapi

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Limits of a call.
const (
	// Deadline of a call, from when its header was read.
	Deadline = 10 * time.Second
	// MaxBody is how many bytes a request's body may have.
	MaxBody = 16 << 10
	// CallsPerSecond is how many calls a caller may make in a second, and burst how many at once.
	CallsPerSecond = 20
	burst          = 40
)

// Headers of the API's requests and responses, in addition to the standard ones.
const (
	// HeaderConsentRef names the consent that the caller relies on. It is copied to the audit log.
	HeaderConsentRef = "Smile-Consent-Ref"
	// HeaderPurpose is the purpose for which the caller needs the response. It is copied to the audit log.
	HeaderPurpose = "Smile-Purpose"
	// HeaderCallID is the id of the call, which is also in the audit log.
	HeaderCallID = "Smile-Call-Id"
	// HeaderRelayed marks a request that another replica has passed on. It is not passed on again.
	HeaderRelayed = "Smile-Relayed"
)

// Operation is an operation of the API.
type Operation struct {
	// Name of the operation: its operationId in the OpenAPI document, and the label of metrics.
	Name string
	// Method and Pattern of its requests. The pattern has {namespace} and {name}.
	Method, Pattern string
	// Verb, Resource and Subresource are what a caller must have the right to do, as in RBAC.
	Verb, Resource, Subresource string
	// Kind of the object that the path names.
	Kind string
	// Summary is a line of documentation.
	Summary string
	// Standby is true if a process that does not lead may carry out the call while it can reach no leader. Such an operation
	// must be harmless if it is carried out twice.
	Standby bool

	// result is the name of the operation's result in the OpenAPI document, and what it is.
	result, meaning string
	// widgetQuery is true if the query may name a SmileWinkWidget.
	widgetQuery bool
	// body reads the request's body; nil if there may be none, or an empty object.
	body func(call *Call, body []byte) error
	// run does what the call is for, and returns its result.
	run func(ctx context.Context, h *handler, call *Call) (any, error)
	// problems of this operation, in addition to those of every call.
	problems []Reason
}

// CreateLinkToken mints a link token for the user at Smile that belongs to a SmileUser.
var CreateLinkToken = &Operation{
	Name:    "CreateLinkToken",
	Method:  http.MethodPost,
	Pattern: "/v1/namespaces/{namespace}/smileusers/{name}/token",
	Verb:    "create", Resource: "smileusers", Subresource: "token",
	Kind:    "SmileUser",
	Summary: "Mint a link token for a user, with which the user's browser or app opens the Wink widget",
	result:  "LinkToken", meaning: "The link token. Each call mints another one.",
	widgetQuery: true,
	run: func(ctx context.Context, h *handler, call *Call) (any, error) {
		token, err := h.People.CreateLinkToken(ctx, call)
		return token.wire(), err
	},
	Standby: true,
	problems: []Reason{
		ReasonUserNotFound, ReasonUserNotReady, ReasonSuspended,
		ReasonWidgetNotFound, ReasonWidgetNotReady, ReasonWidgetMismatch,
		ReasonThrottled, ReasonSmileUnavailable, ReasonLeaderUnavailable, ReasonLeadershipLost,
	},
}

// CreateLink makes a link to the hosted page, for the user at Smile that belongs to a SmileUser.
var CreateLink = &Operation{
	Name:    "CreateLink",
	Method:  http.MethodPost,
	Pattern: "/v1/namespaces/{namespace}/smileusers/{name}/link",
	Verb:    "create", Resource: "smileusers", Subresource: "link",
	Kind:    "SmileUser",
	Summary: "Make a link to the page that opens the Wink widget for a user, in one browser",
	result:  "Link", meaning: "The link. Each call makes another one.",
	body: readLinkBody,
	run: func(ctx context.Context, h *handler, call *Call) (any, error) {
		if h.Links == nil {
			return nil, NewProblem(ReasonPageNotServed)
		}
		link, err := h.Links.CreateLink(ctx, call)
		return link.wire(), err
	},
	problems: []Reason{
		ReasonUserNotFound, ReasonUserNotReady, ReasonSuspended,
		ReasonWidgetNotFound, ReasonWidgetNotReady, ReasonWidgetMismatch, ReasonPageNotServed,
		ReasonLeaderUnavailable, ReasonLeadershipLost,
	},
}

// Operations are all calls.
var Operations = []*Operation{CreateLinkToken, CreateLink}

// DocumentPath is where the OpenAPI document is.
const DocumentPath = "/openapi.json"

// Call is one call, by a caller that may make it.
type Call struct {
	// ID of the call, unique.
	ID        string
	Operation *Operation
	// Caller is nil if the caller could not be authenticated.
	Caller Caller
	// Namespace and Name in the path; empty if they are not valid.
	Namespace, Name string
	// ConsentRef and Purpose are what the caller's headers say; empty without them.
	ConsentRef, Purpose string
	// Widget is the SmileWinkWidget that the query or the body names; empty if there is none.
	Widget string
	// ExpiresIn is how long a link is to be valid.
	ExpiresIn time.Duration
	// UID of the object, once People has found it.
	UID string
}

// Query is the query of the call, encoded.
func (c *Call) Query() string {
	if c.Operation.widgetQuery && c.Widget != "" {
		return url.Values{"widget": {c.Widget}}.Encode()
	}
	return ""
}

// Caller is the authenticated client of a call.
type Caller interface {
	// GetName is unique among callers, and the same in each call.
	GetName() string
}

// Access is the right that a call requires.
type Access struct {
	Verb, Resource, Subresource, Namespace, Name string
}

// LinkToken is a token, with the options that an application needs to start the widget.
type LinkToken struct {
	// AccessToken is the token itself.
	AccessToken Secret
	// ExpiresAt is when Smile will refuse it.
	ExpiresAt time.Time
	// Mode is SANDBOX or PRODUCTION.
	Mode string
	// UserID is the user's id at Smile.
	UserID string
	// APIHost is the value of the widget's option apiHost.
	APIHost string
	// ScriptURL is where the widget's script is.
	ScriptURL string
	// TemplateID and Options are those of the SmileWinkWidget that the call names; empty without one.
	TemplateID string
	Options    map[string]any
}

// Link opens the hosted page for a user.
type Link struct {
	// URL of the page, with the code in its fragment.
	URL Secret
	// ExpiresAt is until when it can be opened.
	ExpiresAt time.Time
}

// linkWire is a Link as the API returns it.
type linkWire struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func (l Link) wire() linkWire {
	return linkWire{string(l.URL), l.ExpiresAt.UTC().Truncate(time.Second)}
}

// linkTokenWire is a LinkToken as the API returns it.
type linkTokenWire struct {
	AccessToken string    `json:"accessToken"`
	ExpiresAt   time.Time `json:"expiresAt"`
	Mode        string    `json:"mode"`
	UserID      string    `json:"userId"`
	APIHost     string    `json:"apiHost"`
	ScriptURL   string    `json:"scriptUrl"`

	TemplateID string         `json:"templateId,omitempty"`
	Options    map[string]any `json:"options,omitempty"`
}

func (t LinkToken) wire() linkTokenWire {
	return linkTokenWire{
		string(t.AccessToken), t.ExpiresAt.UTC().Truncate(time.Second), t.Mode, t.UserID, t.APIHost, t.ScriptURL,
		t.TemplateID, t.Options,
	}
}

// Secret is text that is printed nowhere.
type Secret string

const redacted = "[redacted]"

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return redacted }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
