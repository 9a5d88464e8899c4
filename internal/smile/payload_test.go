package smile_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/smile"
)

func TestItemsOfEveryDatapoint(t *testing.T) {
	paths := map[smile.Datapoint]string{
		smile.Identities: "identities", smile.Employments: "employments", smile.Incomes: "incomes",
		smile.Contributions: "contributions", smile.EIncomes: "eincomes", smile.Transactions: "transactions",
		smile.Documents: "documents", smile.Ratings: "ratings", smile.Liabilities: "liabilities",
		smile.Links: "links", smile.Insights: "insights",
	}
	if len(smile.Datapoints()) != len(paths) {
		t.Errorf("%d datapoints, want %d", len(smile.Datapoints()), len(paths))
	}
	for _, point := range smile.Datapoints() {
		t.Run(string(point), func(t *testing.T) {
			content := `{ "id":"x-1", "amount":222.0000,"empty":null,"big":12345678901234567890.10,"metadata":` + sourceJSON + `}`
			doer := scripted(t, `{"items":[`+content+`]}`)
			got, err := collect(clientOf(doer).Items(t.Context(), point, smile.ItemFilter{UserID: "t-1", SourceID: "a-1"}))
			if err != nil {
				t.Fatal(err)
			}
			want := item("x-1", content)
			want.Source = source
			if diff := cmp.Diff([]smile.Item{want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if string(got[0].Content.Reveal()) != content {
				t.Errorf("content %s", got[0].Content.Reveal())
			}
			target := "GET /v1/" + paths[point] + "?size=150&sourceId=a-1&userId=t-1"
			if diff := cmp.Diff([]string{target}, doer.targets()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			operation, _ := smile.OperationFrom(doer.requests[0].Context())
			if operation.ID != "list-"+paths[point] {
				t.Errorf("operation %s", operation.ID)
			}
		})
	}
}

func TestAccountPayload(t *testing.T) {
	type items = map[smile.Datapoint][]smile.Item
	none := []smile.Item{}
	tests := []struct {
		name, answer string
		want         smile.AccountPayload
	}{
		{"nothing", `{}`, smile.AccountPayload{Items: items{}}},
		{"nulls", `{"metadata":null,"identity":null,"incomes":null,"links":null,"insight":null}`, smile.AccountPayload{Items: items{}}},
		{"unknown keys", `{"horoscope":[{"id":"h"}],"forms":7}`, smile.AccountPayload{Items: items{}}},
		{"empty lists", `{"incomes":[],"links":{"nextCursor":null,"items":[]}}`, smile.AccountPayload{Items: items{smile.Incomes: none, smile.Links: none}}},
		{"null items", `{"incomes":{"nextCursor":null,"items":null}}`, smile.AccountPayload{Items: items{smile.Incomes: none}}},
		{"arrays", `{"incomes":[{"id":"1"},{"id":"2","x":1.10}]}`, smile.AccountPayload{Items: items{smile.Incomes: {item("1", `{"id":"1"}`), item("2", `{"id":"2","x":1.10}`)}}}},
		{
			"pages", `{"incomes":{"nextCursor":null,"items":[{"id":"1"}]},"liabilities":{"items":[{"id":"2"}],"nextCursor":""}}`,
			smile.AccountPayload{Items: items{smile.Incomes: {item("1", `{"id":"1"}`)}, smile.Liabilities: {item("2", `{"id":"2"}`)}}},
		},
		{
			"cut page", `{"incomes":{"nextCursor":"300","items":[{"id":"1"}]}}`,
			smile.AccountPayload{Items: items{smile.Incomes: {item("1", `{"id":"1"}`)}}, Cut: map[smile.Datapoint]bool{smile.Incomes: true}},
		},
		{
			"single objects", `{"identity":{"id":"i"},"rating":{"id":"r"},"insight":{"id":"n","features":{"a":-999}}}`,
			smile.AccountPayload{Items: items{
				smile.Identities: {item("i", `{"id":"i"}`)}, smile.Ratings: {item("r", `{"id":"r"}`)},
				smile.Insights: {item("n", `{"id":"n","features":{"a":-999}}`)},
			}},
		},
		{"a list of identities", `{"identity":[{"id":"i"}]}`, smile.AccountPayload{Items: items{smile.Identities: {item("i", `{"id":"i"}`)}}}},
		{"items without id", `{"incomes":[{"amount":1}]}`, smile.AccountPayload{Items: items{smile.Incomes: {item("", `{"amount":1}`)}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := clientOf(scripted(t, test.answer)).AccountPayload(t.Context(), "a-1")
			if err != nil {
				t.Fatal(err)
			}
			if test.want.Cut == nil {
				test.want.Cut = map[smile.Datapoint]bool{}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAccountPayloadRefuses(t *testing.T) {
	tests := []struct {
		answer string
		want   smile.Problem
	}{
		{`[]`, smile.ProblemWrongType},
		{`{"metadata":[]}`, smile.ProblemWrongType},
		{`{"metadata":{"sourceId":"a/b"}}`, smile.ProblemBadID},
		{`{"incomes":7}`, smile.ProblemWrongType},
		{`{"incomes":"text"}`, smile.ProblemWrongType},
		{`{"incomes":[7]}`, smile.ProblemWrongType},
		{`{"incomes":[null]}`, smile.ProblemWrongType},
		{`{"incomes":[[]]}`, smile.ProblemWrongType},
		{`{"incomes":{"items":7}}`, smile.ProblemWrongType},
		{`{"incomes":[{"id":"a/b"}]}`, smile.ProblemBadID},
		{`{"incomes":[{"id":7}]}`, smile.ProblemWrongType},
		{`{"identity":{"id":"a b"}}`, smile.ProblemBadID},
	}
	for _, test := range tests {
		payload, err := clientOf(scripted(t, test.answer)).AccountPayload(t.Context(), "a-1")
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %s", test.answer, err, test.want)
		}
		if payload.Items != nil {
			t.Errorf("%s: returned %v along with its error", test.answer, payload.Items)
		}
	}
}
