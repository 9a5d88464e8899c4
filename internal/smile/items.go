package smile

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
)

// Datapoint is a kind of data about a person. The set is open.
type Datapoint string

// The datapoints that can be fetched.
const (
	Identities    Datapoint = "IDENTITIES"
	Employments   Datapoint = "EMPLOYMENTS"
	Incomes       Datapoint = "INCOMES"
	Contributions Datapoint = "CONTRIBUTIONS"
	EIncomes      Datapoint = "EINCOMES"
	Transactions  Datapoint = "TRANSACTIONS"
	Documents     Datapoint = "DOCUMENTS"
	Ratings       Datapoint = "RATINGS"
	Liabilities   Datapoint = "LIABILITIES"
	Links         Datapoint = "LINK"
	Insights      Datapoint = "INSIGHTS"
)

// datapoints shows where each datapoint is found: the path of its listing, and its
// key in the payload of an account.
var datapoints = []datapoint{
	{Identities, "identities", "identity"},
	{Employments, "employments", "employments"},
	{Incomes, "incomes", "incomes"},
	{Contributions, "contributions", "contributions"},
	{EIncomes, "eincomes", "eincomes"},
	{Transactions, "transactions", "transactions"},
	{Documents, "documents", "documents"},
	{Ratings, "ratings", "rating"},
	{Liabilities, "liabilities", "liabilities"},
	{Links, "links", "links"},
	{Insights, "insights", "insight"},
}

type datapoint struct {
	name       Datapoint
	path       string
	payloadKey string
}

func (d datapoint) operation() Operation { return Operation{"list-" + d.path, http.MethodGet} }

// Datapoints returns the datapoints that can be fetched.
func Datapoints() []Datapoint {
	names := make([]Datapoint, len(datapoints))
	for i, point := range datapoints {
		names[i] = point.name
	}
	return names
}

// Item is one piece of data about a person.
type Item struct {
	// ID is empty if the response does not contain it.
	ID string
	// Source is zero in the payload of an account, where all items have the same one.
	Source Source
	// Content is the item as it was sent, byte for byte.
	Content Sensitive[json.RawMessage]
}

// itemWire keeps an item as it was sent.
type itemWire struct{ content json.RawMessage }

func (w *itemWire) UnmarshalJSON(data []byte) error {
	w.content = append(w.content[:0], data...)
	return nil
}

func (w itemWire) domain() (Item, error) {
	header, err := decode[struct {
		ID       string     `json:"id"`
		Metadata sourceWire `json:"metadata"`
	}](w.content)
	if err != nil {
		return Item{}, err
	}
	if isNull(w.content) {
		return Item{}, ProblemWrongType
	}
	if header.ID != "" && !validID(header.ID) {
		return Item{}, ProblemBadID
	}
	source, err := header.Metadata.domain()
	return Item{ID: header.ID, Source: source, Content: NewSensitive(w.content)}, err
}

// ItemFilter narrows a listing of items: by user, and by account or archive. An
// empty field does not narrow it.
type ItemFilter struct {
	UserID   string
	SourceID string
}

// Items lists the items of a datapoint. A datapoint that is not one of
// Datapoints is an ArgumentError.
func (c *Client) Items(ctx context.Context, of Datapoint, by ItemFilter) iter.Seq2[Item, error] {
	for _, point := range datapoints {
		if point.name == of {
			query := filter{}.text("userId", by.UserID).text("sourceId", by.SourceID)
			return listOf[itemWire](ctx, c, call{
				operation: point.operation(), path: []string{point.path}, query: url.Values(query), bounds: ofOne,
			}, owner{by.UserID, by.SourceID}, func(i Item) Source { return i.Source })
		}
	}
	return failing[Item](invalidArgument("of", "no such datapoint"))
}
