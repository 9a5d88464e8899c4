package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/controlplane"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const (
	tokenUsers = 1000
	// tokensPerSecond are requested, each for another user, during tokensFor.
	tokensPerSecond = 10
	tokensFor       = time.Minute
	// refreshedBeside syncs are refreshed meanwhile, one a second.
	refreshedBeside = 60
	// tokenTarget is the largest p99 of a token over the sandbox's own time, in milliseconds.
	tokenTarget = 25
)

var tokens = scenario{
	name: "tokens",
	title: func(o options) string {
		return fmt.Sprintf("link tokens through the application API, %d a second, beside %d users", tokensPerSecond, tokenCrowd(o))
	},
	smile: strict,
	workload: synced(tokenCrowd, map[string]float64{
		"tokens a second": tokensPerSecond, "refreshes a second": 1, "calls a second, at most": vendorLimit,
	}),
	limit: within(15*time.Minute, 0),
	run:   runTokens,
}

func tokenCrowd(o options) int { return min(o.users, tokenUsers) }

// mint is the application API of an operator, and its caller.
type mint struct {
	*stage
	transport http.Transport
	address   string
	bearer    string

	mu sync.Mutex
	// handled are when the requested refresh of each sync was handled.
	handled map[string]time.Time
}

func runTokens(ctx context.Context, st *stage) ([]figure, error) {
	m := &mint{stage: st, handled: map[string]time.Time{}}
	everyone := names("user", tokenCrowd(st.options))
	o, people, err := m.prepare(ctx, everyone)
	if err != nil {
		return nil, err
	}
	own, err := m.sandboxTimes(ctx, people.of(everyone[0]).userID)
	if err != nil {
		return nil, err
	}
	mark := st.mark()
	took, refreshes, err := m.measure(ctx, o, everyone)
	if err != nil {
		return nil, err
	}
	calls := st.smile.Journal(mark)
	paid := only(calls, func(c sandbox.JournalEntry) bool { return c.Operation == "create-token" || c.Operation == "get-user" })
	over := percentile(took, 99) - percentile(own, 99)
	st.say("half of %d tokens took %.1f ms, p99 %.1f ms; the sandbox alone: %.1f ms, p99 %.1f ms; calls: %s", len(took),
		ms(percentile(took, 50)), ms(percentile(took, 99)), ms(percentile(own, 50)), ms(percentile(own, 99)), tallyCalls(calls))
	return append([]figure{
		{
			Name: "link token of a known user through the application API, p99 over the sandbox's own time", Unit: "ms",
			Target: atMost(tokenTarget), Measured: ms(over),
			How: "from sending the request to the end of the response, minus the p99 of minting directly at the sandbox",
		},
		{
			Name: "calls for each link token", Target: atMost(1), Exact: true, Measured: perUser(len(paid), len(took)),
			How: "create-token and get-user in the sandbox's journal, over tokens",
		},
		{
			Name: "requested refresh of a sync beside link tokens, p99", Unit: "s", Target: atMost(isolationTarget),
			Measured: percentile(refreshes, 99).Seconds(),
			How:      "from annotating the SmileAccountSync to the status that has handled it, as a watch saw",
		},
	}, limitKept("minting link tokens", calls, st.smile.Stats())...), nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// prepare starts the operator and returns once all users are Ready, and the first of them have a sync that is.
func (m *mint) prepare(ctx context.Context, everyone []string) (*operator, *people, error) {
	if err := m.connect(ctx); err != nil {
		return nil, nil, err
	}
	people := m.watchPeople(ctx)
	m.watchSyncs(ctx)
	if err := m.declare(ctx, everyone); err != nil {
		return nil, nil, err
	}
	var err error
	if m.address, err = controlplane.FreeAddress(ctx); err != nil {
		return nil, nil, err
	}
	o, err := m.operate(ctx, vendorLimit, "--application-api-bind-address="+m.address, "--audit-log=/dev/null")
	if err != nil {
		return nil, nil, err
	}
	if err := m.allAre(ctx, o, people, "Ready", len(everyone), isReady, 8*time.Minute); err != nil {
		return nil, nil, err
	}
	beside := everyone[:min(len(everyone), refreshedBeside)]
	if err := m.each(ctx, "created syncs for", beside, func(ctx context.Context, name string) error {
		return m.admin.Create(ctx, syncOf(name))
	}); err != nil {
		return nil, nil, err
	}
	if err := m.permit(ctx); err != nil {
		return nil, nil, err
	}
	return o, people, m.settle(ctx, o)
}

// permit makes a service account that may mint link tokens, and gets its token.
func (m *mint) permit(ctx context.Context) error {
	assets, err := controlplane.Assets()
	if err != nil {
		return err
	}
	dir := filepath.Dir(m.access)
	apply := exec.CommandContext(ctx, filepath.Join(assets, "kubectl"), "apply", "--server-side", "-f",
		filepath.Join(m.subject.root, "config", "application-api", "link_token_minter.yaml"))
	apply.Env = append(apply.Environ(), "KUBECONFIG="+filepath.Join(dir, "admin.kubeconfig"), "KUBECACHEDIR="+dir)
	if out, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("installing the role of the application API's callers: %w\n%s", err, out)
	}
	backend := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "backend"}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: backend.ObjectMeta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "smile-operator-link-token-minter"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: backend.Name}},
	}
	for _, object := range []client.Object{backend, binding} {
		if err := m.admin.Create(ctx, object); err != nil {
			return err
		}
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"smile-operator"}}}
	err = m.admin.SubResource("token").Create(ctx, backend, request)
	m.bearer = request.Status.Token
	m.later(func() error { m.transport.CloseIdleConnections(); return nil })
	return err
}

