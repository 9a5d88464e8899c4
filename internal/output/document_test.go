package output

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/problem"
)

const incomes = v1alpha1.DatapointType("INCOMES")

func asked(datapoint v1alpha1.DatapointType, fields ...v1alpha1.FieldPath) []v1alpha1.Datapoint {
	return []v1alpha1.Datapoint{{Type: datapoint, Fields: fields}}
}

func account(id string, items ...string) Account {
	a := Account{ID: id, ProviderID: "p-" + id, Items: map[v1alpha1.DatapointType][]json.RawMessage{}}
	for _, item := range items {
		a.Items[incomes] = append(a.Items[incomes], json.RawMessage(item))
	}
	return a
}

func render(t *testing.T, accounts []Account, datapoints []v1alpha1.Datapoint) map[string]string {
	t.Helper()
	set, err := Render(accounts, datapoints, data, testKey)
	if err != nil {
		t.Fatal(err)
	}
	if len(set) != 1 {
		t.Fatalf("%d objects", len(set))
	}
	text := map[string]string{}
	for key, value := range set[0] {
		text[key] = string(withoutSeal(value))
	}
	return text
}

// data is an output, and seal what its index ends with, the fingerprint aside.
var (
	data       = Target{Kind: Secret, Name: "data"}
	testKey, _ = identity.NewKey()
)

const seal = ",\n  \"fingerprint\": \"\"\n}\n"

