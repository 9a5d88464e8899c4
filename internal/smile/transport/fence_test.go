package transport

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// mutations are all calls that change something at Smile, by operation.
var mutations = map[string]func(context.Context, *smile.Mutator) error{
	"create-user":  create,
	"create-token": func(ctx context.Context, m *smile.Mutator) error { _, err := m.CreateToken(ctx, "u-1"); return err },
	"create-webhook": func(ctx context.Context, m *smile.Mutator) error {
		_, err := m.CreateWebhook(ctx, smile.NewWebhook{
			Name: "hook", URL: smile.NewSensitive("https://receiver.test"), EventTypes: []smile.EventType{smile.EventAccountCreated},
			Secret: smile.NewSensitive("0123456789abcdef0123456789abcdef"),
		})
		return err
	},
	"delete-webhook": func(ctx context.Context, m *smile.Mutator) error { return m.DeleteWebhook(ctx, "w-1") },
	"delete-account": func(ctx context.Context, m *smile.Mutator) error { return m.RevokeAccount(ctx, "a-1") },
	"delete-archive": func(ctx context.Context, m *smile.Mutator) error { return m.RevokeArchive(ctx, "a-1") },
}

// mutate makes each call that changes something at Smile, and returns its error.
func mutate(ctx context.Context, t *testing.T, transport *Transport) map[string]error {
	t.Helper()
	errs := map[string]error{}
	for _, operation := range smile.Operations() {
		if !operation.Mutates() {
			continue
		}
		call, ok := mutations[operation.ID]
		if !ok {
			t.Fatalf("no test makes the call %s", operation.ID)
		}
		errs[operation.ID] = call(ctx, clientOf(transport))
	}
	return errs
}

func TestAFenceThatRefusesStopsEachMutatingCallAndNoRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusal := errors.New("not the leader")
		transport := piped(t, Config{Fence: func() error { return refusal }}, func(conn net.Conn, r *http.Request) bool {
			if r.Method != http.MethodGet {
				t.Errorf("sent %s %s", r.Method, r.URL)
			}
			return write(conn, answerTo(r))
		})
		for operation, err := range mutate(t.Context(), t, transport) {
			if !errors.Is(err, refusal) || !smile.NotCreated(err) {
				t.Errorf("%s: %v", operation, err)
			}
		}
		if err := probe(t.Context(), clientOf(transport)); err != nil {
			t.Errorf("a read: %v", err)
		}
	})
}

// A standby may mint link tokens. Nothing else that it does changes anything at Smile.
func TestAStandbyMintsTokensAndDoesNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusal := errors.New("not the leader")
		var sent []string
		transport := piped(t, Config{Fence: func() error { return refusal }}, func(conn net.Conn, r *http.Request) bool {
			sent = append(sent, r.Method+" "+r.URL.Path)
			return write(conn, answerTo(r))
		})
		for operation, err := range mutate(OnStandby(t.Context()), t, transport) {
			if operation != "create-token" && !errors.Is(err, refusal) {
				t.Errorf("%s: %v", operation, err)
			}
			if operation == "create-token" && errors.Is(err, refusal) {
				t.Error("the fence stops a link token of a standby")
			}
		}
		if !slices.Equal(sent, []string{"POST /v1/tokens"}) {
			t.Errorf("sent %v", sent)
		}
	})
}

func TestATransportWithoutAFenceRefusesEachMutatingCall(t *testing.T) {
	policy, err := NewHostPolicy("", []string{pipeOrigin})
	if err != nil {
		t.Fatal(err)
	}
	for operation, err := range mutate(t.Context(), t, New(Config{Credentials: keys, Hosts: policy})) {
		if !errors.Is(err, errNoFence) || !smile.NotCreated(err) {
			t.Errorf("%s: %v", operation, err)
		}
	}
}
