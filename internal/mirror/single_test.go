package mirror

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
)

func ownedJSON(id, userID, status string) string {
	return fmt.Sprintf(`{"id":%q,"userId":%q,"providerId":"p","createdAt":"2026-05-01T12:00:00Z","connection":{"status":%q},"monitor":{"status":"ACTIVE"}}`, id, userID, status)
}

func statusOf(m *Mirror, userID, accountID string) smile.ConnectionStatus {
	account, _ := m.CachedAccount(userID, accountID)
	return account.Connection.Status
}

func TestOneAccountIsReadAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		m.RecordNoAccounts("u1")
		time.Sleep(time.Second)
		r.set("accounts/a1", ownedJSON("a1", "u1", "CONNECTED"))
		hinted := time.Now()
		for range 2 {
			if err := m.RefreshAccount(t.Context(), "", "u1", "a1", hinted); err != nil {
				t.Fatal(err)
			}
		}
		assertCalls(t, r, "accounts/a1")
		if statusOf(m, "u1", "a1") != smile.ConnectionConnected {
			t.Error("the account is not known")
		}
		time.Sleep(time.Second)
		r.set("accounts/a1", ownedJSON("a1", "u1", "DISCONNECTED"))
		if err := m.RefreshAccount(t.Context(), "", "u1", "a1", time.Now()); err != nil || statusOf(m, "u1", "a1") != smile.ConnectionDisconnected {
			t.Error("the account is as it was", err)
		}
	})
}

func TestAllAccountsAreReadIfNoneIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		r.set("accounts", ownedJSON("a1", "u1", "CONNECTED"), ownedJSON("a2", "u1", "CONNECTED"))
		if err := m.RefreshAccount(t.Context(), "", "u1", "a1", time.Now()); err != nil {
			t.Fatal(err)
		}
		assertCalls(t, r, "accounts")
		if statusOf(m, "u1", "a2") == "" {
			t.Error("the other account is not known")
		}
	})
}

func TestAForeignAccountIsReadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, r := startMirror(t)
		m.RecordNoAccounts("u1")
		m.RecordNoAccounts("u2")
		time.Sleep(time.Second)
		r.set("accounts/a2", ownedJSON("a2", "u2", "CONNECTED"))
		hinted := time.Now()
		for _, id := range []string{"a2", "none", "a2", "none"} {
			if err := m.RefreshAccount(t.Context(), "", "u1", id, hinted); err != nil {
				t.Fatal(err)
			}
		}
		assertCalls(t, r, "accounts/a2", "accounts/none")
		if _, ok := m.CachedAccount("u1", "a2"); ok || statusOf(m, "u2", "a2") != smile.ConnectionConnected {
			t.Error("the account does not belong to its owner")
		}
		if !m.IsForeign("u1", "a2") || m.IsForeign("u2", "a2") || m.IsForeign("u1", "none") {
			t.Error("the owner of the account is not known")
		}
	})
}

// A read of all accounts does not replace the result of a read of one account that began later.
func TestALaterReadOfOneAccountPrevails(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]string{"disconnected": ownedJSON("a1", "u1", "DISCONNECTED"), "gone": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, r := startMirror(t)
				r.set("accounts", ownedJSON("a1", "u1", "CONNECTED"))
				if _, err := m.Accounts(t.Context(), "", "u1", time.Now()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				r.takes = 10 * time.Second
				read := make(chan error)
				go func() {
					_, err := m.Accounts(t.Context(), "", "u1", time.Now())
					read <- err
				}()
				time.Sleep(time.Second)
				r.mu.Lock()
				r.takes = 0
				r.mu.Unlock()
				if later != "" {
					r.set("accounts/a1", later)
				}
				if err := m.RefreshAccount(t.Context(), "", "u1", "a1", time.Now()); err != nil {
					t.Fatal(err)
				}
				if err := <-read; err != nil {
					t.Fatal(err)
				}
				if got := statusOf(m, "u1", "a1"); got == smile.ConnectionConnected {
					t.Errorf("the account is %s", got)
				}
			})
		})
	}
}
