package output

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
)

// IndexKey is the key of the document that lists what an output holds.
const IndexKey = "index.json"

// Account is the data of one linked account.
type Account struct {
	ID         string
	ProviderID string
	// DataAsOf is when Smile had finished gathering the data.
	DataAsOf time.Time
	// Items by datapoint: as Smile sent them, or as an output holds them.
	Items map[v1alpha1.DatapointType][]json.RawMessage
	// Held is true for data that was read from an output: its fields were selected already.
	Held bool
}

// Set is the content of an output: of the object that the spec names, and of further objects if one is not enough.
type Set []Content

// Render makes the content of an output: for each datapoint <type>.json, a list of the items of all accounts, each with its
// accountId and providerId, and index.json. The JSON is canonical: the same data always gives the same bytes, and numbers
// keep the decimals that Smile sent. Without accounts there is only the index, which then says that there is no data any
// more.
func Render(accounts []Account, datapoints []v1alpha1.Datapoint, target Target, key identity.Key) (Set, error) {
	accounts = slices.SortedFunc(slices.Values(accounts), func(a, b Account) int { return cmp.Compare(a.ID, b.ID) })
	index := indexOf(accounts, datapoints)
	if len(accounts) == 0 {
		return single(index, nil, key)
	}
	var documents []document
	for _, datapoint := range datapoints {
		items, err := collect(accounts, datapoint)
		if err != nil {
			return nil, err
		}
		documents = append(documents, document{documentKey(datapoint.Type), items})
	}
	whole, err := single(index, documents, key)
	if err != nil || whole[0].size() <= MaxBytes {
		return whole, err
	}
	return split(index, documents, target, key)
}

// single puts everything into one object.
func single(index indexDocument, documents []document, key identity.Key) (Set, error) {
	content := Content{}
	for _, d := range documents {
		content[d.key] = joined(d.items)
	}
	return sealed(Set{content}, index, Target{}, key)
}

func (c Content) size() int {
	size := 0
	for key, value := range c {
		size += len(key) + len(value)
	}
	return size
}

// Blank is content under the keys that an output of these datapoints has, for a dry run.
func Blank(datapoints []v1alpha1.Datapoint) Content {
	content := Content{IndexKey: []byte("{}\n")}
	for _, datapoint := range datapoints {
		content[documentKey(datapoint.Type)] = joined(nil)
	}
	return content
}

func documentKey(datapoint v1alpha1.DatapointType) string {
	return strings.ToLower(string(datapoint)) + ".json"
}

// document is what is written under one key: a list, of which each item is canonical JSON.
type document struct {
	key   string
	items [][]byte
}

// joined is the list of the items, as canonical JSON.
func joined(items [][]byte) []byte {
	if len(items) == 0 {
		return []byte("[]\n")
	}
	return slices.Concat([]byte("[\n  "), bytes.Join(items, []byte(",\n  ")), []byte("\n]\n"))
}

func collect(accounts []Account, datapoint v1alpha1.Datapoint) ([][]byte, error) {
	var items [][]byte
	for _, account := range accounts {
		fields := datapoint.Selected()
		if account.Held {
			fields = ofSelected(fields)
		}
		for _, raw := range account.Items[datapoint.Type] {
			item, err := decodeObject(raw)
			if err != nil {
				return nil, fmt.Errorf("%s of an account: %w", datapoint.Type, err)
			}
			delete(item, "metadata")
			if len(fields) > 0 {
				item = Project(item, fields)
			}
			item["accountId"], item["providerId"] = account.ID, account.ProviderID
			text, err := canonical(item, "  ")
			if err != nil {
				return nil, err
			}
			items = append(items, bytes.TrimSpace(text))
		}
	}
	return items, nil
}

type indexDocument struct {
	Accounts    []indexAccount `json:"accounts"`
	Fingerprint *string        `json:"fingerprint,omitempty"`
	Parts       []indexPart    `json:"parts,omitempty"`
}

type indexAccount struct {
	ID         string         `json:"id"`
	ProviderID string         `json:"providerId"`
	DataAsOf   string         `json:"dataAsOf,omitempty"`
	Items      map[string]int `json:"items"`
}

func indexOf(accounts []Account, datapoints []v1alpha1.Datapoint) indexDocument {
	index := indexDocument{Accounts: []indexAccount{}}
	for _, account := range accounts {
		entry := indexAccount{ID: account.ID, ProviderID: account.ProviderID, Items: map[string]int{}}
		if !account.DataAsOf.IsZero() {
			entry.DataAsOf = account.DataAsOf.UTC().Format(time.RFC3339)
		}
		for _, datapoint := range datapoints {
			entry.Items[string(datapoint.Type)] = len(account.Items[datapoint.Type])
		}
		index.Accounts = append(index.Accounts, entry)
	}
	return index
}

// Accounts reads the data in an output. Data that cannot be read is left out.
func (s Set) Accounts() []Account {
	if len(s) == 0 {
		return nil
	}
	var index indexDocument
	if json.Unmarshal(s[0][IndexKey], &index) != nil {
		return nil
	}
	var accounts []Account
	for _, entry := range index.Accounts {
		account := Account{ID: entry.ID, ProviderID: entry.ProviderID, Held: true, Items: map[v1alpha1.DatapointType][]json.RawMessage{}}
		account.DataAsOf, _ = time.Parse(time.RFC3339, entry.DataAsOf)
		for datapoint := range entry.Items {
			account.Items[v1alpha1.DatapointType(datapoint)] = s.items(v1alpha1.DatapointType(datapoint), entry.ID)
		}
		accounts = append(accounts, account)
	}
	return accounts
}

func (s Set) items(datapoint v1alpha1.DatapointType, accountID string) []json.RawMessage {
	var found []json.RawMessage
	for _, content := range s {
		var items []json.RawMessage
		if json.Unmarshal(content[documentKey(datapoint)], &items) != nil {
			continue
		}
		for _, item := range items {
			var of struct {
				AccountID string `json:"accountId"`
			}
			if json.Unmarshal(item, &of) == nil && of.AccountID == accountID {
				found = append(found, item)
			}
		}
	}
	return found
}

// decodeObject reads an item with its numbers as they are written. Its errors quote nothing of the data.
func decodeObject(raw json.RawMessage) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var item map[string]any
	if decoder.Decode(&item) != nil || item == nil {
		return nil, errItem
	}
	return item, nil
}

// canonical writes JSON with sorted keys, an indent of two spaces and a newline at the end, because people read it too.
func canonical(value any, prefix string) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent(prefix, "  ")
	if err := encoder.Encode(value); err != nil {
		return nil, errItem
	}
	return buffer.Bytes(), nil
}

type documentError string

func (e documentError) Error() string { return string(e) }

const errItem documentError = "an item that is not a JSON object"
