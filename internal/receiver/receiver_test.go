package receiver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/receiver"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

func TestAnEventIsStoredBeforeItIsAcknowledged(t *testing.T) {
	s := newScene(t)
	for _, step := range []struct {
		kind   string
		later  time.Duration
		hinted string
	}{
		{"IDENTITY_ADDED", 0, "0s"},
		{"IDENTITY_ADDED", 0, "5s"},
		{"EMPLOYMENTS_ADDED", time.Second, "4s"},
		{"SOMETHING_NEW", time.Second, "3s"},
		{"TASK_FINISHED", time.Second, "0s"},
		{"TASK_FINISHED", time.Second, "0s"},
		{"ACCOUNT_DISCONNECTED", time.Second, "0s"},
		{"ACCOUNT_SYNC_TASK_FINISHED", time.Second, "0s"},
		{"IDENTITY_ADDED", time.Second, "4s"},
		{"IDENTITY_ADDED", time.Minute, "0s"},
	} {
		s.Pass(step.later)
		if status := s.send(step.kind, s.user.Status.UserID); status != http.StatusNoContent {
			t.Fatalf("%s: %d", step.kind, status)
		}
		if got := s.hinted(s.user); got != step.hinted {
			t.Errorf("after %s a read is due in %q, want %q", step.kind, got, step.hinted)
		}
	}
	s.Get(s.sub)
	if s.sub.Status.LastEventAt == nil {
		t.Error("the subscription shows no event")
	}
}

func TestAnEventThatCannotBeStoredIsNotAcknowledged(t *testing.T) {
	s := newScene(t)
	down := errors.New("the API server is away")
	s.fail.Store(&down)
	if status := s.send("TASK_FINISHED", s.user.Status.UserID); status != http.StatusServiceUnavailable {
		t.Errorf("while the pair cannot be read: %d", status)
	}
	s.fail.Store(nil)
	s.Pass(2 * time.Second)
	if status := s.send("TASK_FINISHED", s.user.Status.UserID); status != http.StatusNoContent {
		t.Errorf("when it is back: %d", status)
	}
	s.Pass(time.Second)
	s.fail.Store(&down)
	if status := s.send("TASK_FINISHED", s.user.Status.UserID); status != http.StatusServiceUnavailable {
		t.Errorf("while nothing can be written: %d", status)
	}
}

func TestOnlyUsersOfTheAccountAreHinted(t *testing.T) {
	s := newScene(t)
	there := s.NewNamespace()
	same, other := testenv.Connection("same"), testenv.Connection("other", func(c *v1alpha1.SmileConnection) { c.Spec.CredentialsSecretRef.Name = "others" })
	same.Namespace, other.Namespace = there, there
	one, two := testenv.Keys(testenv.KeysName, testenv.One), testenv.Keys("others", testenv.Two)
	one.Namespace, two.Namespace = there, there
	s.Create(same, other, one, two)
	s.op.Run(same, other)
	users := map[string]*v1alpha1.SmileUser{}
	for _, connection := range []string{"same", "other", "none"} {
		user := testenv.User(connection, func(u *v1alpha1.SmileUser) { u.Spec.ConnectionRef.Name = connection })
		user.Namespace = there
		s.Create(user)
		s.ChangeStatus(user, func() { user.Status.UserID = s.user.Status.UserID })
		users[connection] = user
	}
	if status := s.send("TASK_FINISHED", s.user.Status.UserID); status != http.StatusNoContent {
		t.Errorf("%d", status)
	}
	for connection, want := range map[string]string{"same": "0s", "other": "", "none": ""} {
		if got := s.hinted(users[connection]); got != want {
			t.Errorf("hint of the user of connection %s: %q, want %q", connection, got, want)
		}
	}
	if got := s.hinted(s.user); got != "0s" {
		t.Errorf("hint of the user of the subscription's connection: %q", got)
	}
}

func TestEventsAboutUnknownUsersAreAcknowledged(t *testing.T) {
	s := newScene(t)
	_ = s.send("USER_CREATED", "warm-up")
	before := s.calls.Load()
	for _, userID := range []string{"nobody", strings.Repeat("x", 200), ""} {
		if status := s.send("USER_CREATED", userID); status != http.StatusNoContent {
			t.Errorf("%q: %d", userID, status)
		}
	}
	if calls := s.calls.Load() - before; calls != 0 {
		t.Errorf("%d calls to the API server", calls)
	}
}

