package audit

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const logLines = `{"kind":"Event","level":"Metadata","stage":"ResponseComplete","verb":"patch","user":{"username":"ann"},"objectRef":{"resource":"smileusers","namespace":"n","name":"george","apiGroup":"smile-operator.io","apiVersion":"v1alpha1","subresource":"status"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-03-01T10:00:00.5Z","annotations":{"authorization.k8s.io/decision":"allow"}}
{"kind":"Event","verb":"list","user":{"username":"ann"},"objectRef":{"resource":"secrets","apiVersion":"v1"},"responseStatus":{"code":403},"requestReceivedTimestamp":"2026-03-01T10:00:01Z","annotations":{"authorization.k8s.io/decision":"forbid"}}
{"kind":"Event","verb":"get","user":{"username":"bob"},"requestURI":"/api","responseStatus":{"code":200},"requestReceivedTimestamp":"2026-03-01T10:00:02Z"}
`

func logged() []Request {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	return []Request{
		{
			User: "ann", Verb: "patch", Group: "smile-operator.io", Resource: "smileusers/status", Namespace: "n",
			Name: "george", Code: 200, At: at.Add(500 * time.Millisecond),
		},
		{User: "ann", Verb: "list", Resource: "secrets", Code: 403, Forbidden: true, At: at.Add(time.Second)},
		{User: "bob", Verb: "get", Code: 200, At: at.Add(2 * time.Second)},
	}
}

func TestReadFromAnOffset(t *testing.T) {
	t.Parallel()
	log, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if end, err := log.End(); end != 0 || err != nil {
		t.Errorf("a log that does not exist ends at %d, %v", end, err)
	}
	unfinished := logLines + `{"kind":"Event","verb":"cre`
	if err := os.WriteFile(log.Path, []byte(unfinished), 0o600); err != nil {
		t.Fatal(err)
	}
	want := logged()
	all, err := log.After(0)
	if diff := cmp.Diff(want, all); diff != "" || err != nil {
		t.Errorf("the whole log: %v\n%s", err, diff)
	}
	first := int64(strings.Index(logLines, "\n") + 1)
	rest, err := log.After(first)
	if diff := cmp.Diff(want[1:], rest); diff != "" || err != nil {
		t.Errorf("the log from its second line on: %v\n%s", err, diff)
	}
	if end, err := log.End(); end != int64(len(unfinished)) || err != nil {
		t.Errorf("the log ends at %d, %v, want %d", end, err, len(unfinished))
	}
}

func TestRequestsOfAUser(t *testing.T) {
	t.Parallel()
	log, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// The last line names the user, but is of somebody else. The one before it does not, and cannot be decoded.
	others := "not JSON\n" + `{"verb":"get","user":{"username":"bob"},"objectRef":{"namespace":"n","name":"ann"}}` + "\n"
	if err := os.WriteFile(log.Path, []byte(logLines+others), 0o600); err != nil {
		t.Fatal(err)
	}
	want := logged()
	for _, test := range []struct {
		namespace string
		offset    int64
		want      []Request
	}{
		{"n", 0, want[:1]}, {"", 0, want[:2]}, {"m", 0, nil}, {"n", int64(strings.Index(logLines, "\n") + 1), nil},
	} {
		got, err := log.Of("ann", test.namespace, test.offset)
		if diff := cmp.Diff(test.want, got); diff != "" && len(got)+len(test.want) > 0 || err != nil {
			t.Errorf("%q from %d on: %v\n%s", test.namespace, test.offset, err, diff)
		}
	}
}

func TestInvalidLogIsAnError(t *testing.T) {
	t.Parallel()
	if requests, err := read(strings.NewReader("not JSON\n"), func([]byte) bool { return true }); err == nil {
		t.Errorf("got %v", requests)
	}
}

func TestWrites(t *testing.T) {
	t.Parallel()
	for verb, want := range map[string]bool{
		"get": false, "list": false, "watch": false,
		"create": true, "update": true, "patch": true, "delete": true, "deletecollection": true,
	} {
		if got := (Request{Verb: verb}).Writes(); got != want {
			t.Errorf("%s writes: %v", verb, got)
		}
	}
}
