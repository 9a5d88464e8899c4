package smile_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/smile"
)

func pageOf(cursor string, ids ...string) string {
	entries := make([]string, len(ids))
	for i, id := range ids {
		entries[i] = `{"id":"` + id + `","userId":"t-1"}`
	}
	return `{"nextCursor":` + cursor + `,"items":[` + strings.Join(entries, ",") + `]}`
}

func accountIDs(accounts []smile.Account) []string {
	var ids []string
	for _, account := range accounts {
		ids = append(ids, account.ID)
	}
	return ids
}

func TestPager(t *testing.T) {
	first := "GET /v1/accounts?size=150&userId=t-1"
	next := func(cursor string) string { return "GET /v1/accounts?cursor=" + cursor + "&size=150&userId=t-1" }
	tests := []struct {
		name     string
		pages    []string
		want     []string
		requests []string
		problem  error
	}{
		{"null ends", []string{pageOf(`null`, "a")}, []string{"a"}, []string{first}, nil},
		{"empty ends", []string{pageOf(`""`, "a")}, []string{"a"}, []string{first}, nil},
		{"absent ends", []string{`{"items":[]}`}, nil, []string{first}, nil},
		{"null items", []string{`{"items":null}`}, nil, []string{first}, nil},
		{"three pages", []string{pageOf(`"20"`, "a", "b"), pageOf(`"40"`), pageOf(`null`, "c")}, []string{"a", "b", "c"}, []string{first, next("20"), next("40")}, nil},
		{"cursor is escaped", []string{pageOf(`"a&b=c d/?"`, "a"), pageOf(`null`)}, []string{"a"}, []string{first, next("a%26b%3Dc+d%2F%3F")}, nil},
		{"cursor repeats", []string{pageOf(`"1"`, "a"), pageOf(`"1"`, "b")}, []string{"a", "b"}, []string{first, next("1")}, smile.ProblemCursorLoop},
		{"cursor circles", []string{pageOf(`"1"`, "a"), pageOf(`"2"`, "b"), pageOf(`"1"`, "c")}, []string{"a", "b", "c"}, []string{first, next("1"), next("2")}, smile.ProblemCursorLoop},
		{"endless cursor", []string{pageOf(`"`+strings.Repeat("x", 2049)+`"`, "a")}, []string{"a"}, []string{first}, smile.ProblemBadCursor},
		{"number as cursor", []string{pageOf(`20`, "a")}, nil, []string{first}, smile.ProblemWrongType},
		{"bad second page", []string{pageOf(`"1"`, "a"), pageOf(`null`, "b", "../x", "c")}, []string{"a"}, []string{first, next("1")}, smile.ProblemBadID},
		{"items are no list", []string{`{"items":{"id":"a"}}`}, nil, []string{first}, smile.ProblemWrongType},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doer := scripted(t, test.pages...)
			got, err := collect(clientOf(doer).Accounts(t.Context(), smile.AccountFilter{UserID: "t-1"}))
			if diff := cmp.Diff(test.want, accountIDs(got)); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.requests, doer.targets()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if !errors.Is(err, test.problem) {
				t.Errorf("error %v, want %v", err, test.problem)
			}
		})
	}
}

func TestPagerEndsWithItsError(t *testing.T) {
	doer := scripted(t, pageOf(`"1"`, "a"), pageOf(`"1"`, "b"))
	var steps []string
	for account, err := range clientOf(doer).Accounts(t.Context(), smile.AccountFilter{}) {
		steps = append(steps, fmt.Sprint(account.ID, err != nil))
	}
	if diff := cmp.Diff([]string{"afalse", "bfalse", "true"}, steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPagerStopsWhenAsked(t *testing.T) {
	doer := scripted(t, pageOf(`"1"`, "a", "b"))
	for _, err := range clientOf(doer).Accounts(t.Context(), smile.AccountFilter{}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if len(doer.requests) != 1 {
		t.Errorf("%d requests", len(doer.requests))
	}
}

func TestPagerRunsAgain(t *testing.T) {
	doer := scripted(t, pageOf(`"1"`, "a"), pageOf(`null`, "b"), pageOf(`null`, "c"))
	listing := clientOf(doer).Accounts(t.Context(), smile.AccountFilter{})
	for _, want := range [][]string{{"a", "b"}, {"c"}} {
		got, err := collect(listing)
		if diff := cmp.Diff(want, accountIDs(got)); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

func TestPagerIsBounded(t *testing.T) {
	pages := 0
	doer := doerFunc(func(*http.Request) (*http.Response, error) {
		pages++
		return success(pageOf(fmt.Sprintf("%q", fmt.Sprint(pages)))), nil
	})
	_, err := collect(clientOf(doer).Accounts(t.Context(), smile.AccountFilter{}))
	if !errors.Is(err, smile.ProblemTooManyPages) || pages != 10_000 {
		t.Errorf("after %d pages: %v", pages, err)
	}
}
