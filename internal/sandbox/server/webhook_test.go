package server

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// mailbox is a receiver of webhooks without a network.
type mailbox struct {
	mu     sync.Mutex
	got    []received
	answer func(n int) (int, error) // of the n-th request, from 1
}

type received struct {
	at        time.Time
	url       string
	signature string
	body      string
	event     delivery.Event
	data      map[string]any
}

func (m *mailbox) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	got := received{at: time.Now(), url: r.URL.String(), signature: r.Header.Get("Smile-Signature"), body: string(body)}
	if err := json.Unmarshal(body, &got.event); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(got.event.Data, &got.data); err != nil {
		return nil, err
	}
	m.got = append(m.got, got)
	status := http.StatusNoContent
	if m.answer != nil {
		if status, err = m.answer(len(m.got)); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: status, Body: http.NoBody}, nil
}

func (m *mailbox) all() []received {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.got)
}

func (m *mailbox) types() []string {
	var types []string
	for _, got := range m.all() {
		types = append(types, got.event.Type)
	}
	return types
}

// of returns the first event of a type.
func (m *mailbox) of(t *testing.T, kind string) received {
	t.Helper()
	for _, got := range m.all() {
		if got.event.Type == kind {
			return got
		}
	}
	t.Fatalf("no %s among %v", kind, m.types())
	return received{}
}

const anyHook = `{"name":"all","url":"https://hooks.example/smile","eventTypes":["ALL_EVENTS"],"active":true,"secret":"a little secret"}`

// hooked is a box with webhooks in a synctest bubble. It uses the bubble's
// clock, and one worker sends to a mailbox.
func hooked(t *testing.T, options Options, hooks ...string) (*box, *mailbox) {
	t.Helper()
	m := &mailbox{}
	options.Seed, options.WebhookWorkers = "test", cmp.Or(options.WebhookWorkers, 1)
	if options.WebhookTransport == nil {
		options.WebhookTransport = m
	}
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	b := &box{Sandbox: s, t: t}
	for _, hook := range hooks {
		b.call("POST", "/v1/webhooks", hook).must(t, 200)
	}
	return b, m
}

func TestWebhookRegistration(t *testing.T) {
	b := newBox(t, Options{})
	made := b.call("POST", "/v1/webhooks", anyHook).must(t, 200)
	hook := decode[map[string]any](t, made.Data)
	want := map[string]any{
		"id": hook["id"], "createdAt": "2026-03-31T22:30:00Z", "updatedAt": "2026-03-31T22:30:00Z", "name": "all",
		"url": "https://hooks.example/smile", "eventTypes": []any{"ALL_EVENTS"}, "active": true, "secret": "a little secret", "includePayload": false,
	}
	if diff := gocmp.Diff(want, hook); diff != "" {
		t.Error(diff)
	}
	path := "/v1/webhooks/" + hook["id"].(string)
	if got := b.get(path).must(t, 200); string(got.Data) != string(made.Data) {
		t.Errorf("GET gives %s", got.text)
	}
	if got := b.list("/v1/webhooks").Items; len(got) != 1 || string(got[0]) != string(made.Data) || b.Stats().Webhooks != 1 {
		t.Errorf("listed: %s", got)
	}
	b.call("PUT", path, anyHook).must(t, 501)
	if got := b.call("DELETE", path, "").must(t, 200); got.Data != nil {
		t.Errorf("data after a deletion: %s", got.text)
	}
	b.call("DELETE", path, "").must(t, 404)
	b.get(path).must(t, 404)
	if got := b.list("/v1/webhooks").Items; len(got) != 0 || b.Stats().Webhooks != 0 {
		t.Errorf("still listed: %s", got)
	}
}

// edited is the body of a webhook with one field replaced, or removed if the
// value is empty.
func edited(field, value string) string {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal([]byte(anyHook), &fields)
	fields[field] = json.RawMessage(value)
	if value == "" {
		delete(fields, field)
	}
	return string(wire.Encode(fields))
}

func quoted(n int, start string) string {
	return `"` + start + strings.Repeat("é", n-len(start)) + `"`
}

