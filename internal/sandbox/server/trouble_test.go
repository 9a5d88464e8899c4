package server

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

func (b *box) linkAs(login, providerID string) Account {
	b.t.Helper()
	a, err := b.Link(LinkRequest{
		UserID: b.newUser(), ProviderID: providerID, Login: login, Password: fixtures.TroublePassword, MFA: fixtures.TroubleCode,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *box) account(id string) Account {
	b.t.Helper()
	return decode[Account](b.t, b.get("/v1/accounts/"+id).must(b.t, 200).Data)
}

// TestEachErrorCodeHasALogin: with and without a second factor.
func TestEachErrorCodeHasALogin(t *testing.T) {
	b := newBox(t, Options{})
	reached := map[string]bool{}
	for _, trouble := range fixtures.Troubles {
		if trouble.ErrorCode == "" || trouble.Later > 0 {
			continue
		}
		for _, provider := range []string{"sss_ph", "cdecorp"} {
			a := b.linkAs(trouble.Login, provider)
			if a.ConnectionStatus != Failed || a.Connection.ErrorCode == nil || *a.Connection.ErrorCode != trouble.ErrorCode {
				t.Errorf("%s at %s: %+v", trouble.Login, provider, a.Connection)
			}
		}
		reached[trouble.ErrorCode] = true
	}
	if diff := gocmp.Diff(slices.Sorted(maps.Keys(accountErrors)), slices.Sorted(maps.Keys(reached))); diff != "" {
		t.Error(diff)
	}
}

// TestErrorsBeforeAndAfterTheCode: a locked account is not asked for a code.
func TestErrorsBeforeAndAfterTheCode(t *testing.T) {
	b := newBox(t, Options{})
	for login, want := range map[string]ConnectionStatus{"locked": Failed, "mfa-timeout": AwaitingMFA, "wrong-code": AwaitingMFA} {
		a, err := b.Link(LinkRequest{UserID: b.newUser(), ProviderID: "sss_ph", Login: login, Password: fixtures.TroublePassword})
		if err != nil || a.ConnectionStatus != want {
			t.Errorf("%s: %s %v", login, a.ConnectionStatus, err)
		}
	}
}

func TestPathsOfAnAccountsLife(t *testing.T) {
	b := newBox(t, Options{})
	readable := func(a Account) int {
		return len(b.list("/v1/contributions?sourceId=" + a.ID).Items)
	}
	slow, late := b.linkAs("slow", "sss_ph"), b.linkAs("late-data", "sss_ph")
	partial, empty, updates := b.linkAs("partial", "sss_ph"), b.linkAs("no-data", "sss_ph"), b.linkAs("updates", "sss_ph")
	leaves, locked := b.linkAs("disconnects", "sss_ph"), b.linkAs("locked-later", "sss_ph")
	for _, a := range []Account{late, partial, empty, updates, leaves, locked} {
		if a.ConnectionStatus != Connected {
			t.Errorf("%+v", a)
		}
	}
	if slow.ConnectionStatus != Pending || readable(late) != 0 || readable(partial) != 0 || readable(empty) != 0 || readable(updates) != 3 {
		t.Error("at first", slow.ConnectionStatus, readable(late), readable(partial), readable(empty), readable(updates))
	}
	if n := len(b.list("/v1/identities?sourceId=" + partial.ID).Items); n != 1 {
		t.Errorf("partial has %d identities", n)
	}
	b.wall.advance(time.Minute)
	if got := b.account(slow.ID); got.ConnectionStatus != Connected {
		t.Error("slow", got.ConnectionStatus)
	}
	if got := b.account(leaves.ID); got.ConnectionStatus != Disconnected {
		t.Error("disconnects", got.ConnectionStatus)
	}
	if got := b.account(locked.ID); got.ConnectionStatus != Failed || *got.Connection.ErrorCode != "ACCOUNT_LOCKED" || got.MonitorStatus != MonitorActionRequired {
		t.Errorf("locked-later %+v", got)
	}
	if n := readable(updates); n != 4 {
		t.Errorf("updates has %d contributions", n)
	}
	b.wall.advance(4 * time.Minute)
	if n := readable(late); n != 3 {
		t.Errorf("late-data has %d contributions", n)
	}
	tasks := b.list("/v1/tasks?sourceId=" + empty.ID).Items
	if len(tasks) != 1 || !strings.Contains(string(tasks[0]), `"Finished"`) || readable(empty) != 0 {
		t.Errorf("no-data: %s", tasks)
	}
}

// TestDocumentedTroubles: the table in the documentation is the table here.
func TestDocumentedTroubles(t *testing.T) {
	page, err := os.ReadFile("../../../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for _, trouble := range fixtures.Troubles {
		code := ""
		if trouble.ErrorCode != "" {
			code = "`" + trouble.ErrorCode + "`"
		}
		rows.WriteString(strings.Join([]string{"| `" + trouble.Login + "`", code, trouble.Effect + " |\n"}, " | "))
	}
	if !strings.Contains(string(page), rows.String()) {
		t.Errorf("docs/sandbox.md should have these rows:\n%s", rows.String())
	}
}
