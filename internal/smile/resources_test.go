package smile_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	userJSON    = `{"id":"t-1","externalMetadata":{"smile-operator.io/owner":"v1.x.y"},"createdAt":"2026-01-02T03:04:05Z","providers":[],"session":{"status":"IN_PROGRESS"}}`
	tokenJSON   = `{"id":"tk-1","expiresAt":"2026-01-02T08:04:05Z","mode":"SANDBOX","accessToken":"aa.bb.cc"}`
	accountJSON = `{"id":"a-1","createdAt":"2026-01-02T03:04:05Z","providerId":"sss_ph","userId":"t-1","connectionStatus":"ERROR",
		"connection":{"status":"ERROR","errorCode":"ACCOUNT_LOCKED","errorMessage":"about a person","updatedAt":"2026-01-02T03:05:05Z"},
		"monitorStatus":"UNSUPPORTED","monitor":{"status":"UNSUPPORTED","updatedAt":null}}`
	sourceJSON   = `{"createdAt":"2026-01-02T03:04:05Z","itemCreatedAt":"2026-01-02T03:06:05Z","sourceId":"a-1","sourceType":"ACCOUNT","userId":"t-1","providerId":"sss_ph","accountId":"a-1"}`
	taskJSON     = `{"id":"task-1","type":"LINK_ACCOUNT","status":"Finished","startedAt":"2026-01-02T03:04:05Z","finishedAt":"2026-01-02T03:07:05Z","datapoints":["IDENTITIES","INSIGHT"],"metadata":` + sourceJSON + `}`
	archiveJSON  = `{"id":"u-1","userId":"t-1","state":{"status":"ANALYZED","errorMessage":"x"},"rawFiles":[{"url":"https://x"}]}`
	webhookJSON  = `{"id":"w-1","name":"mine","url":"https://x/","eventTypes":["TASK_FINISHED"],"active":true,"secret":"a little secret","includePayload":true,"createdAt":"2026-01-02T03:04:05Z","updatedAt":"2026-01-02T03:04:05Z"}`
	providerJSON = `{"id":"sss_ph","name":"SSS","active":true,"enabled":true,"mfa":true,"accountConnection":false,"monitorSupported":true,"supported":["CONTRIBUTIONS"]}`
)

var (
	at      = func(minute, second int) time.Time { return time.Date(2026, 1, 2, 3, minute, second, 0, time.UTC) }
	user    = smile.User{ID: "t-1", ExternalMetadata: map[string]string{"smile-operator.io/owner": "v1.x.y"}, CreatedAt: at(4, 5)}
	token   = smile.Token{ID: "tk-1", ExpiresAt: at(4, 5).Add(5 * time.Hour), Mode: smile.ModeSandbox, AccessToken: smile.NewSensitive("aa.bb.cc")}
	account = smile.Account{
		ID: "a-1", CreatedAt: at(4, 5), ProviderID: "sss_ph", UserID: "t-1",
		Connection: smile.Connection{Status: smile.ConnectionError, ErrorCode: smile.AccountLocked, UpdatedAt: at(5, 5)},
		Monitor:    smile.Monitor{Status: smile.MonitorUnsupported},
	}
	source = smile.Source{CreatedAt: at(4, 5), ItemCreatedAt: at(6, 5), SourceID: "a-1", SourceType: "ACCOUNT", UserID: "t-1", ProviderID: "sss_ph"}
	task   = smile.Task{
		ID: "task-1", Type: smile.TaskLinkAccount, Status: smile.TaskFinished, StartedAt: at(4, 5), FinishedAt: new(at(7, 5)),
		Datapoints: []smile.Datapoint{smile.Identities, "INSIGHT"}, Source: source,
	}
	archive = smile.Archive{ID: "u-1", UserID: "t-1", Status: smile.ArchiveAnalyzed}
	webhook = smile.Webhook{
		ID: "w-1", Name: "mine", URL: smile.NewSensitive("https://x/"), EventTypes: []smile.EventType{smile.EventTaskFinished},
		Active: true, IncludePayload: true, Secret: smile.NewSensitive("a little secret"),
	}
	provider = smile.Provider{
		ID: "sss_ph", Name: "SSS", Active: true, Enabled: true, MFA: true, MonitorSupported: true,
		Supported: []smile.Datapoint{smile.Contributions},
	}
)

