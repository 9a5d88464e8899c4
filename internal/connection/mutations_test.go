package connection

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// mutations are all calls that change something at Smile.
var mutations = map[string]func(context.Context, *Connection) error{
	"CreateUser": func(ctx context.Context, c *Connection) error {
		_, err := c.CreateUser(ctx, nil, func() error { return nil })
		return err
	},
	"CreateToken": func(ctx context.Context, c *Connection) error { _, err := c.CreateToken(ctx, "u-1"); return err },
	"CreateWebhook": func(ctx context.Context, c *Connection) error {
		_, err := c.CreateWebhook(ctx, smile.NewWebhook{
			Name: "hook", URL: smile.NewSensitive("https://receiver.test"), EventTypes: []smile.EventType{smile.EventAccountCreated},
			Secret: smile.NewSensitive("0123456789abcdef"),
		})
		return err
	},
	"DeleteWebhook": func(ctx context.Context, c *Connection) error { return c.DeleteWebhook(ctx, "w-1") },
	"RevokeAccount": func(ctx context.Context, c *Connection) error { return c.RevokeAccount(ctx, "a-1") },
	"RevokeArchive": func(ctx context.Context, c *Connection) error { return c.RevokeArchive(ctx, "a-1") },
	"RevokeDeclared": func(ctx context.Context, c *Connection) error {
		_, err := c.RevokeDeclared(ctx, "a-1", func(context.Context) error { return nil })
		return err
	},
}

// An object shows what would be done.
func TestAConnectionThatObservesChangesNothing(t *testing.T) {
	t.Parallel()
	for name, would := range map[string]change{
		"CreateUser": userCreated, "CreateToken": tokenMinted, "CreateWebhook": webhookRegistered, "DeleteWebhook": webhookDeleted,
		"RevokeAccount": accountRevoked, "RevokeArchive": archiveRevoked, "RevokeDeclared": accountRevoked,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, keys("keys", "key-one"))
			conn := w.refresh(t, connection("smile", "keys", func(c *v1alpha1.SmileConnection) {
				c.Spec.ManagementPolicy = v1alpha1.PolicyObserve
			}))
			err := mutations[name](t.Context(), conn)
			shown := problem.Classify(err)
			if shown.Reason != v1alpha1.ReasonObserveOnly || !strings.HasSuffix(shown.Message, string(would)) || !smile.NotCreated(err) {
				t.Errorf("%v", err)
			}
			if calls := w.calls.Load(); calls != 0 {
				t.Errorf("%d calls", calls)
			}
		})
	}
	if len(mutations) != 7 {
		t.Errorf("%d mutations are known", len(mutations))
	}
}

func TestTheFenceOfTheRegistryStopsEachMutation(t *testing.T) {
	t.Parallel()
	for name, call := range mutations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, keys("keys", "key-one"))
			w.fence = errors.New("not the leader")
			if err := call(t.Context(), w.refresh(t, connection("smile", "keys"))); !errors.Is(err, w.fence) || !smile.NotCreated(err) {
				t.Errorf("%v", err)
			}
			if calls := w.calls.Load(); calls != 0 {
				t.Errorf("%d calls", calls)
			}
		})
	}
}

func TestTheFenceOfTheRegistryLetsTheTokensOfStandbysPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("keys", "key-one"))
	w.fence = errors.New("not the leader")
	conn := w.refresh(t, connection("smile", "keys"))
	if _, err := conn.CreateTokenOnStandby(t.Context(), "u-1"); errors.Is(err, w.fence) || w.calls.Load() != 1 {
		t.Errorf("%v, %d calls", err, w.calls.Load())
	}
}

func TestACreateIsNotSentIfItsCheckFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("keys", "key-one"))
	taken := errors.New("the subject is another object's")
	_, err := w.refresh(t, connection("smile", "keys")).CreateUser(t.Context(), nil, func() error { return taken })
	if !errors.Is(err, taken) || !smile.NotCreated(err) || w.calls.Load() != 0 {
		t.Errorf("%v, %d calls", err, w.calls.Load())
	}
}

func TestRevokesOfDeletionsTakeFromTheRevokeLimiter(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]func(*Connection, context.Context) error{
		"accounts": func(c *Connection, ctx context.Context) error { return c.RevokeAccount(ctx, "a-1") },
		"archives": func(c *Connection, ctx context.Context) error { return c.RevokeArchive(ctx, "a-1") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, keys("keys", "key-one"))
			conn := w.refresh(t, connection("smile", "keys"))
			w.fence = errors.New("not the leader")
			for range revokeLimit {
				_ = revoke(conn, t.Context())
			}
			w.fence = nil
			for i := range revokeLimit { // what was not sent was given back
				if err := revoke(conn, t.Context()); err != nil {
					t.Fatalf("revoke %d: %v", i, err)
				}
			}
			if err := revoke(conn, t.Context()); !errors.Is(err, errPaused) || !smile.NotCreated(err) {
				t.Errorf("one above the limit: %v", err)
			}
			if calls := w.calls.Load(); calls != revokeLimit {
				t.Errorf("%d calls", calls)
			}
		})
	}
}

func TestADeclaredRevokeIsSentOnlyIfTheLimitPermitsItAndItIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keys("keys", "key-one"))
	obj := connection("smile", "keys")
	obj.Spec.Revokes = &v1alpha1.DeclaredRevokes{PerDay: 1}
	conn := w.refresh(t, obj)
	stored, conflict := func(context.Context) error { return nil }, errors.New("conflict")

	recorded, err := conn.RevokeDeclared(t.Context(), "a-1", func(context.Context) error { return conflict })
	if recorded || !errors.Is(err, conflict) || w.calls.Load() != 0 {
		t.Errorf("not recorded: %v, %v, %d calls", recorded, err, w.calls.Load())
	}
	w.fence = errors.New("not the leader")
	if recorded, err = conn.RevokeDeclared(t.Context(), "a-1", stored); !recorded || !smile.NotCreated(err) {
		t.Errorf("not sent: %v, %v", recorded, err)
	}
	w.fence = nil
	w.status.Store(http.StatusInternalServerError)
	if recorded, err = conn.RevokeDeclared(t.Context(), "a-1", stored); !recorded || err == nil || smile.NotCreated(err) {
		t.Errorf("sent: %v, %v", recorded, err)
	}
	recorded, err = conn.RevokeDeclared(t.Context(), "a-1", stored)
	if recorded || !problem.Is(err, v1alpha1.ReasonRevokeLimitReached) || w.calls.Load() != 1 {
		t.Errorf("past the limit: %v, %v, %d calls", recorded, err, w.calls.Load())
	}
}