func TestWebhookLimits(t *testing.T) {
	for _, test := range []struct {
		field, value string
		status       int
	}{
		{"name", quoted(200, ""), 200},
		{"name", quoted(201, ""), 400},
		{"name", `""`, 400},
		{"name", "", 400},
		{"name", "1", 400},
		{"name", "null", 400},
		{"url", quoted(500, "https://h.example/"), 200},
		{"url", quoted(501, "https://h.example/"), 400},
		{"url", `"http://h.example"`, 400},
		{"url", `"https://"`, 400},
		{"url", `"ftp://h.example"`, 400},
		{"url", `"https://h.example/%zz"`, 400},
		{"url", "", 400},
		{"eventTypes", `["TASK_FINISHED","RECORD_COMPLETED"]`, 200},
		{"eventTypes", `["TASK_DONE"]`, 400},
		{"eventTypes", `[]`, 400},
		{"eventTypes", `"ALL_EVENTS"`, 400},
		{"eventTypes", `[1]`, 400},
		{"eventTypes", "", 400},
		{"active", "false", 200},
		{"active", `"true"`, 400},
		{"active", "", 400},
		{"secret", quoted(64, ""), 200},
		{"secret", quoted(65, ""), 400},
		{"secret", `""`, 400},
		{"secret", "", 400},
		{"includePayload", "true", 200},
		{"includePayload", "null", 200},
		{"includePayload", "0", 400},
		{"ACTIVE", "7", 200},
	} {
		t.Run(test.field+test.value, func(t *testing.T) {
			b := newBox(t, Options{})
			got := b.call("POST", "/v1/webhooks", edited(test.field, test.value)).must(t, test.status)
			if test.status == 400 && (got.Code != "INVALID_PARAMETERS" || !strings.HasPrefix(got.Message, test.field)) {
				t.Errorf("got %s", got.text)
			}
		})
	}
	b := newBox(t, Options{AllowHTTPWebhooks: true})
	b.call("POST", "/v1/webhooks", edited("url", `"http://127.0.0.1:1"`)).must(t, 200)
	for _, body := range []string{"", "{}", "[]", "null", `"x"`, `{"name":`, anyHook + anyHook} {
		b.call("POST", "/v1/webhooks", body).must(t, 400)
	}
}

// TestEventsOfALink checks the events of a link and of a revoke.
func TestEventsOfALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{}, anyHook)
		userID := b.newUser()
		account := b.george(userID, "xyzgigcompany")
		b.call("DELETE", "/v1/accounts/"+account.ID, "").must(t, 200)
		synctest.Wait()
		want := []string{
			"USER_CREATED", "ACCOUNT_CREATED", "ACCOUNT_CONNECTED", "TASK_STARTED", "IDENTITY_ADDED", "RATING_ADDED",
			"TRANSACTIONS_ADDED", "INSIGHT_ADDED", "LINK_ADDED", "TASK_FINISHED", "ACCOUNT_DISCONNECTED",
		}
		if diff := gocmp.Diff(want, m.types()); diff != "" {
			t.Fatal(diff)
		}
		ids := map[string]bool{}
		for _, got := range m.all() {
			if got.data["userId"] != userID || got.event.Version != 1 || !strings.HasPrefix(got.event.ID, "et-") || ids[got.event.ID] {
				t.Errorf("got %s", got.body)
			}
			if got.signature != delivery.Sign("a little secret", []byte(got.body)) {
				t.Errorf("signature %s", got.signature)
			}
			ids[got.event.ID] = true
		}
		about := map[string]any{"userId": userID, "accountId": account.ID, "providers": []any{"xyzgigcompany"}}
		for kind, more := range map[string]map[string]any{
			"ACCOUNT_CREATED": {}, "ACCOUNT_DISCONNECTED": {}, "ACCOUNT_CONNECTED": {"loginName": "George"}, "TRANSACTIONS_ADDED": {"count": 3.0},
		} {
			want := map[string]any{}
			for _, fields := range []map[string]any{about, more} {
				for name, value := range fields {
					want[name] = value
				}
			}
			if diff := gocmp.Diff(want, m.of(t, kind).data); diff != "" {
				t.Errorf("%s: %s", kind, diff)
			}
		}
		if diff := gocmp.Diff(map[string]any{
			"userId": userID, "sourceId": account.ID, "sourceType": "ACCOUNT", "taskType": "LINK_ACCOUNT", "status": "SUCCEEDED", "errorCode": nil,
			"providers": []any{"xyzgigcompany"}, "datapoints": []any{"IDENTITIES", "TRANSACTIONS", "RATINGS", "LINK", "INSIGHTS"}, "payload": nil,
		}, m.of(t, "TASK_FINISHED").data); diff != "" {
			t.Error(diff)
		}
		for _, d := range b.Deliveries(0) {
			if d.State != delivery.Delivered || len(d.Attempts) != 1 || d.Attempts[0].Status != 204 {
				t.Errorf("%+v", d)
			}
		}
		if got := b.Stats().Deliveries; got != len(want) {
			t.Errorf("%d deliveries", got)
		}
	})
}

func TestEventsOfFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{DataDelay: time.Minute}, edited("eventTypes", `["ACCOUNT_FAILED","TASK_FINISHED"]`))
		userID := b.newUser()
		_, _ = b.Link(LinkRequest{UserID: userID, ProviderID: "sss_ph", Login: "George", Password: "wrong"})
		fetching := b.george(userID, "cdecorp")
		_, _ = b.Disconnect(fetching.ID)
		time.Sleep(2 * time.Minute) // no call arrives meanwhile
		synctest.Wait()
		failed := m.of(t, "ACCOUNT_FAILED").data
		if failed["errorCode"] != "INVALID_CREDENTIALS" || failed["errorMessage"] == "" || failed["loginName"] != "George" {
			t.Errorf("%v", failed)
		}
		ended := m.of(t, "TASK_FINISHED").data
		if ended["status"] != "FAILED" || ended["errorCode"] != "ACCOUNT_INACCESSIBLE" || len(ended["datapoints"].([]any)) != 0 {
			t.Errorf("%v", ended)
		}
		if got := m.types(); len(got) != 2 {
			t.Errorf("unasked: %v", got)
		}
	})
}

func TestEventsOfAResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{})
		account := b.george(b.newUser(), "sss_ph")
		b.call("POST", "/v1/webhooks", edited("includePayload", "true")).must(t, 200)
		if _, err := b.Resync(account.ID); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := []string{"TASK_STARTED", "CONTRIBUTIONS_UPDATED", "EINCOMES_UPDATED", "ACCOUNT_SYNC_TASK_FINISHED"}
		if diff := gocmp.Diff(want, m.types()); diff != "" {
			t.Fatal(diff)
		}
		updated := m.of(t, "CONTRIBUTIONS_UPDATED").data
		if updated["count"] != 1.0 || updated["updatedFrom"] != "2022-07-31T00:00:00Z" || updated["updatedTo"] != "2022-07-31T00:00:00Z" || updated["updatedAt"] == nil {
			t.Errorf("%v", updated)
		}
		synced := m.of(t, "ACCOUNT_SYNC_TASK_FINISHED").data
		if synced["monitorStatus"] != "ACTIVE" || synced["status"] != "SUCCEEDED" || len(synced["datapoints"].([]any)) != 6 || synced["taskType"] != nil {
			t.Errorf("%v", synced)
		}
		contributions := synced["payload"].(map[string]any)["contributions"].(map[string]any)
		if contributions["nextCursor"] != nil || len(contributions["items"].([]any)) != 4 {
			t.Errorf("%v", contributions)
		}
	})
}

func TestIncomesGrowWithAResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{}, edited("eventTypes", `["INCOMES_UPDATED","DOCUMENTS_UPDATED","EMPLOYMENTS_UPDATED"]`))
		account := b.george(b.newUser(), "cdecorp")
		before := len(b.list("/v1/incomes").Items)
		_, _ = b.Resync(account.ID)
		synctest.Wait()
		incomes := b.list("/v1/incomes").Items
		if got := m.all(); len(got) != 1 || got[0].data["count"] != 1.0 || len(incomes) != before+1 {
			t.Errorf("events %v, incomes %s", m.types(), incomes)
		}
		grown := decode[struct{ StartDate, EndDate string }](t, incomes[before])
		if told := m.of(t, "INCOMES_UPDATED").data["updatedFrom"]; told != grown.StartDate+"T00:00:00Z" || !strings.HasSuffix(grown.StartDate, "-01") {
			t.Errorf("updatedFrom is %v, the item %+v", told, grown)
		}
	})
}

