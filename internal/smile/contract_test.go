package smile_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

// world is a sandbox and a client with the real transport.
type world struct {
	*sandbox.Server
	client *smile.Mutator
}

func newWorld(t *testing.T, options sandbox.Options, config transport.Config) world {
	t.Helper()
	var err error
	if options.Quirks, err = sandbox.QuirksFromEnvironment(options.Quirks); err != nil {
		t.Fatal(err)
	}
	server, err := sandbox.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return world{server, connect(t, server, config)}
}

// connect returns a further client of a sandbox.
func connect(t *testing.T, server *sandbox.Server, config transport.Config) *smile.Mutator {
	t.Helper()
	hosts, err := transport.NewHostPolicy(server.URL+"/v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	config.Hosts = hosts
	if config.Credentials == nil {
		config.Credentials = pair("sandbox-key", "sandbox-secret")
	}
	config.Fence = func() error { return nil } // the leader
	doer := transport.New(config)
	t.Cleanup(doer.CloseIdleConnections)
	return smile.NewMutator(hosts.DefaultEndpoint(smile.ModeSandbox), doer)
}

func pair(key, secret string) func() transport.Credentials {
	return func() transport.Credentials {
		return transport.Credentials{Key: smile.NewSensitive(key), Secret: smile.NewSensitive(secret)}
	}
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// george creates a user and links George's account at a provider.
func (w world) george(t *testing.T, provider string) (smile.User, smile.Account) {
	t.Helper()
	created := must[smile.CreatedUser](t)(w.client.CreateUser(t.Context(), map[string]string{"channel": "web"}))
	linked := must[sandbox.Account](t)(w.Link(sandbox.LinkRequest{
		UserID: created.User.ID, ProviderID: provider, Login: "George", Password: "123456", MFA: "1234",
	}))
	return created.User, must[smile.Account](t)(w.client.Account(t.Context(), linked.ID))
}

func TestContractUsers(t *testing.T) {
	for _, noMetadata := range []string{"object", "null"} {
		w := newWorld(t, sandbox.Options{Quirks: map[string]string{"no-metadata": noMetadata}}, transport.Config{})
		metadata := map[string]string{"smile-operator.io/owner": "v1.uid.digest", "channel": "web"}
		created := must[smile.CreatedUser](t)(w.client.CreateUser(t.Context(), metadata))
		for key, value := range metadata { // Smile may add to it
			if got := created.User.ExternalMetadata[key]; got != value {
				t.Errorf("metadata %s: %q, want %q", key, got, value)
			}
		}
		bare := must[smile.CreatedUser](t)(w.client.CreateUser(t.Context(), nil))
		got := must[smile.User](t)(w.client.User(t.Context(), created.User.ID))
		if diff := cmp.Diff(created.User, got); diff != "" {
			t.Errorf("(-created +got):\n%s", diff)
		}
		today := w.Now()
		listed := must[[]smile.User](t)(collect(w.client.Users(t.Context(), smile.UserFilter{StartDate: today, EndDate: today})))
		if diff := cmp.Diff([]smile.User{created.User, bare.User}, listed); diff != "" {
			t.Errorf("(-created +listed):\n%s", diff)
		}
		none := must[[]smile.User](t)(collect(w.client.Users(t.Context(), smile.UserFilter{StartDate: today.Add(48 * time.Hour)})))
		if len(none) != 0 {
			t.Errorf("users of the day after tomorrow: %v", none)
		}
	}
}

func TestContractTokens(t *testing.T) {
	keys, err := sandbox.ParseKeys("a:1,b:2:PRODUCTION")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, sandbox.Options{Keys: keys}, transport.Config{Credentials: pair("a", "1")})
	for mode, client := range map[smile.Mode]*smile.Mutator{
		smile.ModeSandbox:    w.client,
		smile.ModeProduction: connect(t, w.Server, transport.Config{Credentials: pair("b", "2")}),
	} {
		created := must[smile.CreatedUser](t)(client.CreateUser(t.Context(), nil))
		minted := must[smile.Token](t)(client.CreateToken(t.Context(), created.User.ID))
		for _, token := range []smile.Token{created.Token, minted} {
			if token.Mode != mode || token.AccessToken.Reveal() == "" || token.ExpiresAt.Sub(w.Now()) < 4*time.Hour {
				t.Errorf("%s token %+v", mode, token)
			}
		}
		if created.Token.AccessToken.Equal(minted.AccessToken) {
			t.Error("the same token was minted twice")
		}
	}
}

func TestContractProviders(t *testing.T) {
	w := newWorld(t, sandbox.Options{}, transport.Config{})
	if err := w.client.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	all := must[[]smile.Provider](t)(collect(w.client.Providers(t.Context(), smile.ProviderFilter{})))
	if len(all) < 5 {
		t.Fatalf("%d providers", len(all))
	}
	for _, listed := range all {
		got := must[smile.Provider](t)(w.client.Provider(t.Context(), listed.ID))
		if diff := cmp.Diff(listed, got); diff != "" {
			t.Errorf("(-listed +got):\n%s", diff)
		}
	}
	chosen := must[[]smile.Provider](t)(collect(w.client.Providers(t.Context(), smile.ProviderFilter{
		IDs: []string{all[0].ID, all[2].ID}, AccountConnection: new(all[0].AccountConnection),
	})))
	if len(chosen) == 0 || len(chosen) > 2 || chosen[0].ID != all[0].ID {
		t.Errorf("chosen %v", chosen)
	}
}

func TestContractAccounts(t *testing.T) {
	for _, revoked := range []string{"disconnected", "404"} {
		w := newWorld(t, sandbox.Options{Quirks: map[string]string{"revoked-account": revoked}}, transport.Config{})
		user, account := w.george(t, "sss_ph")
		if account.Connection.Status != smile.ConnectionConnected || account.UserID != user.ID || account.ProviderID != "sss_ph" {
			t.Errorf("account %+v", account)
		}
		listed := must[[]smile.Account](t)(collect(w.client.Accounts(t.Context(), smile.AccountFilter{UserID: user.ID, StartDate: w.Now()})))
		if diff := cmp.Diff([]smile.Account{account}, listed); diff != "" {
			t.Errorf("(-got +listed):\n%s", diff)
		}
		if err := w.client.RevokeAccount(t.Context(), account.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.client.RevokeAccount(t.Context(), account.ID); !smile.IsNotFound(err) {
			t.Errorf("revoked twice: %v", err)
		}
		if _, err := w.client.AccountPayload(t.Context(), account.ID); !smile.IsNotFound(err) {
			t.Errorf("the payload of a revoked account: %v", err)
		}
		switch after, err := w.client.Account(t.Context(), account.ID); {
		case revoked == "404" && !smile.IsNotFound(err):
			t.Errorf("revoked: %v", err)
		case revoked != "404" && (err != nil || after.Connection.Status != smile.ConnectionDisconnected):
			t.Errorf("revoked: %+v, %v", after, err)
		}
	}
}

func TestContractFailedAccount(t *testing.T) {
	w := newWorld(t, sandbox.Options{}, transport.Config{})
	_, account := w.george(t, "sss_ph")
	if _, err := w.Fail(account.ID, string(smile.AccountLocked)); err != nil {
		t.Fatal(err)
	}
	got := must[smile.Account](t)(w.client.Account(t.Context(), account.ID))
	if got.Connection.Status != smile.ConnectionError || got.Connection.ErrorCode != smile.AccountLocked {
		t.Errorf("connection %+v", got.Connection)
	}
}

func TestContractTasks(t *testing.T) {
	w := newWorld(t, sandbox.Options{}, transport.Config{})
	user, account := w.george(t, "sss_ph")
	tasks := must[[]smile.Task](t)(collect(w.client.Tasks(t.Context(), smile.TaskFilter{UserID: user.ID, SourceID: account.ID, StartDate: w.Now()})))
	if len(tasks) != 1 {
		t.Fatalf("tasks %+v", tasks)
	}
	task := tasks[0]
	if task.Type == "" || task.Status != smile.TaskFinished || task.FinishedAt == nil ||
		task.Source.SourceID != account.ID || !slices.Contains(task.Datapoints, smile.Contributions) {
		t.Errorf("task %+v", task)
	}
	if diff := cmp.Diff(task, must[smile.Task](t)(w.client.Task(t.Context(), task.ID))); diff != "" {
		t.Errorf("(-listed +got):\n%s", diff)
	}
}

// TestContractData fetches each datapoint in both ways that there are.
func TestContractData(t *testing.T) {
	w := newWorld(t, sandbox.Options{Canary: "CNRY"}, transport.Config{})
	seen := map[smile.Datapoint]bool{}
	for _, provider := range must[[]smile.Provider](t)(collect(w.client.Providers(t.Context(), smile.ProviderFilter{AccountConnection: new(true)}))) {
		user, account := w.george(t, provider.ID)
		payload := must[smile.AccountPayload](t)(w.client.AccountPayload(t.Context(), account.ID))
		if payload.Source.SourceID != account.ID || payload.Source.UserID != user.ID || len(payload.Cut) != 0 {
			t.Errorf("payload %+v", payload.Source)
		}
		leaks(t, "the payload", payload)
		for _, point := range smile.Datapoints() {
			items := must[[]smile.Item](t)(collect(w.client.Items(t.Context(), point, smile.ItemFilter{UserID: user.ID, SourceID: account.ID})))
			if diff := cmp.Diff(itemIDs(items), itemIDs(payload.Items[point])); diff != "" {
				t.Errorf("%s of %s (-listed +payload):\n%s", point, provider.ID, diff)
			}
			for _, item := range items {
				seen[point] = true
				if item.Source.SourceID != account.ID || item.Source.UserID != user.ID {
					t.Errorf("%s of %s comes from %+v", point, provider.ID, item.Source)
				}
			}
			leaks(t, string(point), items)
		}
	}
	if len(seen) != len(smile.Datapoints()) {
		t.Errorf("only %v were seen", slices.Sorted(maps.Keys(seen)))
	}
}

func itemIDs(items []smile.Item) []string {
	ids := []string{}
	for _, item := range items {
		ids = append(ids, item.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestContractArchives(t *testing.T) {
	w := newWorld(t, sandbox.Options{}, transport.Config{})
	user, _ := w.george(t, "sss_ph")
	archives := must[[]smile.Archive](t)(collect(w.client.Archives(t.Context(), smile.ArchiveFilter{UserID: user.ID})))
	if len(archives) != 0 {
		t.Errorf("archives %v", archives)
	}
	if err := w.client.RevokeArchive(t.Context(), "no-such-archive"); !smile.IsNotFound(err) {
		t.Errorf("an archive that does not exist: %v", err)
	}
}

func TestContractPages(t *testing.T) {
	w := newWorld(t, sandbox.Options{}, transport.Config{})
	if err := w.Seed(sandbox.SeedRequest{Users: 401, AccountsPerUser: 1}); err != nil {
		t.Fatal(err)
	}
	users := must[[]smile.User](t)(collect(w.client.Users(t.Context(), smile.UserFilter{})))
	accounts := must[[]smile.Account](t)(collect(w.client.Accounts(t.Context(), smile.AccountFilter{})))
	ids := map[string]bool{}
	for _, user := range users {
		ids[user.ID] = true
	}
	if len(ids) != 401 || len(users) != 401 || len(accounts) != 401 {
		t.Errorf("%d users, %d of them different, %d accounts", len(users), len(ids), len(accounts))
	}
	want := map[string]map[int]int{"list-users": {200: 3}, "list-accounts": {200: 3}}
	if diff := cmp.Diff(want, w.Stats().Requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestContractRefusals(t *testing.T) {
	for _, status := range []string{"400", "401"} {
		keys, err := sandbox.ParseKeys("a:1,b:2")
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, sandbox.Options{Keys: keys, Quirks: map[string]string{"bad-credentials": status}}, transport.Config{Credentials: pair("a", "1")})
		stranger := connect(t, w.Server, transport.Config{Credentials: pair("a", "2")})
		if err := stranger.Probe(t.Context()); !smile.IsDenied(err) || smile.IsInvalid(err) {
			t.Errorf("a wrong pair: %v", err)
		}
		if _, err := stranger.CreateUser(t.Context(), nil); !smile.IsDenied(err) || !smile.NotCreated(err) {
			t.Errorf("a wrong pair: %v", err)
		}
		neighbor := connect(t, w.Server, transport.Config{Credentials: pair("b", "2")})
		user := must[smile.CreatedUser](t)(w.client.CreateUser(t.Context(), nil)).User
		if _, err := neighbor.User(t.Context(), user.ID); !smile.IsNotFound(err) && !smile.IsForbidden(err) {
			t.Errorf("another tenant's user: %v", err)
		}
		_, err = w.client.Task(t.Context(), "no-such-task")
		refused, ok := errors.AsType[*smile.APIError](err)
		if !smile.IsNotFound(err) || !ok || refused.Operation != "get-task" || refused.RequestID == "" {
			t.Errorf("a task that does not exist: %#v", err)
		}
	}
}

// TestContractUnknownOutcomes breaks a create in every way, and compares what the
// client believes with what happened.
func TestContractUnknownOutcomes(t *testing.T) {
	actions := []string{
		"status:400", "status:401", "status:403", "status:404", "status:415", "status:429", "status:500", "status:501",
		"status:502", "status:503", "status:504", "hang", "reset", "truncate:0", "truncate:1", "truncate:120", "garbage", "empty",
		"redirect:http://127.0.0.1:1/v1/users",
	}
	refusals := []string{"status:400", "status:401", "status:403", "status:404", "status:415", "status:429"}
	for _, phase := range []string{"before", "after"} {
		for _, action := range actions {
			t.Run(phase+" "+action, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, sandbox.Options{}, transport.Config{MutateTimeout: 200 * time.Millisecond})
				calls := 1
				if action == "status:429" {
					calls = 3 // it goes again by itself
				}
				if err := w.SetFaults([]sandbox.Fault{{Operation: "create-user", Phase: phase, Count: calls, Action: action}}); err != nil {
					t.Fatal(err)
				}
				created, err := w.client.CreateUser(t.Context(), nil)
				users := w.Stats().Users
				switch {
				case err == nil && (users != 1 || created.User.ID == ""):
					t.Errorf("%d users after a success", users)
				case phase == "before" && smile.NotCreated(err) && users != 0:
					t.Errorf("%v, and there are %d users", err, users)
				case phase == "after" && !slices.Contains(refusals, action) && smile.NotCreated(err):
					t.Errorf("the outcome of %v counts as known", err)
				case len(w.Journal(0)) != calls:
					t.Errorf("%d calls", len(w.Journal(0)))
				}
			})
		}
	}
}

func TestContractWebhooks(t *testing.T) {
	for _, secret := range []string{"echoed", "hidden"} {
		w := newWorld(t, sandbox.Options{Quirks: map[string]string{"webhook-secret": secret}}, transport.Config{})
		wanted := smile.NewWebhook{
			Name: "mine", URL: smile.NewSensitive("https://hooks.example.com/x"), Secret: smile.NewSensitive("a little secret"),
			EventTypes: []smile.EventType{smile.EventTaskFinished, smile.EventAccountDisconnected},
		}
		created := must[smile.Webhook](t)(w.client.CreateWebhook(t.Context(), wanted))
		if got := created.Secret.Reveal(); got != wanted.Secret.Reveal() && secret == "echoed" || got != "" && secret == "hidden" {
			t.Errorf("secret %s: %q", secret, got)
		}
		if !created.Active || created.IncludePayload || created.Name != "mine" || !created.URL.Equal(wanted.URL) || !wanted.CoveredBy(created.EventTypes) {
			t.Errorf("created %+v", created)
		}
		got := must[smile.Webhook](t)(w.client.Webhook(t.Context(), created.ID))
		if diff := cmp.Diff(created, got); diff != "" {
			t.Errorf("(-created +got):\n%s", diff)
		}
		listed := must[[]smile.Webhook](t)(collect(w.client.Webhooks(t.Context())))
		if diff := cmp.Diff([]smile.Webhook{created}, listed); diff != "" {
			t.Errorf("(-created +listed):\n%s", diff)
		}
		leaks(t, "the webhook", got)
		if err := w.client.DeleteWebhook(t.Context(), created.ID); err != nil {
			t.Error(err)
		}
		if err := w.client.DeleteWebhook(t.Context(), created.ID); !smile.IsNotFound(err) {
			t.Errorf("deleting it a second time: %v", err)
		}
		if _, err := w.client.Webhook(t.Context(), created.ID); !smile.IsNotFound(err) {
			t.Errorf("read after its deletion: %v", err)
		}
		for _, bad := range []func(*smile.NewWebhook){
			func(n *smile.NewWebhook) { n.Name = "" }, func(n *smile.NewWebhook) { n.URL = smile.NewSensitive("x") },
			func(n *smile.NewWebhook) { n.EventTypes = nil }, func(n *smile.NewWebhook) { n.Secret = smile.NewSensitive("short") },
		} {
			spoiled := wanted
			bad(&spoiled)
			if _, err := w.client.CreateWebhook(t.Context(), spoiled); !smile.NotCreated(err) || !smile.IsInvalid(err) {
				t.Errorf("%+v: %v", spoiled, err)
			}
		}
	}
}

// TestContractBudget lets many callers loose on a sandbox that counts.
func TestContractBudget(t *testing.T) {
	w := newWorld(t, sandbox.Options{RateLimit: 50}, transport.Config{Budget: transport.NewBudget(50)})
	done := make(chan error)
	for i := range 120 {
		go func() {
			_, err := w.client.CreateUser(t.Context(), map[string]string{"n": fmt.Sprint(i)})
			done <- err
		}()
	}
	for range 120 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	stats := w.Stats()
	if stats.Users != 120 || stats.PeakRPS > 50 {
		t.Errorf("%d users, %d calls in one second", stats.Users, stats.PeakRPS)
	}
}

func TestContractThrottling(t *testing.T) {
	w := newWorld(t, sandbox.Options{Quirks: map[string]string{"retry-after": "90s"}}, transport.Config{})
	if err := w.SetFaults([]sandbox.Fault{{Operation: "*", Action: "status:429"}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := w.client.CreateUser(t.Context(), nil)
		if wait, ok := smile.ThrottledFor(err); !ok || wait < 80*time.Second || !smile.NotCreated(err) {
			t.Errorf("%v, %v", err, wait)
		}
	}
	if calls := len(w.Journal(0)); calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

// TestContractLeaks looks for the sandbox's canaries in what the client returns.
func TestContractLeaks(t *testing.T) {
	w := newWorld(t, sandbox.Options{Canary: "CNRY"}, transport.Config{})
	user, account := w.george(t, "sss_ph")
	leaks(t, "the user", user)
	leaks(t, "the account", account)
	if _, err := w.Fail(account.ID, string(smile.AccountLocked)); err != nil {
		t.Fatal(err)
	}
	leaks(t, "the failed account", must[smile.Account](t)(w.client.Account(t.Context(), account.ID)))
	leaks(t, "the token", must[smile.Token](t)(w.client.CreateToken(t.Context(), user.ID)))
	_, err := w.client.User(t.Context(), "no-such-user")
	leaks(t, "the error", err)
	if !slices.ContainsFunc(w.Canaries(), func(c string) bool { return strings.HasPrefix(c, "CNRY") }) {
		t.Error("there were no canaries")
	}
}
