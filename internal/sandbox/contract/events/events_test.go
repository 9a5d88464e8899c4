package events

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, allowances ...Allowance) *Validator {
	t.Helper()
	text, err := os.ReadFile("testdata/events.yaml")
	if err != nil {
		t.Fatal(err)
	}
	v, err := Read(text, allowances)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const (
	userCreated   = `{"id":"e","version":1,"type":"USER_CREATED","createdAt":"2026-01-02T03:04:05Z","data":{"userId":"tenant-1","session":{"channelId":null}}}`
	accountFailed = `{"id":"e","version":1,"type":"ACCOUNT_FAILED","createdAt":"2026-01-02T03:04:05Z","data":{"providers":["sss_ph"],"errorCode":"INVALID_CREDENTIALS"}}`
)

func TestTypes(t *testing.T) {
	if got := read(t).Types(); !slices.Equal(got, []string{"ACCOUNT_FAILED", "USER_CREATED"}) {
		t.Error(got)
	}
}

// TestCheck: every kind of mistake in an event is found.
func TestCheck(t *testing.T) {
	v := read(t)
	for name, test := range map[string]struct{ event, old, new, wants string }{
		"right":             {userCreated, "", "", ""},
		"right, no session": {userCreated, `,"session":{"channelId":null}`, "", ""},
		"right too":         {accountFailed, "", "", ""},
		"missing":           {userCreated, `"version":1,`, "", "missing property 'version'"},
		"missing inside":    {userCreated, `"userId":"tenant-1",`, "", "missing property 'userId'"},
		"pattern":           {userCreated, "tenant-1", "t-1", "does not match pattern"},
		"format":            {userCreated, "2026-01-02T03:04:05Z", "yesterday", "is not valid date-time"},
		"number":            {userCreated, `"version":1`, `"version":"1"`, "got string, want number"},
		"empty":             {userCreated, `"id":"e"`, `"id":""`, "minLength"},
		"other than null":   {userCreated, `"channelId":null`, `"channelId":7`, "channelId"},
		"null":              {accountFailed, `["sss_ph"]`, "null", "got null, want array"},
		"items":             {accountFailed, `["sss_ph"]`, "[1]", "got number, want string"},
		"value":             {accountFailed, "INVALID_CREDENTIALS", "TIRED", "value must be"},
		"no schema":         {userCreated, "USER_CREATED", "TASK_FINISHED", "no schema for TASK_FINISHED"},
		"not JSON":          {userCreated, "{", "", "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			event := strings.Replace(test.event, test.old, test.new, 1)
			_, err := v.Check([]byte(event))
			if test.wants == "" && err != nil || test.wants != "" && (err == nil || !strings.Contains(err.Error(), test.wants)) {
				t.Errorf("%v, want %q", err, test.wants)
			}
		})
	}
}

func TestAllowances(t *testing.T) {
	without := strings.Replace(accountFailed, `"providers":["sss_ph"],"errorCode":"INVALID_CREDENTIALS"`, `"errorCode":null`, 1)
	other := strings.Replace(accountFailed, "INVALID_CREDENTIALS", "INVALID_MFA", 1)
	for _, event := range []string{without, other} {
		if _, err := read(t).Check([]byte(event)); err == nil {
			t.Errorf("without allowances this passes: %s", event)
		}
	}
	v := read(t, Allowance{Field: "AccountFailedEvent.data.providers", Optional: true},
		Allowance{Field: "AccountFailedEvent.data.errorCode", Nullable: true}, Allowance{Field: "Nothing.here", Nullable: true})
	if _, err := v.Check([]byte(without)); err != nil {
		t.Error(err)
	}
	v = read(t, Allowance{Field: "AccountFailedEvent.data.errorCode", Value: "INVALID_MFA"})
	if _, err := v.Check([]byte(other)); err != nil {
		t.Error(err)
	}
}

func TestUnreadable(t *testing.T) {
	for wants, text := range map[string]string{
		"cannot be read":          "components: [",
		"schema BadEvent":         `{"components":{"schemas":{"BadEvent":{"type":"nothing"}}}}`,
		"schema DanglingEvent":    `{"components":{"schemas":{"DanglingEvent":{"$ref":"#/components/schemas/Nothing"}}}}`,
		"schema UnreachableEvent": `{"components":{"schemas":{"UnreachableEvent":{"$ref":"https://example.com/other.json"}}}}`,
	} {
		if _, err := Read([]byte(text), nil); err == nil || !strings.Contains(err.Error(), wants) {
			t.Errorf("%v, want %s", err, wants)
		}
	}
}
