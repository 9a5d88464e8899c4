package smile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/smile"
)

func getUser(t *testing.T, c *smile.Mutator) error { _, err := c.User(t.Context(), "t-1"); return err }

func createUser(t *testing.T, c *smile.Mutator) error {
	_, err := c.CreateUser(t.Context(), nil)
	return err
}

func createToken(t *testing.T, c *smile.Mutator) error {
	_, err := c.CreateToken(t.Context(), "t-1")
	return err
}

func listAccounts(t *testing.T, c *smile.Mutator) error {
	_, err := collect(c.Accounts(t.Context(), smile.AccountFilter{UserID: "t-1"}))
	return err
}

func listTasks(t *testing.T, c *smile.Mutator) error {
	_, err := collect(c.Tasks(t.Context(), smile.TaskFilter{UserID: "t-1", SourceID: "a-1"}))
	return err
}

func listItems(t *testing.T, c *smile.Mutator) error {
	_, err := collect(c.Items(t.Context(), smile.Incomes, smile.ItemFilter{UserID: "t-1"}))
	return err
}

func listArchives(t *testing.T, c *smile.Mutator) error {
	_, err := collect(c.Archives(t.Context(), smile.ArchiveFilter{UserID: "t-1"}))
	return err
}

func listProviders(t *testing.T, c *smile.Mutator) error {
	_, err := collect(c.Providers(t.Context(), smile.ProviderFilter{}))
	return err
}

func getPayload(t *testing.T, c *smile.Mutator) error {
	_, err := c.AccountPayload(t.Context(), "a-1")
	return err
}

func revokeAccount(t *testing.T, c *smile.Mutator) error { return c.RevokeAccount(t.Context(), "a-1") }

// TestBadArguments shows that nothing is sent with an invalid argument.
func TestBadArguments(t *testing.T) {
	many := map[string]string{"a": "", "b": "", "c": "", "d": "", "e": "", "f": ""}
	calls := map[string]func(*testing.T, *smile.Mutator, string) error{
		"User": func(t *testing.T, c *smile.Mutator, id string) error { _, err := c.User(t.Context(), id); return err },
		"CreateToken": func(t *testing.T, c *smile.Mutator, id string) error {
			_, err := c.CreateToken(t.Context(), id)
			return err
		},
		"Account": func(t *testing.T, c *smile.Mutator, id string) error {
			_, err := c.Account(t.Context(), id)
			return err
		},
		"RevokeAccount": func(t *testing.T, c *smile.Mutator, id string) error { return c.RevokeAccount(t.Context(), id) },
		"RevokeArchive": func(t *testing.T, c *smile.Mutator, id string) error { return c.RevokeArchive(t.Context(), id) },
		"AccountPayload": func(t *testing.T, c *smile.Mutator, id string) error {
			_, err := c.AccountPayload(t.Context(), id)
			return err
		},
		"Task": func(t *testing.T, c *smile.Mutator, id string) error { _, err := c.Task(t.Context(), id); return err },
		"Provider": func(t *testing.T, c *smile.Mutator, id string) error {
			_, err := c.Provider(t.Context(), id)
			return err
		},
	}
	listings := map[string]func(*testing.T, *smile.Mutator, string) error{
		"Accounts": func(t *testing.T, c *smile.Mutator, id string) error {
			_, err := collect(c.Accounts(t.Context(), smile.AccountFilter{UserID: id}))
			return err
		},
		"Tasks of a user": func(t *testing.T, c *smile.Mutator, id string) error {
			_, err := collect(c.Tasks(t.Context(), smile.TaskFilter{UserID: id}))
			return err
		},
		"Tasks of a source": func(t *testing.T, c *smile.Mutator, id string) error {
			_, err := collect(c.Tasks(t.Context(), smile.TaskFilter{SourceID: id}))
			return err
		},
		"Items": func(t *testing.T, c *smile.Mutator, id string) error {
			_, err := collect(c.Items(t.Context(), smile.Incomes, smile.ItemFilter{SourceID: id}))
			return err
		},
		"Archives": func(t *testing.T, c *smile.Mutator, id string) error {
			_, err := collect(c.Archives(t.Context(), smile.ArchiveFilter{UserID: id}))
			return err
		},
		"Providers": func(t *testing.T, c *smile.Mutator, id string) error {
			_, err := collect(c.Providers(t.Context(), smile.ProviderFilter{IDs: []string{"good", id}}))
			return err
		},
	}
	others := map[string]func(*testing.T, *smile.Mutator, string) error{
		"unknown datapoint": func(t *testing.T, c *smile.Mutator, _ string) error {
			_, err := collect(c.Items(t.Context(), "PALMISTRY", smile.ItemFilter{}))
			return err
		},
	}
	for name, metadata := range map[string]map[string]string{
		"six pairs":     many,
		"empty key":     {"": "x"},
		"long key":      {strings.Repeat("k", 51): "x"},
		"long value":    {"k": strings.Repeat("v", 501)},
		"umlaut key":    {"schlüssel": "x"},
		"umlaut value":  {"k": "Müller"},
		"control value": {"k": "a\nb"},
	} {
		others[name] = func(t *testing.T, c *smile.Mutator, _ string) error {
			_, err := c.CreateUser(t.Context(), metadata)
			return err
		}
	}
	check := func(name, id string, call func(*testing.T, *smile.Mutator, string) error) {
		t.Run(name+" "+id, func(t *testing.T) {
			err := call(t, clientOf(scripted(t)), id)
			var argument *smile.ArgumentError
			if !errors.As(err, &argument) || !smile.NotCreated(err) || !smile.IsInvalid(err) {
				t.Errorf("got %v, want an unsent ArgumentError", err)
			}
		})
	}
	for _, id := range []string{"../webhooks/x", "a/b", "a?b", "a b", strings.Repeat("x", 201)} {
		for name, call := range calls {
			check(name, id, call)
		}
		for name, call := range listings {
			check(name, id, call)
		}
	}
	for name, call := range calls {
		check(name, "", call)
	}
	for name, call := range others {
		check(name, "", call)
	}
}

