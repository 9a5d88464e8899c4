package smile

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"time"
)

// The vendor's bounds of a user's metadata.
const (
	MaxMetadataPairs       = 5
	MaxMetadataKeyLength   = 50
	MaxMetadataValueLength = 500
)

// User is a person at Smile. It can neither be changed nor deleted.
type User struct {
	ID string
	// ExternalMetadata is what it was created with; nil if there is none.
	ExternalMetadata map[string]string
	// CreatedAt is zero if the response does not contain it.
	CreatedAt time.Time
}

type userWire struct {
	ID               string       `json:"id"`
	ExternalMetadata metadataWire `json:"externalMetadata"`
	CreatedAt        timestamp    `json:"createdAt"`
}

// metadataWire reads the pairs whose value is text, and ignores others. Metadata that this version cannot read, perhaps of one
// user of somebody else, must not break the listing of all users.
type metadataWire map[string]string

func (m *metadataWire) UnmarshalJSON(data []byte) error {
	pairs, err := decode[map[string]json.RawMessage](data)
	if err != nil || pairs == nil {
		return err
	}
	*m = metadataWire{}
	for key, value := range pairs {
		if text, ok := asText(value); ok {
			(*m)[key] = text
		}
	}
	return nil
}

func (w userWire) domain() (User, error) {
	return User{ID: w.ID, ExternalMetadata: w.ExternalMetadata, CreatedAt: w.CreatedAt.Time}, checkID(w.ID)
}

// UserFilter narrows a listing of users by the day (UTC) of their creation; a zero
// time does not narrow it.
type UserFilter struct {
	StartDate time.Time
	EndDate   time.Time
}

// Users lists the users of the key pair's tenant.
func (c *Client) Users(ctx context.Context, by UserFilter) iter.Seq2[User, error] {
	query := filter{}.day("startDate", by.StartDate).day("endDate", by.EndDate)
	return list[userWire](ctx, c, call{
		operation: opListUsers, path: []string{"users"}, query: url.Values(query), bounds: ofTenant,
	})
}

// User returns one user.
func (c *Client) User(ctx context.Context, id string) (User, error) {
	return fetchByID[userWire](ctx, c, opGetUser, "users", id, func(u User) string { return u.ID })
}

// CreatedUser is a new user.
type CreatedUser struct {
	User User
	// Token is the link token that came with the user; zero if there was none, or an
	// incomplete one. That is no error, because the user exists.
	Token Token
}

type createdUserWire struct {
	User  userWire  `json:"user"`
	Token tokenWire `json:"token"`
}

func (w createdUserWire) domain() (CreatedUser, error) {
	user, err := w.User.domain()
	if err != nil {
		return CreatedUser{}, missing("user.id")
	}
	token, err := w.Token.domain()
	if err != nil {
		token = Token{}
	}
	return CreatedUser{User: user, Token: token}, nil
}

// CreateUser creates a new user each time it is called: the API has no idempotency
// key. After any error for which NotCreated is false, the user may exist.
//
// metadata is at most 5 pairs of printable ASCII, keys of 1 to 50 and values of up
// to 500 characters; other metadata is an ArgumentError.
func (m *Mutator) CreateUser(ctx context.Context, metadata map[string]string) (CreatedUser, error) {
	if err := checkMetadata(metadata); err != nil {
		return CreatedUser{}, err
	}
	return fetch[createdUserWire](ctx, m.Client, call{
		operation: opCreateUser,
		path:      []string{"users"},
		body: struct {
			ExternalMetadata map[string]string `json:"externalMetadata,omitempty"`
		}{metadata},
	})
}

func checkMetadata(metadata map[string]string) error {
	if len(metadata) > MaxMetadataPairs {
		return invalidArgument("metadata", "too many pairs")
	}
	for key, value := range metadata {
		if key == "" || len(key) > MaxMetadataKeyLength || len(value) > MaxMetadataValueLength {
			return invalidArgument("metadata", "a key or value of the wrong length")
		}
		if !printableASCII(key) || !printableASCII(value) {
			return invalidArgument("metadata", "a key or value that is not printable ASCII")
		}
	}
	return nil
}

func printableASCII(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