func TestForgeriesAreRefusedWithoutCost(t *testing.T) {
	s := newScene(t)
	other := s.subscription("other")
	s.op.Run(other)
	foreign := s.targetOf(other)
	body := event("TASK_FINISHED", s.user.Status.UserID)
	right := receiver.Sign(body, s.hook.secret)
	if status := s.post(s.hook.path, body, http.Header{"Smile-Signature": {right}}); status != http.StatusNoContent {
		t.Fatalf("genuine: %d", status)
	}
	_ = s.post(foreign.path, body, http.Header{"Smile-Signature": {right}}) // both pairs are read now
	stored, before := s.hinted(s.user), s.calls.Load()
	s.Pass(time.Hour)
	type forgery struct {
		path, body string
		values     []string
	}
	forgeries := map[string]forgery{
		"no header": {s.hook.path, body, nil}, "empty": {s.hook.path, body, []string{""}}, "twice": {s.hook.path, body, []string{right, right}},
		"right and wrong": {s.hook.path, body, []string{right, receiver.Sign(body, "x")}}, "upper case": {s.hook.path, body, []string{strings.ToUpper(right)}},
		"truncated": {s.hook.path, body, []string{right[:64]}}, "longer": {s.hook.path, body, []string{right + "00"}},
		"empty key": {s.hook.path, body, []string{receiver.Sign(body, "")}}, "other's key": {s.hook.path, body, []string{receiver.Sign(body, foreign.secret)}},
		"other's path": {foreign.path, body, []string{right}}, "other body": {s.hook.path, body + " ", []string{right}},
		"unknown path": {hook.NewPath().Reveal(), body, []string{right}}, "dummySecret": {"x", body, []string{receiver.Sign(body, "")}},
		"path of another case": {strings.ToUpper(s.hook.path), body, []string{right}}, "longer path": {s.hook.path + "/", body, []string{right}},
	}
	for i := range 20 {
		flipped := []byte(body)
		flipped[i*5%len(flipped)] ^= 1
		forgeries[fmt.Sprintf("bit %d", i)] = forgery{s.hook.path, string(flipped), []string{right}}
	}
	for name, f := range forgeries {
		header := http.Header{"Smile-Signature": f.values}
		if f.values == nil {
			header = nil
		}
		if status := s.post(f.path, f.body, header); status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, status)
		}
	}
	if calls := s.calls.Load() - before; calls != 1 {
		t.Errorf("%d calls to the API server, want one listing, which shows that the paths are unknown", calls)
	}
	if got := s.hinted(s.user); stored != "0s" || got != "-1h0m0s" {
		t.Errorf("the hint is %s old", got)
	}
}

// A replica whose watch is interrupted asks the API server before it calls an event forged, but rarely.
func TestAPathThatTheCacheLacksIsConfirmed(t *testing.T) {
	s := newScene(t)
	s.url = s.start(t, func(server *receiver.Server) {
		server.Cache, server.Namespaces = blind{Reader: server.Cache, subscriptions: true}, []string{s.sub.Namespace}
	})
	genuine := func(want int) {
		t.Helper()
		if status := s.send("TASK_FINISHED", s.user.Status.UserID); status != want {
			t.Errorf("genuine: %d, want %d", status, want)
		}
	}
	away := errors.New("the API server is away")
	s.fail.Store(&away)
	genuine(http.StatusServiceUnavailable)
	if status := s.post("unknown", "{}", nil); status != http.StatusServiceUnavailable {
		t.Errorf("a forged event while signatures cannot be verified: %d", status)
	}
	s.fail.Store(nil)
	s.Pass(2 * time.Second)
	before := s.calls.Load()
	for range 150 { // more than a source may send that is not proven
		genuine(http.StatusNoContent)
	}
	if status := s.post("unknown", "{}", nil); status != http.StatusUnauthorized {
		t.Errorf("forged: %d", status)
	}
	lists := s.calls.Load() - before - 150 // each stores its hint
	if most := int64(4); lists > most {
		t.Errorf("%d calls for the path, the pair and the last event, want at most %d", lists, most)
	}
	other := s.subscription("other")
	s.op.Run(other)
	s.hook = s.targetOf(other)
	s.Pass(hook.HeadStart)
	genuine(http.StatusNoContent)
}

// A cache that lacks the path may lack the user too.
func TestALaggingCacheDoesNotMakeUsersUnknown(t *testing.T) {
	s := newScene(t)
	s.url = s.start(t, func(server *receiver.Server) {
		server.Cache = blind{Reader: server.Cache, subscriptions: true, users: true}
	})
	if status := s.send("TASK_FINISHED", s.user.Status.UserID); status != http.StatusServiceUnavailable {
		t.Errorf("%d", status)
	}
}