func TestMetadataBounds(t *testing.T) {
	largest := map[string]string{
		"a": "", "b": "", "c": "", "d": " ~", strings.Repeat("k", 50): strings.Repeat("v", 500),
	}
	doer := scripted(t, `{"user":`+userJSON+`}`)
	if _, err := clientOf(doer).CreateUser(t.Context(), largest); err != nil {
		t.Errorf("the largest metadata: %v", err)
	}
}

// TestCreatedUserIsNeverLost shows that a created user is returned even if its token is missing or invalid.
func TestCreatedUserIsNeverLost(t *testing.T) {
	for _, token := range []string{`null`, `{}`, `{"accessToken":"x"}`, `{"expiresAt":"2026-01-02T08:04:05Z"}`} {
		doer := scripted(t, `{"user":`+userJSON+`,"token":`+token+`}`)
		got, err := clientOf(doer).CreateUser(t.Context(), nil)
		if err != nil {
			t.Errorf("token %s: %v", token, err)
		}
		if diff := cmp.Diff(smile.CreatedUser{User: user}, got); diff != "" {
			t.Errorf("token %s (-want +got):\n%s", token, diff)
		}
	}
}

// TestTolerance shows that new, null and absent fields do no harm.
func TestTolerance(t *testing.T) {
	tests := []struct {
		name, answer string
		want         smile.Account
	}{
		{"only what is needed", `{"id":"a-1","userId":"t-1"}`, smile.Account{ID: "a-1", UserID: "t-1"}},
		{
			"nulls", `{"id":"a-1","userId":"t-1","createdAt":null,"providerId":null,"connectionStatus":null,"connection":null,"monitorStatus":null,"monitor":null}`,
			smile.Account{ID: "a-1", UserID: "t-1"},
		},
		{
			"nulls inside", `{"id":"a-1","userId":"t-1","connection":{"status":null,"errorCode":null,"updatedAt":null},"monitor":{"status":null}}`,
			smile.Account{ID: "a-1", UserID: "t-1"},
		},
		{
			"top-level statuses", `{"id":"a-1","userId":"t-1","connectionStatus":"CONNECTED","monitorStatus":"ACTIVE","monitor":{"stust":"x"}}`,
			smile.Account{ID: "a-1", UserID: "t-1", Connection: smile.Connection{Status: smile.ConnectionConnected}, Monitor: smile.Monitor{Status: smile.MonitorActive}},
		},
		{"new fields", `{"id":"a-1","userId":"t-1","tier":{"a":[1]}}`, smile.Account{ID: "a-1", UserID: "t-1"}},
		{
			"new values", `{"id":"a-1","userId":"t-1","connection":{"status":"HIBERNATING","errorCode":"MOON_PHASE"}}`,
			smile.Account{ID: "a-1", UserID: "t-1", Connection: smile.Connection{Status: "HIBERNATING", ErrorCode: "MOON_PHASE"}},
		},
		{
			"odd values", `{"id":"a-1","userId":"t-1","connection":{"status":"a\nb","errorCode":7},"createdAt":"soon"}`,
			smile.Account{ID: "a-1", UserID: "t-1", Connection: smile.Connection{Status: smile.Unrecognized, ErrorCode: smile.Unrecognized}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := clientOf(scripted(t, test.answer)).Account(t.Context(), "a-1")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestProviderConnectsUnlessItSaysNot(t *testing.T) {
	for answer, want := range map[string]bool{
		`{"id":"p"}`:                           true,
		`{"id":"p","accountConnection":null}`:  true,
		`{"id":"p","accountConnection":true}`:  true,
		`{"id":"p","accountConnection":false}`: false,
	} {
		got, err := clientOf(scripted(t, answer)).Provider(t.Context(), "p")
		if err != nil || got.AccountConnection != want {
			t.Errorf("%s: %v, %v", answer, got.AccountConnection, err)
		}
	}
}
