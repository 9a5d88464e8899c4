package server

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/ids"
)

// allPages reads a listing to its end and returns the ids and the number of
// pages.
func (b *box) allPages(path string) (ids []string, pages int) {
	b.t.Helper()
	cursor := ""
	for pages = 1; ; pages++ {
		p := b.list(path + cursor)
		for _, item := range p.Items {
			ids = append(ids, decode[struct{ ID string }](b.t, item).ID)
		}
		if p.NextCursor == nil {
			return ids, pages
		}
		if pages > 1000 {
			b.t.Fatalf("%s did not end", path)
		}
		cursor = "&cursor=" + url.QueryEscape(*p.NextCursor)
	}
}

func TestPaging(t *testing.T) {
	b := newBox(t, Options{})
	if err := b.Seed(SeedRequest{Users: 31, AccountsPerUser: 2}); err != nil {
		t.Fatal(err)
	}
	contributions := 0
	for i := range 31 {
		contributions += []int{3, 14, 5, 24}[i%4]
	}
	for _, test := range []struct {
		path        string
		size, items int
	}{
		{"/v1/users", 10, 31},
		{"/v1/users", 31, 31},
		{"/v1/users", 30, 31},
		{"/v1/users", 150, 31},
		{"/v1/users", 1, 31},
		{"/v1/accounts", 7, 62},
		{"/v1/tasks", 62, 62},
		{"/v1/identities", 9, 62},
		{"/v1/contributions", 13, contributions},
		{"/v1/contributions", 1, contributions},
		{"/v1/ratings", 10, 0},
		{"/v1/archives", 10, 0},
		{"/v1/providers", 2, len(fixtures.Providers)},
	} {
		t.Run(test.path+" by "+strconv.Itoa(test.size), func(t *testing.T) {
			ids, pages := b.allPages(test.path + "?size=" + strconv.Itoa(test.size))
			if want := max(1, (test.items+test.size-1)/test.size); len(ids) != test.items || pages != want {
				t.Errorf("%d items on %d pages, want %d on %d", len(ids), pages, test.items, want)
			}
			seen := map[string]bool{}
			for _, id := range ids {
				if seen[id] {
					t.Errorf("%s arrived twice", id)
				}
				seen[id] = true
			}
		})
	}
	if got := len(b.list("/v1/users").Items); got != defaultPageSize {
		t.Errorf("a page has %d items by default", got)
	}
}

// TestPagingShowsNewUsers: users that are created during a listing are at its
// end, and no user is skipped or repeated.
func TestPagingShowsNewUsers(t *testing.T) {
	b := newBox(t, Options{})
	_ = b.Seed(SeedRequest{Users: 4})
	first := b.list("/v1/users?size=3")
	newcomer := b.newUser()
	rest := b.list("/v1/users?size=3&cursor=" + *first.NextCursor)
	if len(rest.Items) != 2 || !strings.Contains(string(rest.Items[1]), newcomer) {
		t.Errorf("got %s", rest.Items)
	}
}

// TestCursorsBelongToOneListing: a cursor is valid only in its own listing.
func TestCursorsBelongToOneListing(t *testing.T) {
	b := newBox(t, Options{Keys: []KeyPair{{Key: "a", Secret: "sa"}, {Key: "b", Secret: "sb"}}})
	a, other := as("a", "sa"), as("b", "sb")
	_ = b.Seed(SeedRequest{Users: 3, AccountsPerUser: 1, Key: "a"})
	cursor := *decode[rows](t, b.get("/v1/users?size=1&startDate=2020-01-01", a).must(t, 200).Data).NextCursor
	b.get("/v1/users?size=2&startDate=2020-01-01&cursor="+cursor, a).must(t, 200)
	for name, got := range map[string]answer{
		"another tenant":    b.get("/v1/users?startDate=2020-01-01&cursor="+cursor, other),
		"another operation": b.get("/v1/accounts?startDate=2020-01-01&cursor="+cursor, a),
		"another filter":    b.get("/v1/users?startDate=2020-01-02&cursor="+cursor, a),
		"filters left out":  b.get("/v1/users?cursor="+cursor, a),
		"one byte changed":  b.get("/v1/users?startDate=2020-01-01&cursor=_"+cursor[1:], a),
		"cut short":         b.get("/v1/users?startDate=2020-01-01&cursor="+cursor[:4], a),
	} {
		if got.status != 400 || !strings.Contains(got.Message, "cursor") {
			t.Errorf("%s: %s", name, got.text)
		}
	}
}