// Events for the subscriptions of another operator are not accepted, even if the cache shows nothing.
func TestOnlySubscriptionsOfTheSelectorAreListed(t *testing.T) {
	for selected, want := range map[string]int{"shard=a": http.StatusUnauthorized, "shard!=a": http.StatusNoContent} {
		s := newScene(t)
		s.url = s.start(t, func(server *receiver.Server) {
			server.Cache = blind{Reader: server.Cache, subscriptions: true}
			server.Selector, _ = labels.Parse(selected)
		})
		if status := s.send("TASK_FINISHED", s.user.Status.UserID); status != want {
			t.Errorf("%s: %d, want %d", selected, status, want)
		}
	}
}

// A request that ends while subscriptions are listed does not fail the others that wait.
func TestAListingOutlivesItsRequest(t *testing.T) {
	s := newScene(t)
	asked, answer := make(chan context.Context, 2), make(chan struct{})
	s.url = s.start(t, func(server *receiver.Server) {
		server.Cache = blind{Reader: server.Cache, subscriptions: true}
		server.Live = interceptor.NewClient(s.Client, interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				asked <- ctx
				<-answer
				return c.List(ctx, list, options...)
			},
		})
	})
	leaving, leave := context.WithCancel(t.Context())
	r := must(http.NewRequestWithContext(leaving, http.MethodPost, s.url+hook.Prefix+"x", http.NoBody))
	r.Header.Set("Content-Type", "application/json")
	go func() {
		if answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r); err == nil {
			answer.Body.Close()
		}
	}()
	asking := <-asked
	answered := make(chan int, 1)
	go func() { answered <- s.send("TASK_FINISHED", s.user.Status.UserID) }()
	leave()
	select {
	case <-asking.Done():
		t.Error("the listing ended with the request")
	case <-time.After(200 * time.Millisecond): // in which a server notices
	}
	close(answer)
	if status := <-answered; status != http.StatusNoContent {
		t.Errorf("genuine: %d", status)
	}
}

func TestRequestsThatAreNotEventsAreRefused(t *testing.T) {
	s := newScene(t)
	large := `{"x":"` + strings.Repeat("x", 256<<10) + `"}`
	request := func(method, path, body string, header http.Header) func() int {
		return func() int {
			r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, io.MultiReader(strings.NewReader(body))) // chunked
			if err != nil {
				t.Fatal(err)
			}
			r.Header = header
			return s.do(r)
		}
	}
	json := http.Header{"Content-Type": {"application/json"}}
	genuine := func(body string) func() int {
		return func() int {
			return s.post(s.hook.path, body, http.Header{"Smile-Signature": {receiver.Sign(body, s.hook.secret)}})
		}
	}
	for name, test := range map[string]struct {
		do   func() int
		want int
	}{
		"GET":             {request(http.MethodGet, hook.Prefix+s.hook.path, "", json), 405},
		"PUT":             {request(http.MethodPut, hook.Prefix+s.hook.path, "{}", json), 405},
		"elsewhere":       {request(http.MethodPost, "/hooks/v2/"+s.hook.path, "{}", json), 404},
		"no path":         {request(http.MethodPost, hook.Prefix, "{}", json), 404},
		"a long path":     {request(http.MethodPost, hook.Prefix+strings.Repeat("x", 200), "{}", json), 404},
		"no content type": {request(http.MethodPost, hook.Prefix+s.hook.path, "{}", http.Header{}), 415},
		"a form":          {request(http.MethodPost, hook.Prefix+s.hook.path, "{}", http.Header{"Content-Type": {"text/plain"}}), 415},
		"gzip":            {request(http.MethodPost, hook.Prefix+s.hook.path, "{}", http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}), 415},
		"large":           {genuine(large), 413},
		"large, chunked":  {request(http.MethodPost, hook.Prefix+s.hook.path, large, json), 413},
		"large, unknown":  {request(http.MethodPost, hook.Prefix+"x", large, json), 413},
		"not JSON":        {genuine("x"), 400},
		"no type":         {genuine("{}"), 400},
		"hostile id":      {genuine(event("TASK_FINISHED", "../x")), 400},
		"a key twice":     {genuine(`{"type":"A","type":"B"}`), 400},
		"too deep":        {genuine(`{"type":"A","data":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`), 400},
	} {
		if got := test.do(); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/healthz", http.NoBody)))
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("healthz: %v", err)
	}
	answer.Body.Close()
}