// TestPayloadIsCut: an event contains 300 items of a list, and a cursor to the
// rest.
func TestPayloadIsCut(t *testing.T) {
	b := newBox(t, Options{})
	account := b.george(b.newUser(), "upwork")
	for range maxPayloadItems {
		if _, err := b.Resync(account.ID); err != nil {
			t.Fatal(err)
		}
	}
	tenant := b.tenants["sandbox-key"]
	payload := tenant.payload(tenant.accounts.byID[account.ID])
	cut := payload["transactions"].(pagedItems)
	if len(cut.Items) != 300 || cut.NextCursor == nil || payload["incomes"] != nil {
		t.Fatalf("%d items, cursor %v", len(cut.Items), cut.NextCursor)
	}
	rest := b.list("/v1/transactions?size=150&sourceId=" + account.ID + "&cursor=" + *cut.NextCursor)
	if all, _ := b.allPages("/v1/transactions?size=150"); len(rest.Items) != len(all)-300 {
		t.Errorf("%d of %d are left", len(rest.Items), len(all))
	}
}

func TestAttempts(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(int) (int, error)
		state  delivery.State
		tries  int
	}{
		"at once":     {func(int) (int, error) { return 299, nil }, delivery.Delivered, 1},
		"the second":  {func(n int) (int, error) { return []int{503, 200}[n-1], nil }, delivery.Delivered, 2},
		"the third":   {func(n int) (int, error) { return []int{500, 401, 202}[n-1], nil }, delivery.Delivered, 3},
		"never":       {func(int) (int, error) { return 400, nil }, delivery.Failed, 3},
		"redirected":  {func(int) (int, error) { return 307, nil }, delivery.Failed, 3},
		"unreachable": {func(int) (int, error) { return 0, fmt.Errorf("no route") }, delivery.Failed, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, m := hooked(t, Options{WebhookRetry: 40 * time.Second}, anyHook)
				m.answer = test.answer
				b.newUser()
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				d := b.Deliveries(0)[0]
				if d.State != test.state || len(d.Attempts) != test.tries || len(m.all()) != test.tries {
					t.Fatalf("%+v", d)
				}
				for i := 1; i < test.tries; i++ {
					first, again := m.all()[i-1], m.all()[i]
					if again.at.Sub(first.at) != 40*time.Second || again.body != first.body {
						t.Errorf("attempt %d came %s after the one before, %s", i+1, again.at.Sub(first.at), again.body)
					}
				}
			})
		})
	}
}

// TestClockHastensAttempts: retries follow the sandbox clock, not real time.
func TestClockHastensAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{}, anyHook)
		m.answer = func(int) (int, error) { return 500, nil }
		begun := time.Now()
		b.newUser()
		for n := 1; n <= 3; n++ {
			synctest.Wait()
			if got := len(m.all()); got != n {
				t.Fatalf("%d attempts, want %d", got, n)
			}
			_ = b.Advance(30 * time.Second)
		}
		synctest.Wait()
		if len(m.all()) != 3 || !time.Now().Equal(begun) {
			t.Errorf("%d attempts in %s", len(m.all()), time.Since(begun))
		}
	})
}

func TestDeletedWebhookGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{}, anyHook, edited("active", "false"))
		m.answer = func(int) (int, error) { return 500, nil }
		b.newUser()
		synctest.Wait()
		id := decode[struct{ ID string }](t, b.list("/v1/webhooks").Items[0]).ID
		b.call("DELETE", "/v1/webhooks/"+id, "").must(t, 200)
		b.newUser()
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := b.Deliveries(0); len(got) != 1 || got[0].State != delivery.Dropped || len(m.all()) != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestDeliveryFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault string
		want  []string
	}{
		"none":      {`[]`, []string{"1", "2", "3"}},
		"duplicate": {`[{"eventType":"USER_CREATED","nth":2,"action":"duplicate:3"}]`, []string{"1", "2", "2", "2", "3"}},
		"lose":      {`[{"eventType":"*","action":"lose"}]`, []string{"2", "3"}},
		"lose all":  {`[{"eventType":"*","count":-1,"action":"lose"}]`, nil},
		"reorder":   {`[{"eventType":"*","action":"reorder"}]`, []string{"2", "1", "3"}},
		"reorder 2": {`[{"eventType":"*","count":2,"action":"reorder"}]`, []string{"3", "1", "2"}},
		"delay":     {`[{"eventType":"*","action":"delay:1m"}]`, []string{"2", "3", "1"}},
		"other":     {`[{"eventType":"TASK_FINISHED","action":"lose"}]`, []string{"1", "2", "3"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, m := hooked(t, Options{}, anyHook)
				if got := b.call("PUT", "/_sandbox/deliveries/faults", test.fault).must(t, 200).text; name != "none" && got != b.get("/_sandbox/deliveries/faults").text {
					t.Errorf("set %s", got)
				}
				order := map[any]string{}
				for _, n := range []string{"1", "2", "3"} {
					order[b.newUser()] = n
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				var got []string
				for _, r := range m.all() {
					got = append(got, order[r.data["userId"]])
				}
				if diff := gocmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
	b := newBox(t, Options{})
	for _, wrong := range []string{
		`[{"eventType":"TASK_DONE","action":"lose"}]`, `[{"eventType":"*","action":"lose:1"}]`, `[{"eventType":"*","action":"eat"}]`,
		`[{"eventType":"*","action":"duplicate:1"}]`, `[{"eventType":"*","action":"delay:soon"}]`, `[{"event":"*"}]`,
	} {
		b.call("PUT", "/_sandbox/deliveries/faults", wrong).must(t, 400)
	}
}

// TestHeldDeliveriesAreReleased: deliveries that a fault held are sent when the
// fault is removed.
func TestHeldDeliveriesAreReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{}, anyHook)
		_ = b.SetDeliveryFaults([]delivery.Fault{{EventType: "*", Action: "reorder"}})
		b.newUser()
		synctest.Wait()
		if got := b.Deliveries(0)[0].State; got != delivery.Held || len(m.all()) != 0 {
			t.Errorf("%s", got)
		}
		_ = b.SetDeliveryFaults(nil)
		synctest.Wait()
		if got := b.Deliveries(0)[0].State; got != delivery.Delivered {
			t.Errorf("%s", got)
		}
	})
}

// idsOf are the ids that events of a type arrived with. Webhooks get their events
// independently of each other.
func (m *mailbox) idsOf(kind string) map[string]bool {
	ids := map[string]bool{}
	for _, received := range m.all() {
		if received.event.Type == kind {
			ids[received.event.ID] = true
		}
	}
	return ids
}