// operations make every call of the client with good arguments.
var operations = []struct {
	name    string
	call    func(*testing.T, *smile.Mutator) (any, error)
	answer  string
	want    any
	request string
	body    string
}{
	{"providers", func(t *testing.T, c *smile.Mutator) (any, error) {
		return collect(c.Providers(t.Context(), smile.ProviderFilter{IDs: []string{"a", "b"}, Active: new(true), Enabled: new(false)}))
	}, `{"nextCursor":null,"items":[` + providerJSON + `]}`, []smile.Provider{provider}, "GET /v1/providers?active=true&enabled=false&ids=a%2Cb&size=150", ""},
	{
		"provider", func(t *testing.T, c *smile.Mutator) (any, error) { return c.Provider(t.Context(), "sss_ph") },
		providerJSON, provider, "GET /v1/providers/sss_ph", "",
	},
	{
		"probe", func(t *testing.T, c *smile.Mutator) (any, error) { return nil, c.Probe(t.Context()) },
		`{"nextCursor":"2","items":[` + providerJSON + `]}`, nil, "GET /v1/providers?size=1", "",
	},
	{"users", func(t *testing.T, c *smile.Mutator) (any, error) {
		return collect(c.Users(t.Context(), smile.UserFilter{StartDate: at(0, 0), EndDate: at(0, 0).Add(48 * time.Hour)}))
	}, `{"items":[` + userJSON + `]}`, []smile.User{user}, "GET /v1/users?endDate=2026-01-04&size=150&startDate=2026-01-02", ""},
	{
		"user", func(t *testing.T, c *smile.Mutator) (any, error) { return c.User(t.Context(), "t-1") },
		userJSON, user, "GET /v1/users/t-1", "",
	},
	{"create user", func(t *testing.T, c *smile.Mutator) (any, error) {
		return c.CreateUser(t.Context(), map[string]string{"channel": "web"})
	}, `{"user":` + userJSON + `,"token":` + tokenJSON + `}`, smile.CreatedUser{User: user, Token: token}, "POST /v1/users", `{"externalMetadata":{"channel":"web"}}`},
	{
		"create bare user", func(t *testing.T, c *smile.Mutator) (any, error) { return c.CreateUser(t.Context(), nil) },
		`{"user":{"id":"t-1","externalMetadata":null,"createdAt":null}}`,
		smile.CreatedUser{User: smile.User{ID: "t-1"}},
		"POST /v1/users", `{}`,
	},
	{
		"create token", func(t *testing.T, c *smile.Mutator) (any, error) { return c.CreateToken(t.Context(), "t-1") },
		tokenJSON, token, "POST /v1/tokens?userId=t-1", "",
	},
	{"accounts", func(t *testing.T, c *smile.Mutator) (any, error) {
		return collect(c.Accounts(t.Context(), smile.AccountFilter{UserID: "t-1", StartDate: at(0, 0)}))
	}, `{"items":[` + accountJSON + `]}`, []smile.Account{account}, "GET /v1/accounts?size=150&startDate=2026-01-02&userId=t-1", ""},
	{
		"account", func(t *testing.T, c *smile.Mutator) (any, error) { return c.Account(t.Context(), "a-1") },
		accountJSON, account, "GET /v1/accounts/a-1", "",
	},
	{
		"revoke account", func(t *testing.T, c *smile.Mutator) (any, error) { return nil, c.RevokeAccount(t.Context(), "a-1") },
		`null`, nil, "DELETE /v1/accounts/a-1", "",
	},
	{
		"payload", func(t *testing.T, c *smile.Mutator) (any, error) { return c.AccountPayload(t.Context(), "a-1") },
		`{"metadata":` + sourceJSON + `,"identity":{"id":"i-1","firstName":"George"},"incomes":null}`,
		smile.AccountPayload{Source: source, Items: map[smile.Datapoint][]smile.Item{smile.Identities: {item("i-1", `{"id":"i-1","firstName":"George"}`)}}, Cut: map[smile.Datapoint]bool{}},
		"GET /v1/accounts/a-1/payload", "",
	},
	{"items", func(t *testing.T, c *smile.Mutator) (any, error) {
		return collect(c.Items(t.Context(), smile.Employments, smile.ItemFilter{UserID: "t-1"}))
	}, `{"items":[{"id":"e-1","employer":"ABC"}]}`, []smile.Item{item("e-1", `{"id":"e-1","employer":"ABC"}`)}, "GET /v1/employments?size=150&userId=t-1", ""},
	{"tasks", func(t *testing.T, c *smile.Mutator) (any, error) {
		return collect(c.Tasks(t.Context(), smile.TaskFilter{UserID: "t-1", SourceID: "a-1", EndDate: at(0, 0)}))
	}, `{"items":[` + taskJSON + `]}`, []smile.Task{task}, "GET /v1/tasks?endDate=2026-01-02&size=150&sourceId=a-1&userId=t-1", ""},
	{
		"task", func(t *testing.T, c *smile.Mutator) (any, error) { return c.Task(t.Context(), "task-1") },
		taskJSON, task, "GET /v1/tasks/task-1", "",
	},
	{"archives", func(t *testing.T, c *smile.Mutator) (any, error) {
		return collect(c.Archives(t.Context(), smile.ArchiveFilter{UserID: "t-1"}))
	}, `{"items":[` + archiveJSON + `]}`, []smile.Archive{archive}, "GET /v1/archives?size=150&userId=t-1", ""},
	{
		"revoke archive", func(t *testing.T, c *smile.Mutator) (any, error) { return nil, c.RevokeArchive(t.Context(), "u-1") },
		`null`, nil, "DELETE /v1/archives/u-1", "",
	},
	{
		"webhooks", func(t *testing.T, c *smile.Mutator) (any, error) { return collect(c.Webhooks(t.Context())) },
		`{"items":[` + webhookJSON + `]}`,
		[]smile.Webhook{webhook},
		"GET /v1/webhooks?size=150", "",
	},
	{
		"webhook", func(t *testing.T, c *smile.Mutator) (any, error) { return c.Webhook(t.Context(), "w-1") },
		webhookJSON, webhook, "GET /v1/webhooks/w-1", "",
	},
	{
		"create webhook", func(t *testing.T, c *smile.Mutator) (any, error) {
			return c.CreateWebhook(t.Context(), smile.NewWebhook{
				Name: webhook.Name, URL: webhook.URL, EventTypes: webhook.EventTypes, IncludePayload: true, Secret: webhook.Secret,
			})
		},
		webhookJSON, webhook, "POST /v1/webhooks",
		`{"name":"mine","url":"https://x/","eventTypes":["TASK_FINISHED"],"active":true,"secret":"a little secret","includePayload":true}`,
	},
	{
		"delete webhook", func(t *testing.T, c *smile.Mutator) (any, error) { return nil, c.DeleteWebhook(t.Context(), "w-1") },
		`null`, nil, "DELETE /v1/webhooks/w-1", "",
	},
}

