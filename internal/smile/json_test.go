package smile

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheckJSON(t *testing.T) {
	nested := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	tests := []struct {
		name, body string
		want       error
	}{
		{"object", `{"a":{"b":[1,"x",null,true,{}]},"c":1e999}`, nil},
		{"scalar", ` null `, nil},
		{"same key in siblings", `[{"a":1},{"a":{"a":2}}]`, nil},
		{"deepest", nested(maxDepth), nil},
		{"empty", "", ProblemEmpty},
		{"blank", " \r\n\t", ProblemEmpty},
		{"too deep", nested(maxDepth + 1), ProblemTooDeep},
		{"far too deep", strings.Repeat(`{"a":`, 100_000), ProblemTooDeep},
		{"duplicate key", `{"a":1,"b":2,"a":3}`, ProblemDuplicateKey},
		{"duplicate key, escaped", `{"a":1,"\u0061":3}`, ProblemDuplicateKey},
		{"duplicate key, deep", `[{"x":[{"a":{},"a":{}}]}]`, ProblemDuplicateKey},
		{"open array", `[1,2`, ProblemTruncated},
		{"open object", `{"a":1`, ProblemTruncated},
		{"open string", `{"a":"b`, ProblemTruncated},
		{"half a literal", `[tru`, ProblemTruncated},
		{"HTML", `<html></html>`, ProblemNotJSON},
		{"two values", `{} {}`, ProblemNotJSON},
		{"trailing bracket", `{}]`, ProblemNotJSON},
		{"trailing comma", `[1,]`, ProblemNotJSON},
		{"missing comma", `[1 2]`, ProblemNotJSON},
		{"wrong bracket", `[1}`, ProblemNotJSON},
		{"unquoted key", `{a:1}`, ProblemNotJSON},
		{"number as key", `{1:1}`, ProblemNotJSON},
		{"NUL", "{\"a\":\"\x00\"}", ProblemNotJSON},
	}
	for _, test := range tests {
		if got := checkJSON([]byte(test.body)); !errors.Is(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"x",null]}`, `[{"a":1,"a":2}]`, `{"a":`, `[1,]`, `"\ud800"`, "[[[["} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := checkJSON(body)
		valid := json.Valid(body)
		switch {
		case err == nil && !valid:
			t.Errorf("accepted invalid JSON: %q", body)
		case valid && err != nil && !errors.Is(err, ProblemTooDeep) && !errors.Is(err, ProblemDuplicateKey):
			t.Errorf("refused JSON %q: %v", body, err)
		}
	})
}

func TestTimestamp(t *testing.T) {
	second := time.Date(2021, 4, 14, 9, 30, 24, 0, time.UTC)
	tests := []struct {
		json string
		want time.Time
	}{
		{`"2021-04-14T09:30:24Z"`, second},
		{`"2021-04-14T09:30:24.5Z"`, second.Add(500 * time.Millisecond)},
		{`"2021-04-14T09:30:24.123456789Z"`, second.Add(123456789)},
		{`"2021-04-14T17:30:24+08:00"`, second},
		{`"2021-04-14T17:30:24+0800"`, second},
		{`"2021-04-14T09:30:24"`, second},
		{`"2021-04-14T09:30:24.5"`, second.Add(500 * time.Millisecond)},
		{`"2021-04-14"`, time.Date(2021, 4, 14, 0, 0, 0, 0, time.UTC)},
		{`"9999-12-31T23:59:59Z"`, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{`null`, time.Time{}},
		{`""`, time.Time{}},
		{`"yesterday"`, time.Time{}},
		{`"2021-13-45T09:30:24Z"`, time.Time{}},
		{`1618392624`, time.Time{}},
		{`{"seconds":1}`, time.Time{}},
	}
	for _, test := range tests {
		got, err := decode[timestamp](json.RawMessage(test.json))
		if err != nil || !got.Equal(test.want) {
			t.Errorf("%s = %v, %v; want %v", test.json, got, err, test.want)
		}
		if pointer := got.pointer(); (pointer == nil) != test.want.IsZero() {
			t.Errorf("%s: pointer() = %v", test.json, pointer)
		}
	}
}

func TestEnum(t *testing.T) {
	tests := []struct{ json, want string }{
		{`"CONNECTED"`, "CONNECTED"},
		{`"Started"`, "Started"},
		{`"BRAND_NEW_2"`, "BRAND_NEW_2"},
		{`""`, ""},
		{`null`, ""},
		{`"with blank"`, Unrecognized},
		{`"line\nbreak"`, Unrecognized},
		{`"\u001b[31m"`, Unrecognized},
		{`"` + strings.Repeat("A", maxEnumLength) + `"`, strings.Repeat("A", maxEnumLength)},
		{`"` + strings.Repeat("A", maxEnumLength+1) + `"`, Unrecognized},
		{`7`, Unrecognized},
		{`{"a":1}`, Unrecognized},
	}
	for _, test := range tests {
		if got, err := decode[enum](json.RawMessage(test.json)); err != nil || string(got) != test.want {
			t.Errorf("%s = %q, %v; want %q", test.json, got, err, test.want)
		}
	}
}

func TestRequestID(t *testing.T) {
	tests := []struct{ json, want string }{
		{`"5b79399a-6852-4234-bb0e-ad472648282d"`, "5b79399a-6852-4234-bb0e-ad472648282d"},
		{`"` + strings.Repeat("a", 64) + `"`, strings.Repeat("a", 64)},
		{`"` + strings.Repeat("a", 65) + `"`, ""},
		{`"a b"`, ""},
		{`"a_b"`, ""},
		{`"é"`, ""},
		{`7`, ""},
		{`null`, ""},
	}
	for _, test := range tests {
		if got, err := decode[requestID](json.RawMessage(test.json)); err != nil || string(got) != test.want {
			t.Errorf("%s = %q, %v; want %q", test.json, got, err, test.want)
		}
	}
}

func TestValidID(t *testing.T) {
	good := []string{"a", "a-17bbf36498de4d68a0d4f86c7b62f69f", "sss_ph", "Tenant1-A_b", strings.Repeat("x", 200)}
	bad := []string{"", strings.Repeat("x", 201), "a/b", "..", "../webhooks/x", "a?b", "a%2fb", "a b", "ä", "a\n", "a.b", "a;b", "a#b", `a\b`}
	for _, id := range good {
		if !validID(id) {
			t.Errorf("%q is refused", id)
		}
	}
	for _, id := range bad {
		if validID(id) {
			t.Errorf("%q passes", id)
		}
	}
}

func TestPrintable(t *testing.T) {
	tests := map[string]string{
		"Grab Holdings":           "Grab Holdings",
		"Größe 日本":                "Größe 日本",
		"a\r\nb\x1b[31m\u202ec":   "ab[31mc",
		strings.Repeat("é", 1000): strings.Repeat("é", 256),
	}
	for text, want := range tests {
		if diff := cmp.Diff(want, printable(text)); diff != "" {
			t.Errorf("printable(%q) (-want +got):\n%s", text, diff)
		}
	}
}

func TestOperationsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, operation := range Operations() {
		if seen[operation.ID] || operation.ID == "" || operation.Method == "" {
			t.Errorf("operation %+v is listed twice or incomplete", operation)
		}
		seen[operation.ID] = true
	}
	if len(seen) != 18+len(datapoints) {
		t.Errorf("%d operations", len(seen))
	}
}
