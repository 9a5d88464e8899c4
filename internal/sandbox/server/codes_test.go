package server

import (
	"net/http"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// begin logs in at sss_ph, up to the code.
func (b *box) begin(token, login, password string) accountOfLogin {
	b.t.Helper()
	return decode[accountOfLogin](b.t, b.logIn(token, "sss_ph", login, password).must(b.t, http.StatusOK).Data)
}

// enter sends the code of a login.
func (b *box) enter(token string, begun accountOfLogin, code string) accountOfLogin {
	b.t.Helper()
	body := string(wire.Encode(map[string]any{"code": code, "attempt": begun.Attempt}))
	return decode[accountOfLogin](b.t, b.call(http.MethodPost, "/v1/link/accounts/"+begun.ID+"/mfa", body, bearer(token)).must(b.t, http.StatusOK).Data)
}

// names lists the people whose data is readable, by their accounts.
func (b *box) names(userID string) map[string]string {
	b.t.Helper()
	found := map[string]string{}
	for _, row := range b.list("/v1/identities?userId=" + userID).Items {
		read := decode[struct {
			FullName string
			Metadata struct{ AccountID string }
		}](b.t, row)
		found[read.Metadata.AccountID] = read.FullName
	}
	return found
}

// TestACodeBelongsToItsLogin: windows do not disturb each other.
func TestACodeBelongsToItsLogin(t *testing.T) {
	const george = "George Cimafranca Palomero, Jr"
	t.Run("one person", func(t *testing.T) {
		b := newBox(t, Options{})
		userID, token := b.newcomer()
		first, second := b.begin(token, "George", "123456"), b.begin(token, "George", "123456")
		if first.ID != second.ID || first.Attempt == second.Attempt {
			t.Fatalf("the logins are %+v and %+v", first, second)
		}
		for _, begun := range []accountOfLogin{first, second, first} {
			if got := b.enter(token, begun, "1234"); got.ConnectionStatus != Connected {
				t.Errorf("after the code %+v", got)
			}
		}
		if got := b.names(userID); len(got) != 1 {
			t.Errorf("data of %v", got)
		}
	})
	t.Run("two people", func(t *testing.T) {
		b := newBox(t, Options{})
		userID, token := b.newcomer()
		first, second := b.begin(token, "George", "123456"), b.begin(token, "Anisha", "123456")
		b.enter(token, first, "1234")
		if got := b.names(userID); len(got) != 1 || got[first.ID] != george {
			t.Errorf("the code of George connects %v", got)
		}
		if got := b.enter(token, second, "1234"); got.ConnectionStatus != Connected || len(b.names(userID)) != 2 {
			t.Errorf("then %+v, data of %v", got, b.names(userID))
		}
	})
	for name, disturb := range map[string]func(*box, string, accountOfLogin){
		"wrong password": func(b *box, token string, _ accountOfLogin) { b.begin(token, "George", "wrong") },
		"unknown login":  func(b *box, token string, _ accountOfLogin) { b.begin(token, "Gorge", "123456") },
		"somebody else after a wrong password": func(b *box, token string, _ accountOfLogin) {
			b.begin(token, "George", "wrong")
			b.begin(token, "Anisha", "123456")
		},
		"wrong code": func(b *box, token string, _ accountOfLogin) {
			if got := b.enter(token, b.begin(token, "George", "123456"), "1"); got.ConnectionStatus != Failed {
				b.t.Errorf("after a wrong code %+v", got)
			}
		},
		"a restart": func(*box, string, accountOfLogin) {},
	} {
		t.Run(name, func(t *testing.T) {
			options := Options{Data: t.TempDir()}
			b := newBox(t, options)
			userID, token := b.newcomer()
			first := b.begin(token, "George", "123456")
			disturb(b, token, first)
			options.Now, options.Seed = b.wall.now, "test"
			b = reopened(t, b, options)
			if got := b.enter(token, first, "1234"); got.ConnectionStatus != Connected || b.names(userID)[first.ID] != george {
				t.Errorf("after the code %+v, data of %v", got, b.names(userID))
			}
		})
	}
	t.Run("ended", func(t *testing.T) {
		b := newBox(t, Options{})
		_, token := b.newcomer()
		begun := b.begin(token, "George", "123456")
		if _, err := b.Fail(begun.ID, "MFA_TIMEOUT"); err != nil {
			t.Fatal(err)
		}
		if got := b.enter(token, begun, "1234"); got.ConnectionStatus != Failed || *got.Connection.ErrorCode != "MFA_TIMEOUT" {
			t.Errorf("after the code %+v", got)
		}
		begun.Attempt++
		b.call(http.MethodPost, "/v1/link/accounts/"+begun.ID+"/mfa", `{"code":"1234","attempt":99}`, bearer(token)).must(t, http.StatusBadRequest)
	})
}

func TestWrongCodes(t *testing.T) {
	b := newBox(t, Options{LinkDelay: time.Second, Quirks: map[string]string{"wrong-code": "retry"}})
	_, token := b.newcomer()
	read := func(a accountOfLogin) accountOfLogin {
		b.wall.advance(time.Second)
		return decode[accountOfLogin](t, b.get("/v1/link/accounts/"+a.ID, bearer(token)).must(t, http.StatusOK).Data)
	}
	begun := read(b.begin(token, "George", "123456"))
	for _, want := range []int{3, 2, 1} {
		if begun.ConnectionStatus != AwaitingMFA || begun.TriesLeft != want {
			t.Fatalf("%d tries left, want %d: %+v", begun.TriesLeft, want, begun)
		}
		begun = read(b.enter(token, begun, "0000"))
	}
	if begun.ConnectionStatus != Failed || *begun.Connection.ErrorCode != "INVALID_MFA" || begun.TriesLeft != 0 {
		t.Errorf("after three wrong codes %+v", begun)
	}
	begun = read(b.enter(token, read(b.begin(token, "George", "123456")), "1"))
	if begun = read(b.enter(token, begun, " 12 34 ")); begun.ConnectionStatus != Connected {
		t.Errorf("after a wrong and a right code %+v", begun)
	}
}
