package smile_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

func TestDatesAreThoseOfTheGoodAnswers(t *testing.T) {
	t.Parallel()
	const noDate = ""
	first, second := "Wed, 25 Nov 2026 12:00:00 GMT", "Wed, 25 Nov 2026 12:00:07 GMT"
	noon := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		dates []string
		want  time.Time
	}{
		"one":               {[]string{first}, noon},
		"the earliest":      {[]string{second, first, second}, noon},
		"one says nothing":  {[]string{first, noDate}, time.Time{}},
		"one cannot be one": {[]string{"yesterday", first}, time.Time{}},
		"no call":           {nil, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dates smile.Dates
			ctx := smile.WithDates(t.Context(), &dates)
			for i, date := range test.dates {
				calls := 0
				client := clientOf(doerFunc(func(*http.Request) (*http.Response, error) {
					calls++
					answer := success(`{"id":"a-1","userId":"t-1"}`)
					if calls == 1 && i == 0 { // which does not count, and the call is made again
						answer = reply(http.StatusBadGateway, "")
						answer.Header.Set("Date", "Wed, 25 Nov 2026 11:00:00 GMT")
					} else if date != noDate {
						answer.Header.Set("Date", date)
					}
					return answer, nil
				}))
				if _, err := client.Account(ctx, "a-1"); err != nil {
					t.Fatal(err)
				}
			}
			if got := dates.Earliest(); !got.Equal(test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}