// watchSyncs records when requested refreshes are handled.
func (m *mint) watchSyncs(ctx context.Context) {
	m.follow(ctx, &v1alpha1.SmileAccountSyncList{}, func(event watch.Event, now time.Time) {
		sync, ok := event.Object.(*v1alpha1.SmileAccountSync)
		if !ok || sync.Status.LastHandledRequest == "" {
			return
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if _, known := m.handled[sync.Name]; !known {
			m.handled[sync.Name] = now
		}
	})
}

// sandboxTimes mints tokens directly at the sandbox, at the same rate.
func (m *mint) sandboxTimes(ctx context.Context, userID string) (own []time.Duration, err error) {
	tick := time.NewTicker(time.Second / tokensPerSecond)
	defer tick.Stop()
	for range 100 {
		<-tick.C
		began := time.Now()
		if err := m.post(ctx, m.smile.URL+"/v1/tokens?userId="+userID, func(r *http.Request) {
			r.SetBasicAuth(apiKey, apiSecret)
		}); err != nil {
			return nil, err
		}
		own = append(own, time.Since(began))
	}
	return own, nil
}

// measure requests tokens of everyone in turn, and a refresh of one sync each second.
func (m *mint) measure(ctx context.Context, o *operator, everyone []string) (took, refreshes []time.Duration, err error) {
	var running sync.WaitGroup
	var mu sync.Mutex
	var failure error
	requested := map[string]time.Time{}
	tick := time.NewTicker(time.Second / tokensPerSecond)
	defer tick.Stop()
	for i := range int(tokensFor/time.Second) * tokensPerSecond {
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-tick.C:
		}
		name := everyone[(i/tokensPerSecond)%min(len(everyone), refreshedBeside)]
		if i%tokensPerSecond == 5 && requested[name].IsZero() {
			requested[name] = time.Now()
			running.Go(func() { m.refresh(ctx, name) })
		}
		running.Go(func() {
			began := time.Now()
			user := everyone[i%len(everyone)]
			url := "http://" + m.address + "/v1/namespaces/" + namespace + "/smileusers/" + user + "/token"
			err := m.post(ctx, url, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+m.bearer) })
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(began))
			if err != nil {
				failure = err
			}
		})
	}
	running.Wait()
	if failure != nil {
		return nil, nil, failure
	}
	err = m.until(ctx, "all requested refreshes are handled", time.Minute, func() (bool, string, error) {
		refreshes = m.handledAfter(requested)
		return len(refreshes) == len(requested), fmt.Sprintf("%d of %d", len(refreshes), len(requested)), o.alive()
	})
	return took, refreshes, err
}

// refresh requests a refresh of a sync. A failure shows, because it is never handled.
func (m *mint) refresh(ctx context.Context, name string) {
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"now"}}}`, v1alpha1.AnnotationRequestedAt)
	_ = m.admin.Patch(ctx, syncOf(name), client.RawPatch(types.MergePatchType, patch))
}

func (m *mint) handledAfter(requested map[string]time.Time) (took []time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, at := range requested {
		if handled, ok := m.handled[name]; ok {
			took = append(took, handled.Sub(at))
		}
	}
	return took
}

// post makes a request that must lead to 201.
func (m *mint) post(ctx context.Context, url string, how func(*http.Request)) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return err
	}
	how(r)
	response, err := m.transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusCreated {
		var problem struct{ Reason, Code string }
		_ = json.Unmarshal(body, &problem)
		err = fmt.Errorf("no link token: %d %s%s", response.StatusCode, problem.Reason, problem.Code)
	}
	return err
}