func item(id, content string) smile.Item {
	return smile.Item{ID: id, Content: smile.NewSensitive(json.RawMessage(content))}
}

func TestOperations(t *testing.T) {
	for _, test := range operations {
		t.Run(test.name, func(t *testing.T) {
			doer := scripted(t, test.answer)
			got, err := test.call(t, clientOf(doer))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{test.request}, doer.targets()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if got := sentBody(t, doer.requests[0]); got != test.body {
				t.Errorf("sent %q, want %q", got, test.body)
			}
		})
	}
}

func sentBody(t *testing.T, request *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(request.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestRequests(t *testing.T) {
	for _, test := range operations {
		t.Run(test.name, func(t *testing.T) {
			doer := scripted(t, test.answer)
			if _, err := test.call(t, clientOf(doer)); err != nil {
				t.Fatal(err)
			}
			request := doer.requests[0]
			operation, ok := smile.OperationFrom(request.Context())
			if !ok || operation.Method != request.Method || operation.Mutates() != (request.Method != http.MethodGet) {
				t.Errorf("operation %+v of a %s", operation, request.Method)
			}
			if request.GetBody != nil {
				t.Error("the body can be sent again")
			}
			if got := request.Header.Get("Accept"); got != "application/json" {
				t.Errorf("Accept: %q", got)
			}
			if got := request.Header.Get("Content-Type"); (got == "application/json") != (request.Method == http.MethodPost) {
				t.Errorf("Content-Type of a %s: %q", request.Method, got)
			}
		})
	}
}

func TestRequiredFields(t *testing.T) {
	client := func(t *testing.T, answer string) *smile.Mutator { return clientOf(scripted(t, answer)) }
	page := func(entry string) string { return `{"items":[` + entry + `]}` }
	tests := []struct {
		name   string
		answer string
		call   func(*testing.T, *smile.Mutator) error
		want   smile.Problem
	}{
		{"no data", `null`, getUser, "missing field data"},
		{"user without id", `{}`, getUser, "missing field id"},
		{"user with null id", `{"id":null}`, getUser, "missing field id"},
		{"user with hostile id", `{"id":"../webhooks/x"}`, getUser, smile.ProblemBadID},
		{"user with long id", `{"id":"` + strings.Repeat("x", 201) + `"}`, getUser, smile.ProblemBadID},
		{"user with number as id", `{"id":7}`, getUser, smile.ProblemWrongType},
		{"another user", `{"id":"t-2"}`, getUser, smile.ProblemWrongObject},
		{"a list for a user", `[]`, getUser, smile.ProblemWrongType},
		{"a string for a user", `"t-1"`, getUser, smile.ProblemWrongType},
		{"created nothing", `{}`, createUser, "missing field user.id"},
		{"created user without id", `{"user":{},"token":` + tokenJSON + `}`, createUser, "missing field user.id"},
		{"created user with hostile id", `{"user":{"id":"a/b"}}`, createUser, "missing field user.id"},
		{"token without value", `{"expiresAt":"2026-01-02T08:04:05Z"}`, createToken, "missing field accessToken"},
		{"token with empty value", `{"expiresAt":"2026-01-02T08:04:05Z","accessToken":""}`, createToken, "missing field accessToken"},
		{"token without expiry", `{"accessToken":"x"}`, createToken, "missing field expiresAt"},
		{"token with garbled expiry", `{"accessToken":"x","expiresAt":"soon"}`, createToken, "missing field expiresAt"},
		{"token with object as value", `{"accessToken":{},"expiresAt":"2026-01-02T08:04:05Z"}`, createToken, smile.ProblemWrongType},
		{"account without user", page(`{"id":"a-1"}`), listAccounts, "missing field userId"},
		{"account without id", page(`{"userId":"t-1"}`), listAccounts, "missing field id"},
		{"account with hostile user", page(`{"id":"a-1","userId":"a/b"}`), listAccounts, smile.ProblemBadID},
		{"account with hostile provider", page(`{"id":"a-1","userId":"t-1","providerId":"a/b"}`), listAccounts, smile.ProblemBadID},
		{"somebody else's account", page(`{"id":"a-1","userId":"t-2"}`), listAccounts, smile.ProblemWrongObject},
		{"null for an account", page(`null`), listAccounts, "missing field userId"},
		{"task without id", page(`{}`), listTasks, "missing field id"},
		{"somebody else's task", page(`{"id":"x","metadata":{"userId":"t-2"}}`), listTasks, smile.ProblemWrongObject},
		{"another account's task", page(`{"id":"x","metadata":{"userId":"t-1","sourceId":"a-2"}}`), listTasks, smile.ProblemWrongObject},
		{"task of a hostile source", page(`{"id":"x","metadata":{"sourceId":"a b"}}`), listTasks, smile.ProblemBadID},
		{"somebody else's item", page(`{"id":"x","metadata":{"userId":"t-2"}}`), listItems, smile.ProblemWrongObject},
		{"item with hostile id", page(`{"id":"x/y"}`), listItems, smile.ProblemBadID},
		{"null for an item", page(`null`), listItems, smile.ProblemWrongType},
		{"another account's payload", `{"metadata":{"sourceId":"a-2"}}`, getPayload, smile.ProblemWrongObject},
		{"archive without id", page(`{"userId":"t-1"}`), listArchives, "missing field id"},
		{"archive of a hostile user", page(`{"id":"u-1","userId":"a/b"}`), listArchives, smile.ProblemBadID},
		{"token with hostile id", `{"id":"a/b","accessToken":"x","expiresAt":"2026-01-02T08:04:05Z"}`, createToken, smile.ProblemBadID},
		{"somebody else's archive", page(`{"id":"u-1","userId":"t-2"}`), listArchives, smile.ProblemWrongObject},
		{"provider without id", page(`{"name":"x"}`), listProviders, "missing field id"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.call(t, client(t, test.answer))
			var unusable *smile.ResponseError
			if !errors.As(err, &unusable) || !errors.Is(err, test.want) {
				t.Errorf("got %v, want a ResponseError: %s", err, test.want)
			}
			if smile.NotCreated(err) {
				t.Error("its outcome counts as known")
			}
		})
	}
}
