package output

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
)

var (
	fetchedAt = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	facts     = Facts{UserID: "u-1", Accounts: []AccountFacts{{
		ID: "a", ProviderID: "sss_ph", FetchedAt: map[v1alpha1.DatapointType]time.Time{incomes: fetchedAt},
		DataAsOf: fetchedAt.Add(-time.Hour), FinishedTasks: 2, RevokeAcknowledgedAt: fetchedAt.Add(time.Minute),
	}}}
)

func rendered(t *testing.T, accounts ...Account) Set {
	t.Helper()
	set, err := Render(accounts, []v1alpha1.Datapoint{{Type: incomes}}, data, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestASealGivesBackItsFacts(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]Set{"data": rendered(t, account("a", `{"income":1}`)), "an empty index": rendered(t)} {
		got, ok := set.Unseal(testKey, "shop", data, set.Seal(testKey, "shop", data, facts))
		if diff := cmp.Diff(facts, got); diff != "" || !ok {
			t.Errorf("%s: %v %s", name, ok, diff)
		}
	}
}

func TestTheSealCountsInSeconds(t *testing.T) {
	t.Parallel()
	set, finer := rendered(t), facts
	finer.Accounts = []AccountFacts{facts.Accounts[0]}
	finer.Accounts[0].FetchedAt = map[v1alpha1.DatapointType]time.Time{incomes: fetchedAt.Add(time.Millisecond).Local()}
	if set.Seal(testKey, "shop", data, finer) != set.Seal(testKey, "shop", data, facts) {
		t.Error("a status forgets fractions of seconds, the seal does not")
	}
	if finer.Accounts[0].FetchedAt[incomes].Nanosecond() == 0 {
		t.Error("the facts were changed")
	}
}

func TestASealHoldsForOneOutputOnly(t *testing.T) {
	t.Parallel()
	set := rendered(t, account("a", `{"income":1}`))
	text := set.Seal(testKey, "shop", data, facts)
	otherKey, _ := identity.NewKey()
	configMap := Target{Kind: ConfigMap, Name: data.Name}
	for name, holds := range map[string]func() bool{
		"another namespace": func() bool { _, ok := set.Unseal(testKey, "other", data, text); return ok },
		"another name":      func() bool { _, ok := set.Unseal(testKey, "shop", Target{data.Kind, "maria"}, text); return ok },
		"another kind":      func() bool { _, ok := set.Unseal(testKey, "shop", configMap, text); return ok },
		"another key":       func() bool { _, ok := set.Unseal(otherKey, "shop", data, text); return ok },
		"no seal":           func() bool { _, ok := set.Unseal(testKey, "shop", data, ""); return ok },
		"no object":         func() bool { _, ok := Set(nil).Unseal(testKey, "shop", data, text); return ok },
		"another user": func() bool {
			_, ok := set.Unseal(testKey, "shop", data, strings.Replace(text, "u-1", "u-2", 1))
			return ok
		},
		"a later fetch": func() bool {
			_, ok := set.Unseal(testKey, "shop", data, strings.Replace(text, "2026-05-01T12:00:00Z", "2027-05-01T12:00:00Z", 1))
			return ok
		},
		"another version": func() bool {
			_, ok := set.Unseal(testKey, "shop", data, strings.Replace(text, `"version":2`, `"version":3`, 1))
			return ok
		},
		"an empty index": func() bool { _, ok := rendered(t).Unseal(testKey, "shop", data, text); return ok },
		"edited": func() bool {
			edited := Set{maps.Clone(set[0])}
			edited[0]["incomes.json"] = bytes.Replace(edited[0]["incomes.json"], []byte(`1`), []byte(`2`), 1)
			_, ok := edited.Unseal(testKey, "shop", data, text)
			return ok
		},
	} {
		if holds() {
			t.Errorf("it holds for %s", name)
		}
	}
}

func TestAnEmptyIndexCannotBeForged(t *testing.T) {
	t.Parallel()
	forged := Set{Content{IndexKey: []byte("{\n  \"accounts\": []\n}\n")}}
	raw, err := json.Marshal(sealDocument{sealVersion, json.RawMessage(`{"user":"u-1"}`), forged.Fingerprint(identity.Key{})})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := forged.Unseal(testKey, "shop", data, string(raw)); ok {
		t.Error("the forged seal was accepted")
	}
}

// A facts document of a later version is covered as it stands, with what this version does not know.
func TestASealOfALaterVersionsFactsHolds(t *testing.T) {
	t.Parallel()
	set := rendered(t)
	raw := []byte(`{"user":"u-1","purpose":"loans"}`)
	text, err := json.Marshal(sealDocument{sealVersion, raw, set.sealCode(testKey, "shop", data, raw)})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := set.Unseal(testKey, "shop", data, string(text)); !ok || got.UserID != "u-1" {
		t.Errorf("%v %+v", ok, got)
	}
	if _, ok := set.Unseal(testKey, "shop", data, strings.Replace(string(text), "loans", "other", 1)); ok {
		t.Error("a field that this version does not know can be changed")
	}
}

// The index and its fingerprint are what they were before there were seals, so that a former binary sees nothing edited.
func TestTheContentIsThatOfFormerVersions(t *testing.T) {
	t.Parallel()
	key, err := identity.ParseKey(bytes.Repeat([]byte{7}, identity.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	held := account("a", `{"income":1}`)
	held.DataAsOf = fetchedAt
	set, err := Render([]Account{held}, []v1alpha1.Datapoint{{Type: incomes}}, data, key)
	if err != nil {
		t.Fatal(err)
	}
	index := `{
  "accounts": [
    {
      "id": "a",
      "providerId": "p-a",
      "dataAsOf": "2026-05-01T12:00:00Z",
      "items": {
        "INCOMES": 1
      }
    }
  ],
  "fingerprint": "FINGERPRINT"
}
`
	index = strings.Replace(index, "FINGERPRINT", set.Fingerprint(key), 1)
	if diff := cmp.Diff(index, string(set[0][IndexKey])); diff != "" || len(set[0]) != 2 {
		t.Error(diff)
	}
	if got := set.Fingerprint(key); got != "AXVOFvBpoe0fZVF1FO8tOM" {
		t.Errorf("the fingerprint is %s", got)
	}
}

func TestForeignKeysTakeNothingFromOurs(t *testing.T) {
	t.Parallel()
	set := rendered(t, account("a", `{"income":1}`))
	added := Set{maps.Clone(set[0])}
	added[0]["note.txt"] = []byte("theirs")
	if diff := cmp.Diff(set, added.Own()); diff != "" {
		t.Error(diff)
	}
	if len(added[0]) != 3 {
		t.Error("the content was changed")
	}
	if set.Own() == nil || !set.Own().Consistent(testKey) || added.Consistent(testKey) || rendered(t).Consistent(testKey) {
		t.Error("a set without its own fingerprint is consistent, or one with it is not")
	}
}
