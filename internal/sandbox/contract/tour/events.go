package tour

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/contract"
	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// listener is the network of webhooks: it accepts events and keeps them.
type listener struct {
	mu     sync.Mutex
	events [][]byte
}

func (l *listener) RoundTrip(r *http.Request) (*http.Response, error) {
	event, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, event)
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
}

// Events takes the tour of a sandbox, with people with trouble besides, and returns all
// events that webhooks get: each twice, with and without payload.
func Events(ctx context.Context) ([][]byte, error) {
	document, err := contract.Read(server.Description())
	if err != nil {
		return nil, err
	}
	heard := &listener{}
	t, err := newTour(document, server.Options{LinkDelay: linkDelay, DataDelay: dataDelay, WebhookTransport: heard})
	if err != nil {
		return nil, err
	}
	defer t.box.Close()
	for _, payload := range []bool{true, false} {
		if err := t.box.NewWebhook("", server.WebhookRequest{
			Name: "all", URL: "https://127.0.0.1:9/all", EventTypes: []string{delivery.AllEvents}, Active: true, Secret: "s",
			IncludePayload: payload,
		}); err != nil {
			return nil, err
		}
	}
	if err := t.takeAll(join(story, lives, cleanup)); err != nil {
		return nil, err
	}
	if err := t.awaitDeliveries(ctx); err != nil {
		return nil, err
	}
	heard.mu.Lock()
	defer heard.mu.Unlock()
	return slices.Clone(heard.events), nil
}

// lives are the ways in which accounts, sessions and invites end.
var lives = []step{
	{op: "link people with trouble", do: func(t *tour) error {
		for _, trouble := range fixtures.Troubles {
			who := person{"<other>", trouble.Login, fixtures.TroublePassword, fixtures.TroubleCode}
			if err := t.link(who, "nbi_ph", trouble.Login); err != nil {
				return err
			}
			if err := settle(t); err != nil {
				return err
			}
		}
		return t.box.Advance(time.Hour)
	}},
	{op: "fail", do: func(t *tour) error {
		_, err := t.box.Fail(t.memory["<account>"], "EXPIRED_CREDENTIALS")
		return err
	}},
	{op: "complete a session", do: func(t *tour) error { _, err := t.box.CompleteSession(t.memory["<user>"]); return err }},
	{op: "open an invite", do: func(t *tour) error {
		_, err := t.box.AdvanceInvite(t.memory["<invite>"], server.Linked)
		return err
	}},
	{op: "let months pass", do: func(t *tour) error { return t.box.Advance(100 * 24 * time.Hour) }},
}

// awaitDeliveries waits until everything was sent.
func (t *tour) awaitDeliveries(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		waiting := func(d delivery.Delivery) bool { return d.State == delivery.Pending }
		if !slices.ContainsFunc(t.box.Deliveries(0), waiting) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
