package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/smile-operator/smile-operator/internal/sandbox/canary"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// datapoint is one kind of employment data: where it is read, what its items
// are called, and how people's data is decoded.
type datapoint struct {
	name    string // in providers and tasks
	path    string // of the list; also the key in people/*.json
	list    string // operation ids
	get     string
	prefix  string // of item ids
	key     string // in an account's payload
	single  bool   // the payload holds one object instead of an array
	filters []parameter
	decode  func(json.RawMessage) ([]template, error)
}

var (
	bySource = []parameter{{"userId", text}, {"accountId", text}, {"sourceId", text}}
	byDate   = append(slices.Clone(bySource), parameter{"startDate", date}, parameter{"endDate", date})
	byMonth  = append(slices.Clone(bySource), parameter{"startMonth", month}, parameter{"endMonth", month})
)

var datapoints = []datapoint{
	{"IDENTITIES", "identities", "list-identities", "get-identity", "i-", "identity", true, bySource, templates[identity]},
	{"RATINGS", "ratings", "list-ratings", "get-rating", "r-", "rating", true, bySource, templates[rating]},
	{"DOCUMENTS", "documents", "list-documents", "get-document", "d-", "documents", false, bySource, templates[document]},
	{"EMPLOYMENTS", "employments", "list-employments", "get-employment", "e-", "employments", false, byDate, templates[employment]},
	{"INCOMES", "incomes", "list-incomes", "get-income", "inc-", "incomes", false, byDate, templates[income]},
	{"CONTRIBUTIONS", "contributions", "list-contributions", "get-contribution", "con-", "contributions", false, byDate, templates[contribution]},
	{"LIABILITIES", "liabilities", "list-liabilities", "get-liabilities", "lia-", "liabilities", false, byDate, templates[liability]},
	{"TRANSACTIONS", "transactions", "list-transactions", "get-transaction", "t-", "transactions", false, byDate, templates[transaction]},
	{"EINCOMES", "eincomes", "list-eincomes", "get-eincomes", "einc-", "eincomes", false, byMonth, templates[eincome]},
	{"INSIGHTS", "insights", "list-insights", "get-feature-insight", "insight-", "insight", true, bySource, templates[insight]},
	{"LINK", "links", "list-links", "get-link", "link-", "links", false, bySource, templates[link]},
}

// template is an item before an account has its own copy of it.
type template struct {
	on    string // what date filters compare, "" when the item has no date
	value any
	// mark gives the JSON of a copy of value with a canary in each personal field.
	mark func(*canary.Marker) json.RawMessage
}

func templates[T any](text json.RawMessage) ([]template, error) {
	var values []T
	if err := wire.DecodeStrictly(text, &values); err != nil {
		return nil, err
	}
	made := make([]template, len(values))
	for i, value := range values {
		made[i] = newTemplate(value)
	}
	return made, nil
}

func newTemplate[T any](value T) template {
	t := template{value: value, mark: func(c *canary.Marker) json.RawMessage { return canary.Mark(c, value) }}
	if d, ok := any(value).(dated); ok {
		t.on = d.on()
	}
	return t
}

// grown is the template n months later, for items that come every month.
func (t template) grown(n int) template {
	switch later := t.value.(recurring).later(n).(type) {
	case contribution:
		return newTemplate(later)
	case income:
		return newTemplate(later)
	case transaction:
		return newTemplate(later)
	case eincome:
		return newTemplate(later)
	default:
		panic(fmt.Sprintf("no template of %T", later))
	}
}