func TestFilters(t *testing.T) {
	b := newBox(t, Options{}) // 2026-03-31 22:30 UTC
	early := b.newUser()
	account := b.george(early, "sss_ph").ID
	b.wall.advance(2 * time.Hour)
	late := b.newUser()
	other := b.george(late, "cdecorp").ID
	for path, want := range map[string]int{
		"users?startDate=2026-04-01":                                        1,
		"users?endDate=2026-03-31":                                          1,
		"users?startDate=2026-03-31&endDate=2026-04-01":                     2,
		"users?startDate=2026-04-02":                                        0,
		"accounts?userId=" + early:                                          1,
		"accounts?userId=nobody":                                            0,
		"accounts?startDate=2026-04-01":                                     1,
		"tasks?sourceId=" + account:                                         1,
		"tasks?userId=" + late:                                              1,
		"tasks?userId=" + late + "&sourceId=" + account:                     0,
		"tasks?endDate=2026-03-31":                                          1,
		"identities":                                                        2,
		"identities?userId=" + early:                                        1,
		"identities?sourceId=" + other:                                      1,
		"identities?accountId=" + other:                                     1,
		"identities?userId=" + early + "&sourceId=" + other:                 0,
		"identities?sourceId=" + other + "&accountId=" + account:            0,
		"identities?sourceId=none":                                          0,
		"contributions?startDate=2022-05-31":                                2,
		"contributions?startDate=2022-05-01&endDate=2022-05-31":             1,
		"eincomes?startMonth=2022-05&endMonth=2022-05":                      1,
		"eincomes?endMonth=2022-05":                                         2,
		"employments?startDate=2022-07-01&userId=" + late:                   1,
		"liabilities?endDate=2016-07-04":                                    0,
		"incomes?startDate=2022-06-01":                                      1,
		"providers?type=GOVERNMENT":                                         2,
		"providers?type=GOVERNMENT&subType=INSURANCE":                       1,
		"providers?accountConnection=false":                                 1,
		"providers?active=false":                                            0,
		"providers?enabled=true&size=150":                                   len(fixtures.Providers),
		"providers?name=abc":                                                2,
		"providers?ids=sss_ph,grab":                                         2,
		"providers?ids=sss_ph&ids=grab&ids=none":                            2,
		"providers?color=blue&size=150":                                     len(fixtures.Providers),
		"archives?userId=" + early + "&fileType=PAYSLIP&endDate=2030-01-01": 0,
	} {
		if got := len(b.list("/v1/" + path).Items); got != want {
			t.Errorf("%s: %d items, want %d", path, got, want)
		}
	}
}

func TestTopProvidersComeFirst(t *testing.T) {
	b := newBox(t, Options{})
	ids, _ := b.allPages("/v1/providers?topIds=grab,nbi_ph&size=4")
	if diff := cmp.Diff([]string{"grab", "nbi_ph", "sss_ph"}, ids[:3]); diff != "" || len(ids) != len(fixtures.Providers) {
		t.Errorf("%d providers, %s", len(ids), diff)
	}
}

func FuzzCursor(f *testing.F) {
	ids := ids.New("fuzz", "")
	f.Add(place{3, 4}.cursor(ids, "a"))
	f.Add("")
	f.Add("20")
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := readCursor(ids, "a", text)
		if ok && at.cursor(ids, "a") != text {
			t.Errorf("%q was accepted as %v, whose text differs", text, at)
		}
		if _, elsewhere := readCursor(ids, "b", text); ok && elsewhere {
			t.Errorf("the cursor %q is accepted by two listings", text)
		}
	})
}
