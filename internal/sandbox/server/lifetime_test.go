package server

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

const days = 24 * time.Hour

func TestMonthsLater(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, test := range []struct {
		from string
		n    int
		want string
	}{
		{"2026-03-15", 1, "2026-04-15"},
		{"2026-01-31", 1, "2026-02-28"},
		{"2026-01-31", 2, "2026-03-31"},
		{"2024-01-31", 1, "2024-02-29"},
		{"2026-10-31", 13, "2027-11-30"},
	} {
		if got := monthsLater(at(test.from), test.n); !got.Equal(at(test.want)) {
			t.Errorf("%d months after %s is %s", test.n, test.from, got)
		}
	}
}

// TestMonthlySync: monitored data is fetched every month on the day of the
// first connection, and is kept.
func TestMonthlySync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{}, edited("eventTypes", `["ACCOUNT_SYNC_TASK_FINISHED","CONTRIBUTIONS_UPDATED","ACCOUNT_DISCONNECTED"]`))
		account := b.george(b.newUser(), "sss_ph") // in January
		for range 4 {
			_ = b.Advance(31 * days)
		}
		synctest.Wait()
		var finished []string
		for _, text := range b.list("/v1/tasks?sourceId=" + account.ID).Items {
			task := decode[taskWire](t, text)
			finished = append(finished, task.Type+" "+wire.Day(task.FinishedAt.Time))
		}
		want := []string{"LINK_ACCOUNT 2000-01-01", "UPDATE_ACCOUNT 2000-02-01", "UPDATE_ACCOUNT 2000-03-01", "UPDATE_ACCOUNT 2000-04-01", "UPDATE_ACCOUNT 2000-05-01"}
		if diff := gocmp.Diff(want, finished); diff != "" {
			t.Error(diff)
		}
		if got := len(b.list("/v1/contributions").Items); got != 7 {
			t.Errorf("%d contributions", got)
		}
		if got := strings.Join(m.types(), " "); got != strings.TrimSpace(strings.Repeat("CONTRIBUTIONS_UPDATED ACCOUNT_SYNC_TASK_FINISHED ", 4)) {
			t.Errorf("told %s", got)
		}
	})
}

// TestDataExpires: data expires after 60 days, as the quirks say.
func TestDataExpires(t *testing.T) {
	for _, test := range []struct {
		provider string
		quirks   string
		status   ConnectionStatus
		told     int
		left     bool
	}{
		{"cdecorp", "", Disconnected, 1, false},
		{"cdecorp", "expired-account=silent", Disconnected, 0, false},
		{"cdecorp", "expired-account=connected", Connected, 0, false},
		{"sss_ph", "", Connected, 0, true},
		{"sss_ph", "data-sync=off", Disconnected, 1, false},
		{"sss_ph", "monitored-data=expires", Disconnected, 1, false},
	} {
		t.Run(test.provider+" "+test.quirks, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chosen, _ := quirks.Parse(test.quirks)
				b, m := hooked(t, Options{Quirks: chosen}, edited("eventTypes", `["ACCOUNT_DISCONNECTED"]`))
				account := b.george(b.newUser(), test.provider)
				_ = b.Advance(60*days - time.Second)
				b.get("/v1/accounts/"+account.ID+"/payload").must(t, 200)
				_ = b.Advance(time.Second)
				got := decode[Account](t, b.get("/v1/accounts/"+account.ID).must(t, 200).Data)
				left := len(b.list("/v1/identities?sourceId="+account.ID).Items) > 0
				synctest.Wait()
				if got.ConnectionStatus != test.status || left != test.left || len(m.all()) != test.told {
					t.Errorf("%s, data left: %v, told %v", got.ConnectionStatus, left, m.types())
				}
			})
		})
	}
}

// TestANewLoginRenewsTheData: the expiry of the former login does not delete
// it.
func TestANewLoginRenewsTheData(t *testing.T) {
	b := newBox(t, Options{DataLife: 10 * days})
	account := b.george(b.newUser(), "cdecorp")
	_ = b.Advance(9 * days)
	_, _ = b.Fail(account.ID, "EXPIRED_CREDENTIALS")
	again := b.george(account.UserID, "cdecorp")
	_ = b.Advance(9 * days)
	if got := decode[Account](t, b.get("/v1/accounts/"+account.ID).Data); again.ID != account.ID || got.ConnectionStatus != Connected {
		t.Errorf("%+v", got)
	}
	_ = b.Advance(days)
	if got := decode[Account](t, b.get("/v1/accounts/"+account.ID).Data); got.ConnectionStatus != Disconnected {
		t.Errorf("%+v", got)
	}
}

func TestArchivesExpire(t *testing.T) {
	b := newBox(t, Options{})
	id := idOf(t, b.call("POST", "/v1/archives", archiveBody(b.newUser(), sampleFile)).must(t, 200))
	_ = b.Advance(60 * days)
	if got := decode[archiveWire](t, b.get("/v1/archives/"+id).must(t, 200).Data); got.State.Status != revoked || got.Extraction != nil {
		t.Errorf("%+v", got)
	}
}

func TestDateZone(t *testing.T) {
	for zone, want := range map[string]string{"utc": "2026-03-31", "manila": "2026-04-01"} {
		b := newBox(t, Options{Quirks: map[string]string{"date-zone": zone}}) // it is 22:30 in UTC
		b.newUser()
		if got := b.list("/v1/users?startDate=" + want + "&endDate=" + want).Items; len(got) != 1 {
			t.Errorf("%s: %d users on %s", zone, len(got), want)
		}
	}
}