func TestRender(t *testing.T) {
	t.Parallel()
	one := account("a1", `{"b": 1, "a": "<&>", "metadata": {"sourceId": "x"}, "inner": {"metadata": 1}}`, `{"b": 2, "accountId": "forged"}`)
	one.DataAsOf = time.Date(2026, 5, 1, 10, 0, 0, 999, time.FixedZone("PHT", 8*3600))
	two := account("a2")
	empty := `"items": {
        "INCOMES": 0
      }`
	for name, c := range map[string]struct {
		accounts   []Account
		datapoints []v1alpha1.Datapoint
		want       map[string]string
	}{
		"two accounts, one without items": {
			[]Account{two, one},
			asked(incomes),
			map[string]string{
				"incomes.json": `[
  {
    "a": "<&>",
    "accountId": "a1",
    "b": 1,
    "inner": {
      "metadata": 1
    },
    "providerId": "p-a1"
  },
  {
    "accountId": "a1",
    "b": 2,
    "providerId": "p-a1"
  }
]
`,
				"index.json": `{
  "accounts": [
    {
      "id": "a1",
      "providerId": "p-a1",
      "dataAsOf": "2026-05-01T02:00:00Z",
      ` + strings.Replace(empty, "0", "2", 1) + `
    },
    {
      "id": "a2",
      "providerId": "p-a2",
      ` + empty + `
    }
  ]` + seal,
			},
		},
		"some fields; metadata cannot be one": {
			[]Account{one},
			asked(incomes, "b", "metadata.sourceId"),
			map[string]string{
				"incomes.json": "[\n  {\n    \"accountId\": \"a1\",\n    \"b\": 1,\n    \"providerId\": \"p-a1\"\n  },\n" +
					"  {\n    \"accountId\": \"a1\",\n    \"b\": 2,\n    \"providerId\": \"p-a1\"\n  }\n]\n",
				"index.json": "{\n  \"accounts\": [\n    {\n      \"id\": \"a1\",\n      \"providerId\": \"p-a1\",\n" +
					"      \"dataAsOf\": \"2026-05-01T02:00:00Z\",\n      \"items\": {\n        \"INCOMES\": 2\n      }\n    }\n  ]" + seal,
			},
		},
		"an account without items": {
			[]Account{two},
			asked(incomes),
			map[string]string{
				"incomes.json": "[]\n",
				"index.json": "{\n  \"accounts\": [\n    {\n      \"id\": \"a2\",\n      \"providerId\": \"p-a2\",\n" +
					"      \"items\": {\n        \"INCOMES\": 0\n      }\n    }\n  ]" + seal,
			},
		},
		"no account": {nil, asked(incomes), map[string]string{"index.json": "{\n  \"accounts\": []\n}\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, render(t, c.accounts, c.datapoints)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Numbers are amounts of money: they come out as they went in, whatever a float64 would make of them.
func TestRenderKeepsNumbersAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, number := range []string{
		"222.0000", "7820.25", "0.10", "-0", "-0.00", "1e400", "1E+2", "9007199254740993",
		"123456789012345678901234567890", "0.1000000000000000055511151231257827",
	} {
		for _, datapoints := range [][]v1alpha1.Datapoint{asked(incomes), asked(incomes, "n[].v")} {
			got := render(t, []Account{account("a", `{"n":[{"v":`+number+`}]}`)}, datapoints)["incomes.json"]
			if !strings.Contains(got, `"v": `+number+"\n") {
				t.Errorf("%s became %s", number, got)
			}
		}
	}
}

// The same data gives the same bytes: in whatever order accounts come, and however Smile spells the objects.
func TestRenderIsCanonical(t *testing.T) {
	t.Parallel()
	accounts := []Account{
		account("c", `{"x": 1, "y": {"p": 1, "q": 2}}`), account("a", `{"x": 2}`, `{"x": 3}`), account("b"),
	}
	want := render(t, accounts, asked(incomes))
	shuffle := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		given := slices.Clone(accounts)
		shuffle.Shuffle(len(given), func(i, j int) { given[i], given[j] = given[j], given[i] })
		order := slices.Clone(given)
		if diff := cmp.Diff(want, render(t, given, asked(incomes))); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(order, given); diff != "" {
			t.Fatalf("the caller's list was sorted:\n%s", diff)
		}
	}
	respelled := slices.Clone(accounts)
	respelled[0] = account("c", "{ \"y\":{\"q\":2,\n\"p\":1},\"\\u0078\":1}")
	if diff := cmp.Diff(want, render(t, respelled, asked(incomes))); diff != "" {
		t.Error(diff)
	}
}

// Accounts and datapoints share what they were decoded from; neither shows in another.
func TestRenderKeepsTheItemsOfEachAccountApart(t *testing.T) {
	t.Parallel()
	shared := []json.RawMessage{json.RawMessage(`{"l": [{"a": 1}, {"b": 2}]}`)}
	items := map[v1alpha1.DatapointType][]json.RawMessage{incomes: shared, "EINCOMES": shared}
	accounts := []Account{{ID: "1", ProviderID: "p", Items: items}, {ID: "2", ProviderID: "q", Items: items}}
	both := []v1alpha1.Datapoint{{Type: incomes, Fields: []v1alpha1.FieldPath{"l[0]", "l[1].b"}}, {Type: "EINCOMES"}}
	got := render(t, accounts, both)
	for file, want := range map[string]string{
		"incomes.json":  `[{"accountId":"1","l":[{"a":1},{"b":2}],"providerId":"p"},{"accountId":"2","l":[{"a":1},{"b":2}],"providerId":"q"}]`,
		"eincomes.json": `[{"accountId":"1","l":[{"a":1},{"b":2}],"providerId":"p"},{"accountId":"2","l":[{"a":1},{"b":2}],"providerId":"q"}]`,
	} {
		var compact, wanted any
		if json.Unmarshal([]byte(got[file]), &compact) != nil || json.Unmarshal([]byte(want), &wanted) != nil || !cmp.Equal(wanted, compact) {
			t.Errorf("%s is %s", file, got[file])
		}
	}
	if string(shared[0]) != `{"l": [{"a": 1}, {"b": 2}]}` {
		t.Errorf("the item became %s", shared[0])
	}
}

func TestRenderRefusesWhatNoObjectCanHold(t *testing.T) {
	t.Parallel()
	sized := func(bytes int) error {
		_, err := Render([]Account{account("a", `{"v":"`+strings.Repeat("x", bytes)+`"}`)}, asked(incomes), data, testKey)
		return err
	}
	if err := sized(MaxBytes - 1024); err != nil {
		t.Errorf("just below the bound: %v", err)
	}
	err := sized(MaxBytes)
	if !problem.Is(err, v1alpha1.ReasonOutputTooLarge) {
		t.Errorf("above the bound: %v", err)
	}
	if err == nil || strings.Contains(err.Error(), "xx") {
		t.Errorf("the error quotes the data: %v", err)
	}
}

func TestErrorsQuoteNothingOfTheData(t *testing.T) {
	t.Parallel()
	for _, item := range []string{
		`CNRY`, `"CNRY"`, `["CNRY"]`, `{"name": "CNRY"`, `{"name": CNRY}`, `{"CNRY"}`, `null`, ``, `{"n": 01234567}`, "{\"a\": \"CNRY\x01\"}",
	} {
		_, err := Render([]Account{account("a", `{}`, item)}, asked(incomes), data, testKey)
		if err == nil {
			t.Errorf("%q was accepted", item)
			continue
		}
		for cause := err; cause != nil; cause = errors.Unwrap(cause) {
			if text := fmt.Sprintf("%v %+v %#v", cause, cause, cause); strings.Contains(text, "CNRY") || strings.Contains(text, "0123") {
				t.Errorf("%q is quoted: %s", item, text)
			}
		}
	}
}

func FuzzRender(f *testing.F) {
	f.Add(`{"n": 222.0000, "metadata": {"x": 1}}`)
	f.Add(person)
	f.Fuzz(func(t *testing.T, item string) {
		set, err := Render([]Account{account("a", item)}, asked(incomes), data, testKey)
		if err != nil || len(set) != 1 {
			return
		}
		content := set[0]
		var rendered []json.RawMessage
		if err := json.Unmarshal(content["incomes.json"], &rendered); err != nil || len(rendered) != 1 {
			t.Fatalf("%q gives %s: %v", item, content["incomes.json"], err)
		}
		again, err := Render([]Account{account("a", string(rendered[0]))}, asked(incomes), data, testKey)
		if err != nil || len(again) != 1 || !content.Equal(again[0]) {
			t.Fatalf("%q is not canonical after one rendering", item)
		}
	})
}