func must(r *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return r
}

// A source of forgeries is limited, but not requests to a registered path, whatever their source.
func TestForgeriesDoNotDelayGenuineEvents(t *testing.T) {
	s := newScene(t)
	refused := map[int]int{}
	for range 150 {
		refused[s.post("unknown", "{}", nil)]++
	}
	if refused[http.StatusUnauthorized] != 100 || refused[http.StatusTooManyRequests] != 50 {
		t.Errorf("150 forgeries: %v", refused)
	}
	if status := s.send("TASK_FINISHED", s.user.Status.UserID); status != http.StatusNoContent {
		t.Errorf("a genuine event of the same source: %d", status)
	}
	s.Pass(time.Second)
	if status := s.post("unknown", "{}", nil); status != http.StatusUnauthorized {
		t.Errorf("a second later: %d", status)
	}
}

// Requests that never end occupy only the places of their kind, and these are limited.
func TestConcurrentRequestsAreLimited(t *testing.T) {
	s := newScene(t)
	hang := func(path string, count int) {
		for range count {
			reading, writing := io.Pipe()
			t.Cleanup(func() { _ = writing.Close() })
			r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+hook.Prefix+path, reading))
			r.Header.Set("Content-Type", "application/json")
			go func() {
				transport := &http.Transport{DisableKeepAlives: true}
				if answer, err := transport.RoundTrip(r); err == nil {
					answer.Body.Close()
				}
			}()
			if _, err := writing.Write([]byte("{")); err != nil {
				t.Fatal(err)
			}
		}
	}
	until := func(path string, want int) {
		for s.post(path, "{}", nil) != want {
			if t.Context().Err() != nil {
				t.Fatal("it never is")
			}
		}
	}
	hang("unknown", 16)
	until("unknown-too", http.StatusServiceUnavailable)
	if status := s.send("TASK_FINISHED", s.user.Status.UserID); status != http.StatusNoContent {
		t.Errorf("a genuine event during forgeries that never end: %d", status)
	}
	hang(s.hook.path, 64)
	until(s.hook.path, http.StatusServiceUnavailable)
}

// A replay of a genuine event costs one read, and reveals nothing.
func TestAReplayCostsOneReadAtMost(t *testing.T) {
	s := newScene(t)
	_ = s.send("ACCOUNT_DISCONNECTED", s.user.Status.UserID)
	s.Get(s.user)
	before := s.user.DeepCopy()
	s.Pass(24 * time.Hour)
	if status := s.send("ACCOUNT_DISCONNECTED", s.user.Status.UserID); status != http.StatusNoContent {
		t.Errorf("a replay: %d", status)
	}
	s.Get(s.user)
	before.Status.HintedAt, before.Status.Hints = s.user.Status.HintedAt, s.user.Status.Hints
	before.ResourceVersion, before.ManagedFields = s.user.ResourceVersion, s.user.ManagedFields
	if diff := cmp.Diff(before, s.user); diff != "" {
		t.Errorf("a replay changed more than the hint:\n%s", diff)
	}
}

// During a rotation, events signed with the old pair and with the new one are accepted, even by a receiver that has just started.
func TestBothPairsAreAcceptedDuringARotation(t *testing.T) {
	s := newScene(t)
	old := s.hook
	secret, _ := s.Secret(hook.SecretName(s.sub.Name))
	s.Delete(secret)
	s.url = s.start(t, nil)
	if status := s.send("TASK_FINISHED", s.user.Status.UserID); status != http.StatusServiceUnavailable {
		t.Errorf("while the pair is lost an event is answered with %d, want to see it again", status)
	}
	s.op.Run(s.sub)
	s.Pass(2 * time.Second)
	fresh := s.targetOf(s.sub)
	check := func(want map[target]int) {
		t.Helper()
		s.url = s.start(t, nil)
		for hooked, status := range want {
			s.hook = hooked
			if got := s.send("TASK_FINISHED", s.user.Status.UserID); got != status {
				t.Errorf("%d, want %d", got, status)
			}
		}
	}
	check(map[target]int{old: http.StatusNoContent, fresh: http.StatusNoContent})
	s.Pass(10 * time.Minute)
	s.op.Run(s.sub)
	check(map[target]int{old: http.StatusNoContent, fresh: http.StatusNoContent})
	s.Pass(10 * time.Minute) // the pair has expired whether or not it was removed
	check(map[target]int{old: http.StatusUnauthorized, fresh: http.StatusNoContent})
}
