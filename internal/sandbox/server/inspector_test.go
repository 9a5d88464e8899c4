package server

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
)

func TestInspectCall(t *testing.T) {
	b := newBox(t, Options{JournalBodies: 1 << 20})
	made := b.call(http.MethodPost, "/v1/webhooks", anyHook).must(t, 200)
	_ = b.SetFaults([]Fault{{Operation: "list-users", Action: "truncate:10", Phase: "after"}})
	cut := func() (recovered any) {
		defer func() { recovered = recover() }()
		b.get("/v1/users")
		return nil
	}
	if cut() == nil {
		t.Error("the response was not cut off")
	}
	_ = b.SetFaults(nil)
	shown := decode[InspectedCall](t, []byte(b.get("/_sandbox/journal/1").must(t, 200).text))
	if !shown.Kept || shown.Entry.Operation != "create-webhook" || strings.Contains(shown.Request.Body+shown.Response.Body, "a little secret") {
		t.Errorf("masked: %+v", shown)
	}
	if got := shown.Request.Headers.Get("Authorization"); got != "Basic •••" {
		t.Errorf("Authorization is shown as %q", got)
	}
	all := decode[InspectedCall](t, []byte(b.get("/_sandbox/journal/1?secrets=true").must(t, 200).text))
	if all.Request.Body != anyHook || all.Response.Body != made.text || all.Response.Headers.Get("Content-Length") != made.header.Get("Content-Length") {
		t.Errorf("with secrets: %+v", all)
	}
	truncated := decode[InspectedCall](t, []byte(b.get("/_sandbox/journal/2").must(t, 200).text))
	if len(truncated.Response.Body) != 10 || !truncated.Response.Truncated {
		t.Errorf("a response that was cut off: %+v", truncated.Response)
	}
	b.get("/_sandbox/journal/3").must(t, http.StatusNotFound)
	b.get("/_sandbox/journal/x").must(t, http.StatusBadRequest)
	b.Reset()
	b.get("/_sandbox/journal/1").must(t, http.StatusNotFound)
	if got := b.bodies.Used(); got != 0 {
		t.Errorf("after a reset %d bytes are kept", got)
	}
}

// TestBodiesAreBounded: calls of any number and size take a bounded amount of
// memory. Without a limit for bodies, none are kept.
func TestBodiesAreBounded(t *testing.T) {
	b := newBox(t, Options{JournalBodies: 1 << 20})
	large := `{"externalMetadata":{"a":"` + strings.Repeat("x", 64<<10) + `"}}`
	for range 100 {
		b.call(http.MethodPost, "/v1/users", large)
		if got := b.bodies.Used(); got > 1<<20 {
			t.Fatalf("%d bytes are kept", got)
		}
	}
	if decode[InspectedCall](t, []byte(b.get("/_sandbox/journal/1").must(t, 200).text)).Kept {
		t.Error("the oldest call is still kept")
	}
	if !decode[InspectedCall](t, []byte(b.get("/_sandbox/journal/100").must(t, 200).text)).Kept {
		t.Error("the newest call is not kept")
	}
	none := newBox(t, Options{})
	none.newUser()
	if decode[InspectedCall](t, []byte(none.get("/_sandbox/journal/1").must(t, 200).text)).Kept {
		t.Error("a call is kept without a limit")
	}
}

func TestInspectAndResend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := hooked(t, Options{JournalBodies: 1 << 20}, anyHook)
		m.answer = func(n int) (int, error) { return map[bool]int{true: 500, false: 204}[n == 1], nil }
		b.newUser()
		synctest.Wait()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		shown := decode[InspectedDelivery](t, []byte(b.get("/_sandbox/deliveries/1").must(t, 200).text))
		if !shown.Kept || shown.Event.Body != m.all()[0].body || len(shown.Attempts) != 2 {
			t.Fatalf("got %+v", shown)
		}
		if got := shown.Attempts[1].Request; got.Headers.Get("Smile-Signature") != m.all()[1].signature || got.Body != m.all()[1].body {
			t.Errorf("the second attempt is %+v", got)
		}
		again := decode[delivery.Delivery](t, []byte(b.call(http.MethodPost, "/_sandbox/deliveries/1/resend", "").must(t, 200).text))
		synctest.Wait()
		sent := m.all()
		if len(sent) != 3 || sent[2].body != sent[0].body || sent[2].signature != sent[0].signature {
			t.Errorf("sent again: %+v", sent)
		}
		resent := decode[InspectedDelivery](t, []byte(b.get("/_sandbox/deliveries/2").must(t, 200).text)).Delivery
		if again.Seq != 2 || resent.ResendOf != 1 || resent.State != delivery.Delivered {
			t.Errorf("the resend is %+v", resent)
		}
		b.get("/_sandbox/deliveries/9").must(t, 404)
		b.call(http.MethodPost, "/_sandbox/deliveries/9/resend", "").must(t, 404)
		hook := decode[struct{ ID string }](t, b.list("/v1/webhooks").Items[0]).ID
		b.call(http.MethodDelete, "/v1/webhooks/"+hook, "").must(t, 200)
		b.call(http.MethodPost, "/_sandbox/deliveries/1/resend", "").must(t, http.StatusConflict)
	})
}

func TestResendNeedsTheEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := hooked(t, Options{}, anyHook)
		b.newUser()
		synctest.Wait()
		got := b.call(http.MethodPost, "/_sandbox/deliveries/1/resend", "").must(t, http.StatusGone)
		if !strings.Contains(got.text, "--journal-bodies") {
			t.Errorf("got %s", got.text)
		}
	})
}

func TestInspectUser(t *testing.T) {
	b := newBox(t, Options{})
	userID := b.newUser()
	account := b.george(userID, "sss_ph")
	b.george(b.newUser(), "cdecorp")
	shown := decode[map[string]any](t, []byte(b.get("/_sandbox/users/"+userID).must(t, 200).text))
	data, _ := shown["data"].([]any)
	if len(data) != 1 || len(shown["tasks"].([]any)) != 1 || shown["invite"] != nil {
		t.Fatalf("got %+v", shown)
	}
	of, _ := data[0].(map[string]any)
	payload, _ := of["payload"].(map[string]any)
	contributions, _ := payload["contributions"].(map[string]any)
	if items, _ := contributions["items"].([]any); of["id"] != account.ID || len(items) != 3 {
		t.Errorf("the data is %+v", of)
	}
	b.get("/_sandbox/users/nobody").must(t, http.StatusNotFound)
}

func TestKeyPairs(t *testing.T) {
	b := newBox(t, Options{Keys: []KeyPair{{Key: "sandbox-key", Secret: "sandbox-secret"}, {"live-key", "hush", ModeProduction}}})
	got := b.get("/_sandbox/keys").must(t, 200).text
	if !strings.Contains(got, "sandbox-secret") || strings.Contains(got, "hush") {
		t.Errorf("got %s", got)
	}
	if got := b.get("/_sandbox/keys?secrets=true").must(t, 200).text; !strings.Contains(got, "hush") {
		t.Errorf("on request %s", got)
	}
}
