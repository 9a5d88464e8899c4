package output

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

const transactions = v1alpha1.DatapointType("TRANSACTIONS")

// large is an account with n transactions of a size each, and one income.
func large(id string, n, size int) Account {
	a := account(id, `{"income":1}`)
	for i := range n {
		a.Items[transactions] = append(a.Items[transactions], json.RawMessage(fmt.Sprintf(`{"n":%d,"amount":1.50,"text":"%s"}`, i, strings.Repeat("x", size))))
	}
	return a
}

var two = []v1alpha1.Datapoint{{Type: transactions}, {Type: incomes}}

func TestALargeOutputIsSplitAndReadsBackWhole(t *testing.T) {
	t.Parallel()
	set, err := Render([]Account{large("b", 900, 1000), large("a", 1100, 1000)}, two, data, testKey)
	if err != nil {
		t.Fatal(err)
	}
	if len(set) != 3 || PartsOf(set[0]) != 3 {
		t.Fatalf("%d objects, of which the index knows %d", len(set), PartsOf(set[0]))
	}
	var index indexDocument
	if err := json.Unmarshal(set[0][IndexKey], &index); err != nil {
		t.Fatal(err)
	}
	parts := []indexPart{{"data-part-2", []string{"transactions.json"}}, {"data-part-3", []string{"incomes.json", "transactions.json"}}}
	if diff := cmp.Diff(parts, index.Parts); diff != "" {
		t.Error(diff)
	}
	for i, content := range set {
		if content.size() > MaxBytes {
			t.Errorf("object %d holds %d bytes", i, content.size())
		}
		for key, value := range content {
			if !json.Valid(value) {
				t.Errorf("%s of object %d is no JSON", key, i)
			}
		}
	}
	if !set.Sealed(testKey, set.Fingerprint(testKey)) {
		t.Error("it is not sealed")
	}
	again, err := Render(set.Accounts(), two, data, testKey)
	if diff := cmp.Diff(set, again); diff != "" || err != nil {
		t.Errorf("the output that was read back renders differently: %v", err)
	}
}

func TestNoOutputIsSplitForEver(t *testing.T) {
	t.Parallel()
	if _, err := Render([]Account{large("a", 2, partBytes)}, two, data, testKey); !problem.Is(err, v1alpha1.ReasonOutputTooLarge) {
		t.Errorf("an item that no part can hold: %v", err)
	}
	if _, err := Render([]Account{large("a", MaxParts+1, partBytes-1000)}, two, data, testKey); !problem.Is(err, v1alpha1.ReasonOutputTooLarge) {
		t.Errorf("more than the largest number of parts: %v", err)
	}
	if set, err := Render([]Account{large("a", MaxParts, partBytes-1000)}, two, data, testKey); err != nil || len(set) != MaxParts {
		t.Errorf("%d parts: %v", len(set), err)
	}
}

// Whatever is changed by hand, in whichever part, breaks the seal.
func TestTheSealBreaks(t *testing.T) {
	t.Parallel()
	render := func() Set {
		set, err := Render([]Account{large("a", 1000, 1000)}, two, data, testKey)
		if err != nil || len(set) != 2 {
			t.Fatalf("%d: %v", len(set), err)
		}
		return set
	}
	whole := render()
	fingerprint := whole.Fingerprint(testKey)
	for name, spoil := range map[string]func(Set){
		"a document":      func(s Set) { s[0]["transactions.json"] = []byte("[]\n") },
		"a key less":      func(s Set) { delete(s[1], "incomes.json") },
		"a key more":      func(s Set) { s[1]["note"] = nil },
		"no index":        func(s Set) { delete(s[0], IndexKey) },
		"the index":       func(s Set) { s[0][IndexKey] = append([]byte(" "), s[0][IndexKey]...) },
		"its fingerprint": func(s Set) { s[0][IndexKey] = []byte(strings.Replace(string(s[0][IndexKey]), fingerprint, "0123", 1)) },
		"a part's":        func(s Set) { s[1][PartKey] = []byte(strings.Replace(string(s[1][PartKey]), fingerprint, "0123", 1)) },
		"no part":         func(s Set) { s[1] = nil },
		"parts swapped":   func(s Set) { s[0], s[1] = s[1], s[0] },
	} {
		set := render()
		spoil(set)
		if set.Sealed(testKey, fingerprint) {
			t.Errorf("%s: still sealed", name)
		}
	}
	if !whole.Sealed(testKey, fingerprint) || whole.Sealed(testKey, "") || Set(nil).Sealed(testKey, fingerprint) {
		t.Error("the seal is refused, or a wrong one is accepted")
	}
}

// What was selected once is selected again by the same fields, whatever they were.
func TestWhatIsHeldRendersTheSameAgain(t *testing.T) {
	t.Parallel()
	item := `{"a":[{"x":1.0,"y":null},{"x":2},{"x":3}],"b":{"c":[1,2,3]},"d":null}`
	paths := []v1alpha1.FieldPath{"a", "a[].x", "a[1].x", "a[2]", "b.c[1]", "b", "d", "a[0].y"}
	random := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		var fields []v1alpha1.FieldPath
		for _, path := range paths {
			if random.IntN(2) == 0 {
				fields = append(fields, path)
			}
		}
		set, err := Render([]Account{account("a", item)}, asked(incomes, fields...), data, testKey)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Render(set.Accounts(), asked(incomes, fields...), data, testKey)
		if diff := cmp.Diff(set, again); diff != "" || err != nil {
			t.Fatalf("%v: %v\n%s", fields, err, diff)
		}
	}
}

func TestDamagedOutputsReadAsNothing(t *testing.T) {
	t.Parallel()
	for _, set := range []Set{nil, {nil}, {{}}, {{IndexKey: []byte("{")}}, {{IndexKey: []byte("[]")}}} {
		if got := set.Accounts(); len(got) != 0 {
			t.Errorf("%v holds %v", set, got)
		}
	}
	set := Set{{IndexKey: []byte(`{"accounts":[{"id":"a","items":{"INCOMES":2}}]}`), "incomes.json": []byte(`[7,{"accountId":"b"},{"accountId":"a","n":1.0}]`)}}
	got := set.Accounts()
	if len(got) != 1 || len(got[0].Items[incomes]) != 1 || string(got[0].Items[incomes][0]) != `{"accountId":"a","n":1.0}` {
		t.Errorf("got %v", got)
	}
}
