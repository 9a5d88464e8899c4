package smile_test

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/testenv/stopwatch"
)

const (
	vectorKey  = "a little secret"
	vectorBody = `{"id":"et-1","version":1,"type":"USER_CREATED","createdAt":"2021-04-14T09:30:24Z","data":{"userId":"tenant-1"}}`
	vector     = "6f51b7db7f5d821fc2247f37298c2bc1bddc4b3a57440b9f554d1efc18ac5296461fbc4d1515bd895c1067f2314635bc51af77f29ffd915bde5d3458e1d8f231"
)

func proves(values []string, body, key string) bool {
	signature, ok := smile.ParseSignature(values)
	return signature.Proves([]byte(body), smile.NewSensitive(key)) && ok
}

func signed(body, key string) string {
	mac := hmac.New(sha512.New, []byte(key))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestSignature(t *testing.T) {
	t.Parallel()
	if !proves([]string{vector}, vectorBody, vectorKey) {
		t.Error("the test vector is refused")
	}
	for name, values := range map[string][]string{
		"none": nil, "empty": {""}, "twice": {vector, vector}, "with another": {vector, "x"}, "joined": {vector + "," + vector},
		"upper case": {strings.ToUpper(vector)}, "one upper": {strings.Replace(vector, "f", "F", 1)}, "truncated": {vector[:127]}, "half": {vector[:64]},
		"longer": {vector + "0"}, "prefixed": {"sha512=" + vector}, "spaced": {" " + vector[1:]}, "not hex": {"g" + vector[1:]}, "zeros": {strings.Repeat("0", 128)},
	} {
		if proves(values, vectorBody, vectorKey) {
			t.Errorf("%s is accepted", name)
		}
	}
	for i := range len(vector) * 4 {
		flipped := []byte(vector)
		digit, _ := hex.DecodeString("0" + vector[i/4:i/4+1])
		flipped[i/4] = "0123456789abcdef"[digit[0]^1<<(i%4)]
		if proves([]string{string(flipped)}, vectorBody, vectorKey) {
			t.Errorf("bit %d of the signature does not matter", i)
		}
	}
	for i := range len(vectorBody) * 8 {
		flipped := []byte(vectorBody)
		flipped[i/8] ^= 1 << (i % 8)
		if proves([]string{vector}, string(flipped), vectorKey) {
			t.Errorf("bit %d of the body does not matter", i)
		}
	}
	for _, key := range []string{"", "a little secre", "a little secret ", "another secret!!", strings.Repeat("\x00", 64)} {
		if proves([]string{vector}, vectorBody, key) {
			t.Errorf("key %q proves the vector", key)
		}
	}
	for length := range smile.MinSigningKey {
		key := strings.Repeat("k", length)
		if proves([]string{signed(vectorBody, key)}, vectorBody, key) {
			t.Errorf("a key of %d bytes is accepted", length)
		}
	}
}

// Under fips140=only the standard library panics on keys that are too short.
func TestShortKeysDoNotPanicUnderFIPS(t *testing.T) {
	t.Parallel()
	if os.Getenv("FIPS_CHILD") != "" {
		if !proves([]string{vector}, vectorBody, vectorKey) || proves([]string{vector}, vectorBody, strings.Repeat("k", 13)) || proves([]string{vector}, vectorBody, "") {
			t.Error("under fips140=only, the verification of signatures gives other results")
		}
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestShortKeysDoNotPanicUnderFIPS$", "-test.v")
	child.Env = append(os.Environ(), "FIPS_CHILD=1", "GODEBUG=fips140=only")
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func FuzzSignature(f *testing.F) {
	f.Add(vector, "", vectorBody, vectorKey)
	f.Add(strings.ToUpper(vector), vector, vectorBody, vectorKey)
	f.Add("", "", "", "")
	f.Fuzz(func(t *testing.T, first, second, body, key string) {
		values := []string{first}
		if second != "" {
			values = append(values, second)
		}
		want := len(values) == 1 && len(key) >= 14 && first == signed(body, key)
		if got := proves(values, body, key); got != want {
			t.Errorf("%q proves %q with %q: %v", values, body, key, got)
		}
		if right := signed(body, key); len(key) >= 14 && !proves([]string{right}, body, key) {
			t.Errorf("the right signature of %q with %q is refused", body, key)
		}
	})
}

// The time of a refusal does not reveal how much of a signature is right: Welch's t of signatures that are wrong in the first
// byte against those that are wrong in the last. The machine may be busy, so it is enough that one round of several shows no
// difference; a comparison that stops at the first difference would show one in each.
func TestRefusalsTakeTheSameTime(t *testing.T) {
	key := smile.NewSensitive(strings.Repeat("k", 64))
	body := []byte(vectorBody)
	right, _ := smile.ParseSignature([]string{signed(vectorBody, key.Reveal())})
	wrong := [2]smile.Signature{right, right}
	wrong[0][0] ^= 1
	wrong[1][len(right)-1] ^= 1
	var signature smile.Signature
	difference := stopwatch.Difference(20_000, func(which int) { signature = wrong[which] }, func() { signature.Proves(body, key) })
	if difference >= stopwatch.Apart {
		t.Errorf("the time depends on the bytes: the smallest t is %.1f", difference)
	}
}

func TestParseEvent(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]smile.Event{
		vectorBody: {Type: "USER_CREATED", UserID: "tenant-1", CreatedAt: time.Date(2021, 4, 14, 9, 30, 24, 0, time.UTC)},
		`{"type":"TASK_FINISHED","data":{"userId":"u","sourceId":"a-1","sourceType":"ACCOUNT","status":"SUCCEEDED"}}`: {Type: smile.EventTaskFinished, UserID: "u", AccountID: "a-1"},
		`{"type":"TASK_FINISHED","data":{"userId":"u","sourceId":"a-1","providers":["p"]}}`:                           {Type: smile.EventTaskFinished, UserID: "u", AccountID: "a-1"},
		`{"type":"TASK_FINISHED","data":{"userId":"u","sourceId":"u-1","sourceType":"ARCHIVE"}}`:                      {Type: smile.EventTaskFinished, UserID: "u"},
		`{"type":"TASK_FINISHED","data":{"userId":"u","sourceId":"a-1","status":"FAILED"}}`:                           {Type: smile.EventTaskFinished, UserID: "u", AccountID: "a-1", Troubled: true},
		`{"type":"ACCOUNT_SYNC_TASK_FINISHED","data":{"userId":"u","sourceId":"a-1","monitorStatus":"USER_ACTION_REQUIRED"}}`: {
			Type: smile.EventAccountSyncTaskFinished, UserID: "u", AccountID: "a-1", Troubled: true,
		},
		`{"type":"ACCOUNT_DISCONNECTED","data":{"userId":"u","accountId":"a-1"}}`:             {Type: smile.EventAccountDisconnected, UserID: "u", AccountID: "a-1"},
		`{"type":"ACCOUNT_DISCONNECTED","data":{"userId":"u","accountId":"../a"}}`:            {Type: smile.EventAccountDisconnected, UserID: "u"},
		`{"type":"ACCOUNT_DISCONNECTED","data":{"userId":"u","accountId":7,"sourceId":null}}`: {Type: smile.EventAccountDisconnected, UserID: "u"},
		`{"type":"USER_SESSION_COMPLETED","data":{"session":{"userId":"u-2"},"payload":{}}}`:  {Type: "USER_SESSION_COMPLETED", UserID: "u-2"},
		`{"id":"../x","type":"TASK_FINISHED","data":{"userId":"u","payload":null}}`:           {Type: smile.EventTaskFinished, UserID: "u"},
		`{"id":"e","type":"VERIFICATION_STARTED","data":{"verificationId":"v"}}`:              {Type: "VERIFICATION_STARTED"},
		`{"id":"e","type":"SOMETHING_NEW","data":{"userId":"u"},"more":[1]}`:                  {Type: "SOMETHING_NEW", UserID: "u"},
		`{"id":"e","type":"no type","data":null}`:                                             {Type: smile.Unrecognized},
	} {
		if got, err := smile.ParseEvent([]byte(body)); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", body, got, err, want)
		}
	}
	for body, want := range map[string]smile.Problem{
		``: smile.ProblemEmpty, `x`: smile.ProblemNotJSON, `{"type":"A"`: smile.ProblemTruncated, `{"type":"A","type":"B"}`: smile.ProblemDuplicateKey,
		`{"data":{"userId":"u","userId":"v"},"type":"A"}`: smile.ProblemDuplicateKey, `{}`: "missing field type", `[]`: smile.ProblemWrongType,
		`{"type":"A","data":{"userId":"a/b"}}`: smile.ProblemBadID, `{"type":"A","data":{"userId":7}}`: smile.ProblemWrongType,
		`{"type":"A","data":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`: smile.ProblemTooDeep,
	} {
		if _, err := smile.ParseEvent([]byte(body)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", body, err, want)
		}
	}
}

// texts are the strings at the ends of a path through a document; encoding/json takes names in any case.
func texts(document any, path ...string) (found []string) {
	if len(path) == 0 {
		text, _ := document.(string)
		return []string{text}
	}
	object, _ := document.(map[string]any)
	for name, value := range object {
		if strings.EqualFold(name, path[0]) {
			found = append(found, texts(value, path[1:]...)...)
		}
	}
	return found
}

// The values of a parsed event are those that any JSON parser finds in it.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(vectorBody))
	f.Add([]byte(`{"type":"A","data":{"session":{"userId":"u"}}}`))
	f.Add([]byte(`{"type":"A","Type":"B","data":{"USERID":"v","userId":"u"},"data ":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		event, err := smile.ParseEvent(body)
		if err != nil {
			var problem smile.Problem
			if !errors.As(err, &problem) {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		var document any
		if err := json.Unmarshal(body, &document); err != nil {
			t.Fatalf("%q is an event and no JSON: %v", body, err)
		}
		kinds := append(texts(document, "type"), smile.Unrecognized)
		users := append(texts(document, "data", "userId"), texts(document, "data", "session", "userId")...)
		if !slices.Contains(kinds, string(event.Type)) || !slices.Contains(append(users, ""), event.UserID) {
			t.Errorf("%q is parsed as %+v", body, event)
		}
	})
}

var (
	typeForm = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	idForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)
)

// Whatever the fields of an event contain, it is parsed as it is, or refused because of an invalid id.
func FuzzFieldsOfAnEvent(f *testing.F) {
	f.Add("TASK_FINISHED", "tenant-1", "", "")
	f.Add("USER_SESSION_COMPLETED", "", "tenant-1", "George")
	f.Add("a type", "../webhooks/x", "u", "\x00")
	f.Fuzz(func(t *testing.T, kind, user, sessionUser, more string) {
		body, err := json.Marshal(map[string]any{
			"id": more, "type": kind, "more": []any{more, nil, 1.5},
			"data": map[string]any{"userId": user, "session": map[string]any{"userId": sessionUser, "loginName": more}, "payload": more},
		})
		if err != nil {
			t.Fatal(err)
		}
		want := smile.Event{Type: smile.EventType(kind), UserID: cmp.Or(user, sessionUser)}
		if !typeForm.MatchString(kind) {
			want.Type = smile.Unrecognized
		}
		valid := kind != "" && (want.UserID == "" || idForm.MatchString(want.UserID))
		if got, err := smile.ParseEvent(body); (err == nil) != valid || valid && got != want {
			t.Errorf("%s is parsed as %+v, %v; want %+v, %v", body, got, err, want, valid)
		}
	})
}
