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
	"github.com/smile-operator/smile-operator/internal/engine"
)

// MaxBytes is how much an output may hold: etcd refuses objects above 1.5 MiB, and a Secret is stored with its
// managed fields and metadata.
const MaxBytes = 900 << 10

// IndexKey is the key under which an output tells what it holds.
const IndexKey = "index.json"

// Account is the data of one linked account.
type Account struct {
	ID         string
	ProviderID string
	// DataAsOf is when Smile had finished gathering the data.
	DataAsOf time.Time
	// Items by datapoint, as Smile sent them.
	Items map[v1alpha1.DatapointType][]json.RawMessage
}

// Render makes the content of an output: for each datapoint <type>.json, a list of the items of all accounts, each
// with its accountId and providerId, and index.json. The JSON is canonical: the same data always gives the same
// bytes, and numbers keep the decimals that Smile sent. Without an account only the index is left, which then says
// that what was there is gone.
func Render(accounts []Account, datapoints []v1alpha1.Datapoint) (Content, error) {
	accounts = slices.SortedFunc(slices.Values(accounts), func(a, b Account) int { return cmp.Compare(a.ID, b.ID) })
	content := Content{}
	for _, datapoint := range datapoints {
		if len(accounts) == 0 {
			break
		}
		items, err := collect(accounts, datapoint)
		if err != nil {
			return nil, err
		}
		data, err := canonical(items)
		if err != nil {
			return nil, err
		}
		content[key(datapoint.Type)] = data
	}
	index, err := canonical(indexOf(accounts, datapoints))
	if err != nil {
		return nil, err
	}
	content[IndexKey] = index
	if size := content.size(); size > MaxBytes {
		return nil, tooLarge()
	}
	return content, nil
}

func (c Content) size() int {
	size := 0
	for key, value := range c {
		size += len(key) + len(value)
	}
	return size
}

func tooLarge() error {
	return engine.NewInvalid(v1alpha1.ReasonOutputTooLarge,
		"the data is more than one object may hold (900 KiB): select fewer datapoints, or fields of them")
}

func key(datapoint v1alpha1.DatapointType) string {
	return strings.ToLower(string(datapoint)) + ".json"
}

func collect(accounts []Account, datapoint v1alpha1.Datapoint) ([]any, error) {
	items := []any{}
	for _, account := range accounts {
		for _, raw := range account.Items[datapoint.Type] {
			item, err := decodeObject(raw)
			if err != nil {
				return nil, fmt.Errorf("%s of an account: %w", datapoint.Type, err)
			}
			delete(item, "metadata")
			if len(datapoint.Fields) > 0 {
				item = Project(item, datapoint.Fields)
			}
			item["accountId"], item["providerId"] = account.ID, account.ProviderID
			items = append(items, item)
		}
	}
	return items, nil
}

type indexDocument struct {
	Accounts []indexAccount `json:"accounts"`
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

// canonical writes JSON with sorted keys, two spaces of indent and a newline at the end, for people read it too.
func canonical(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return nil, errItem
	}
	return buffer.Bytes(), nil
}

type documentError string

func (e documentError) Error() string { return string(e) }

const errItem documentError = "an item that is not a JSON object"
