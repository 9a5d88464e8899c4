package server

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
)

func pairs(n int) string {
	var all []string
	for i := range n {
		all = append(all, `"k`+strconv.Itoa(i)+`":"v"`)
	}
	return `{"externalMetadata":{` + strings.Join(all, ",") + `}}`
}

func pair(key, value string) string { return `{"externalMetadata":{"` + key + `":"` + value + `"}}` }

// TestBodies tries every documented limit, and one beyond it.
func TestBodies(t *testing.T) {
	b := newBox(t, Options{})
	for name, test := range map[string]struct {
		body   string
		status int
		names  string // the field that the message must name
	}{
		"none":                {"", 201, ""},
		"blank":               {" \n", 201, ""},
		"empty object":        {"{}", 201, ""},
		"null metadata":       {`{"externalMetadata":null}`, 201, ""},
		"empty metadata":      {`{"externalMetadata":{}}`, 201, ""},
		"unknown field":       {`{"nickname":1}`, 201, ""},
		"5 pairs":             {pairs(5), 201, ""},
		"6 pairs":             {pairs(6), 400, "externalMetadata"},
		"key of 50":           {pair(strings.Repeat("k", 50), "v"), 201, ""},
		"key of 51":           {pair(strings.Repeat("k", 51), "v"), 400, "externalMetadata"},
		"value of 500":        {pair("k", strings.Repeat("v", 500)), 201, ""},
		"value of 501":        {pair("k", strings.Repeat("v", 501)), 400, "externalMetadata"},
		"key not ASCII":       {pair("ké", "v"), 400, "externalMetadata"},
		"value not ASCII":     {pair("k", "né"), 400, "externalMetadata"},
		"escaped not ASCII":   {pair("k", `\u00e9`), 400, "externalMetadata"},
		"value not UTF-8":     {pair("k", "\xff"), 400, "externalMetadata"},
		"number":              {`{"externalMetadata":{"k":1}}`, 400, "externalMetadata"},
		"null value":          {`{"externalMetadata":{"k":null}}`, 400, "externalMetadata"},
		"nested":              {`{"externalMetadata":{"k":{}}}`, 400, "externalMetadata"},
		"metadata is a list":  {`{"externalMetadata":[]}`, 400, "externalMetadata"},
		"metadata is a text":  {`{"externalMetadata":"x"}`, 400, "externalMetadata"},
		"body is a list":      {`[]`, 400, "body"},
		"body is null":        {`null`, 400, "body"},
		"body is cut":         {`{"externalMetadata":`, 400, "body"},
		"two bodies":          {`{} {}`, 400, "body"},
		"field twice":         {`{"externalMetadata":{},"externalMetadata":null}`, 400, "body"},
		"metadata key twice":  {`{"externalMetadata":{"k":"v","k":"w"}}`, 400, "externalMetadata"},
		"no name":             {`{1:2}`, 400, "body"},
		"no end":              {`{"externalMetadata":{}`, 400, "body"},
		"10 MiB":              {`{"externalMetadata":{"k":"` + strings.Repeat("v", 10<<20) + `"}}`, 400, "body"},
		"10,000 deep":         {strings.Repeat(`{"externalMetadata":`, 20_000), 400, "body"},
		"body of 1 MiB":       {"{}" + strings.Repeat(" ", maxBody-2), 201, ""},
		"body of 1 MiB and 1": {"{}" + strings.Repeat(" ", maxBody-1), 400, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			before := b.Stats().Users
			got := b.call("POST", "/v1/users", test.body).must(t, test.status)
			if test.status == 400 && (got.Code != "INVALID_PARAMETERS" || !strings.Contains(got.Message, test.names)) {
				t.Errorf("got %s", got.text)
			}
			if made := b.Stats().Users - before; made != b2i(test.status == 201) {
				t.Errorf("%d users made", made)
			}
		})
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

var longID = strings.Repeat("x", validate.MaxIDLength+1)

var refusals = map[string]struct {
	method, path, body string
	edit               edit
	status             int
	code               string
}{
	"no credentials":        {"GET", "/v1/users", "", without("Authorization"), 401, "INVALID_TOKEN"},
	"bearer":                {"GET", "/v1/users", "", with("Authorization", "Bearer abc"), 401, "INVALID_TOKEN"},
	"garbled credentials":   {"GET", "/v1/users", "", with("Authorization", "Basic !!!"), 401, "INVALID_TOKEN"},
	"no colon":              {"GET", "/v1/users", "", with("Authorization", "Basic YWJj"), 401, "INVALID_TOKEN"},
	"unknown key":           {"GET", "/v1/users", "", as("other", "sandbox-secret"), 400, "INVALID_CREDENTIALS"},
	"wrong secret":          {"GET", "/v1/users", "", as("sandbox-key", "wrong"), 400, "INVALID_CREDENTIALS"},
	"lower case scheme":     {"GET", "/v1/users", "", with("Authorization", "basic c2FuZGJveC1rZXk6c2FuZGJveC1zZWNyZXQ="), 200, "OK"},
	"unknown path":          {"GET", "/v1/people", "", nil, 404, "MISSING_RESOURCE"},
	"outside of the API":    {"GET", "/v3/users", "", nil, 404, "MISSING_RESOURCE"},
	"wrong method":          {"PUT", "/v1/users", "", nil, 501, "UNSUPPORTED_METHOD"},
	"patch":                 {"PATCH", "/v1/users/{user}", "", nil, 501, "UNSUPPORTED_METHOD"},
	"delete a user":         {"DELETE", "/v1/users/{user}", "", nil, 501, "UNSUPPORTED_METHOD"},
	"read tokens":           {"GET", "/v1/tokens", "", nil, 501, "UNSUPPORTED_METHOD"},
	"method unheard of":     {"BREW", "/v1/users", "", nil, 501, "UNSUPPORTED_METHOD"},
	"text body":             {"POST", "/v1/users", "{}", with("Content-Type", "text/plain"), 415, "UNSUPPORTED_TYPE"},
	"untyped body":          {"POST", "/v1/users", "{}", without("Content-Type"), 415, "UNSUPPORTED_TYPE"},
	"typed body with words": {"POST", "/v1/users", "{}", with("Content-Type", "Application/JSON; charset=utf-8"), 201, "OK"},
	"unknown user":          {"GET", "/v1/users/tenant-0", "", nil, 404, "MISSING_RESOURCE"},
	"long id":               {"GET", "/v1/users/" + longID, "", nil, 400, "INVALID_PARAMETERS"},
	"unknown account":       {"GET", "/v1/accounts/a-0", "", nil, 404, "MISSING_RESOURCE"},
	"revoke unknown":        {"DELETE", "/v1/accounts/a-0", "", nil, 404, "MISSING_RESOURCE"},
	"payload unknown":       {"GET", "/v1/accounts/a-0/payload", "", nil, 404, "MISSING_RESOURCE"},
	"unknown task":          {"GET", "/v1/tasks/task-0", "", nil, 404, "MISSING_RESOURCE"},
	"unknown item":          {"GET", "/v1/contributions/con-0", "", nil, 404, "MISSING_RESOURCE"},
	"unknown archive":       {"GET", "/v1/archives/u-0", "", nil, 404, "MISSING_RESOURCE"},
	"delete archive":        {"DELETE", "/v1/archives/u-0", "", nil, 404, "MISSING_RESOURCE"},
	"unknown provider":      {"GET", "/v1/providers/none", "", nil, 404, "MISSING_RESOURCE"},
	"token without user":    {"POST", "/v1/tokens", "", nil, 400, "INVALID_PARAMETERS"},
	"token for empty user":  {"POST", "/v1/tokens?userId=", "", nil, 400, "INVALID_PARAMETERS"},
	"token for long user":   {"POST", "/v1/tokens?userId=" + longID, "", nil, 400, "INVALID_PARAMETERS"},
	"token for nobody":      {"POST", "/v1/tokens?userId=tenant-0", "", nil, 404, "MISSING_RESOURCE"},
	"token, user in body":   {"POST", "/v1/tokens", `{"userId":"{user}"}`, nil, 201, "OK"},
	"token, wrong body":     {"POST", "/v1/tokens", `{"userId":1}`, nil, 400, "INVALID_PARAMETERS"},
	"size 0":                {"GET", "/v1/users?size=0", "", nil, 400, "INVALID_PARAMETERS"},
	"size 1":                {"GET", "/v1/users?size=1", "", nil, 200, "OK"},
	"size 150":              {"GET", "/v1/users?size=150", "", nil, 200, "OK"},
	"size 151":              {"GET", "/v1/users?size=151", "", nil, 400, "INVALID_PARAMETERS"},
	"size of words":         {"GET", "/v1/users?size=ten", "", nil, 400, "INVALID_PARAMETERS"},
	"size empty":            {"GET", "/v1/users?size=", "", nil, 400, "INVALID_PARAMETERS"},
	"cursor made up":        {"GET", "/v1/users?cursor=20", "", nil, 400, "INVALID_PARAMETERS"},
	"date of words":         {"GET", "/v1/users?startDate=today", "", nil, 400, "INVALID_PARAMETERS"},
	"date that is none":     {"GET", "/v1/accounts?endDate=2021-02-30", "", nil, 400, "INVALID_PARAMETERS"},
	"month as date":         {"GET", "/v1/eincomes?startMonth=2021-02-01", "", nil, 400, "INVALID_PARAMETERS"},
	"boolean of words":      {"GET", "/v1/providers?active=yes", "", nil, 400, "INVALID_PARAMETERS"},
	"10 topIds":             {"GET", "/v1/providers?topIds=1,2,3,4,5,6,7,8,9,10", "", nil, 200, "OK"},
	"11 topIds":             {"GET", "/v1/providers?topIds=1,2,3,4,5,6,7,8,9,10,11", "", nil, 400, "INVALID_PARAMETERS"},
	"double slashes":        {"GET", "//v1//users/", "", nil, 200, "OK"},
}

// TestRefusals tries invalid calls, and valid ones at the limits.
func TestRefusals(t *testing.T) {
	b := newBox(t, Options{})
	user := strings.NewReplacer("{user}", b.newUser())
	for name, test := range refusals {
		t.Run(name, func(t *testing.T) {
			if test.edit == nil {
				test.edit = func(*http.Request) {}
			}
			got := b.call(test.method, user.Replace(test.path), user.Replace(test.body), test.edit).must(t, test.status)
			if got.Code != test.code || !uuid.MatchString(got.ID) || got.Message == "" {
				t.Errorf("want %s: %s", test.code, got.text)
			}
			if field := fieldOf(test.path); test.status == 400 && test.code == "INVALID_PARAMETERS" && !strings.Contains(got.Message, field) {
				t.Errorf("the message does not name %q: %s", field, got.Message)
			}
		})
	}
}

// fieldOf is the parameter that a path of the table above tests.
func fieldOf(path string) string {
	_, query, found := strings.Cut(path, "?")
	switch {
	case found:
		name, _, _ := strings.Cut(query, "=")
		return name
	case strings.HasPrefix(path, "/v1/tokens"):
		return "userId"
	}
	return "id"
}

func TestTenantsAreStrangers(t *testing.T) {
	b := newBox(t, Options{Keys: []KeyPair{{Key: "a", Secret: "sa"}, {Key: "b", Secret: "sb"}}})
	first, second := as("a", "sa"), as("b", "sb")
	userID := b.newUser(first)
	account := b.george(userID, "sss_ph")
	item := decode[struct{ ID string }](t, decode[rows](t, b.get("/v1/contributions", first).Data).Items[0]).ID
	task := decode[struct{ ID string }](t, decode[rows](t, b.get("/v1/tasks", first).Data).Items[0]).ID
	for _, path := range []string{
		"/v1/users/" + userID, "/v1/accounts/" + account.ID, "/v1/accounts/" + account.ID + "/payload",
		"/v1/contributions/" + item, "/v1/tasks/" + task,
	} {
		b.get(path, first).must(t, 200)
		b.get(path, second).must(t, 404)
	}
	b.call("DELETE", "/v1/accounts/"+account.ID, "", second).must(t, 404)
	b.call("POST", "/v1/tokens?userId="+userID, "", second).must(t, 404)
	for _, path := range []string{"users", "accounts", "tasks", "contributions", "accounts?userId=" + userID, "identities?sourceId=" + account.ID} {
		if got := decode[rows](t, b.get("/v1/"+path, second).must(t, 200).Data); len(got.Items) != 0 {
			t.Errorf("the other tenant sees %s at %s", got.Items, path)
		}
	}
	if got, _ := b.Users("a"); len(got) != 1 {
		t.Errorf("users of a: %v", got)
	}
}

func TestBrowsersMayCall(t *testing.T) {
	b := newBox(t, Options{})
	asked := b.call(http.MethodOptions, "/v1/users", "", without("Authorization"), with("Origin", "null"),
		with("Access-Control-Request-Method", "POST"), with("Access-Control-Request-Headers", "authorization,content-type"))
	asked.must(t, http.StatusNoContent)
	for _, name := range []string{"Authorization", "Content-Type"} {
		if !strings.Contains(asked.header.Get("Access-Control-Allow-Headers"), name) {
			t.Errorf("%s is not allowed: %v", name, asked.header)
		}
	}
	for _, path := range []string{"/v1/users", "/v1/nothing", "/v1/users?size=0"} {
		if got := b.get(path, with("Origin", "null")).header.Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("%s allows %q", path, got)
		}
	}
	if got := b.get("/_sandbox/stats", with("Origin", "https://example.com")).header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("the control API allows %q", got)
	}
}