func TestWebhookQuirks(t *testing.T) {
	for _, test := range []struct {
		quirk, value string
		holds        func(t *testing.T, b *box, m *mailbox) bool
	}{
		{"signature", "upper", func(_ *testing.T, _ *box, m *mailbox) bool {
			return m.all()[0].signature == strings.ToUpper(delivery.Sign("a little secret", []byte(m.all()[0].body)))
		}},
		{"signature", "prefixed", func(_ *testing.T, _ *box, m *mailbox) bool {
			return m.all()[0].signature == "sha512="+delivery.Sign("a little secret", []byte(m.all()[0].body))
		}},
		{"event-id", "shared", func(_ *testing.T, _ *box, m *mailbox) bool { return len(m.idsOf("USER_CREATED")) == 1 }},
		{"event-id", "per-webhook", func(_ *testing.T, _ *box, m *mailbox) bool { return len(m.idsOf("USER_CREATED")) == 2 }},
		{"webhook-secret", "hidden", func(_ *testing.T, b *box, _ *mailbox) bool {
			return !strings.Contains(b.get("/v1/webhooks").text, "secret")
		}},
		{"no-payload", "absent", func(t *testing.T, _ *box, m *mailbox) bool {
			_, there := m.of(t, "TASK_FINISHED").data["payload"]
			return !there
		}},
		{"no-payload", "object", func(t *testing.T, _ *box, m *mailbox) bool {
			return gocmp.Equal(m.of(t, "TASK_FINISHED").data["payload"], map[string]any{})
		}},
		{"task-finished", "short", func(t *testing.T, _ *box, m *mailbox) bool {
			data := m.of(t, "TASK_FINISHED").data
			return data["taskType"] == nil && data["status"] == nil && data["datapoints"] != nil
		}},
		{"datapoints-key", "dataPoints", func(t *testing.T, _ *box, m *mailbox) bool {
			data := m.of(t, "ACCOUNT_SYNC_TASK_FINISHED").data
			return data["datapoints"] == nil && data["dataPoints"] != nil
		}},
		{"datapoints-key", "both", func(t *testing.T, _ *box, m *mailbox) bool {
			data := m.of(t, "ACCOUNT_SYNC_TASK_FINISHED").data
			return data["datapoints"] != nil && data["dataPoints"] != nil
		}},
		{"insight-name", "INSIGHT", func(t *testing.T, b *box, m *mailbox) bool {
			return slices.Contains(m.of(t, "TASK_FINISHED").data["datapoints"].([]any), any("INSIGHT")) && strings.Contains(b.get("/v1/tasks").text, `"INSIGHT"`)
		}},
		{"failed-status", "FAILURE", func(_ *testing.T, b *box, m *mailbox) bool {
			failed := b.george(b.newUser(), "sss_ph")
			tenant := b.tenants["sandbox-key"]
			tenant.mu.Lock()
			b.linker.startTask(tenant, &task{kind: updateAccount, account: tenant.accounts.byID[failed.ID]}, b.Now())
			tenant.revokeAccount(tenant.accounts.byID[failed.ID], b.Now())
			tenant.settle(b.Now())
			tenant.mu.Unlock()
			synctest.Wait()
			return m.all()[len(m.all())-1].data["status"] == "FAILURE"
		}},
		{"repeat-delete", "200", func(t *testing.T, b *box, _ *mailbox) bool {
			id := decode[struct{ ID string }](t, b.list("/v1/webhooks").Items[0]).ID
			b.call("DELETE", "/v1/webhooks/"+id, "").must(t, 200)
			return b.call("DELETE", "/v1/webhooks/"+id, "").status == 200 && b.call("DELETE", "/v1/webhooks/none", "").status == 404
		}},
	} {
		t.Run(test.quirk+"="+test.value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, m := hooked(t, Options{Quirks: map[string]string{test.quirk: test.value}}, anyHook, anyHook)
				account := b.george(b.newUser(), "xyzgigcompany")
				_, _ = b.Resync(account.ID)
				synctest.Wait()
				if !test.holds(t, b, m) {
					t.Errorf("it does not: %s", m.all()[len(m.all())-1].body)
				}
			})
		})
	}
}

func TestEventIDPerAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{Quirks: map[string]string{"event-id": "per-attempt"}}, anyHook)
		m.answer = func(int) (int, error) { return 500, nil }
		b.newUser()
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := m.all(); len(got) != 3 || got[0].event.ID == got[1].event.ID || got[1].event.ID == got[2].event.ID {
			t.Errorf("%v", got)
		}
	})
}

// TestDeliveryOverTLS sends to a real server. Its redirect must not be
// followed.
func TestDeliveryOverTLS(t *testing.T) {
	arrived := make(chan string, 1)
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- r.Header.Get("Content-Type")
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	b := newBox(t, Options{WebhookRoots: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	b.call("POST", "/v1/webhooks", edited("url", `"`+server.URL+`"`)).must(t, 200)
	b.newUser()
	if got := <-arrived; got != "application/json" {
		t.Errorf("content type %q", got)
	}
}

// TestSlowReceiver: an attempt ends at its timeout, and Close ends all
// attempts.
func TestSlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := hooked(t, Options{WebhookTimeout: 5 * time.Second, WebhookWorkers: 4, WebhookTransport: hanging{}}, anyHook)
		for range 6 {
			b.newUser()
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		var ended int
		for _, d := range b.Deliveries(0) {
			ended += len(d.Attempts)
		}
		if ended != 4 {
			t.Errorf("%d attempts ended, 4 workers", ended)
		}
		b.Close()
	})
}

type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}
