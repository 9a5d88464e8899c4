package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

func TestOptions(t *testing.T) {
	const usualInterval = 5 * time.Minute
	for name, tt := range map[string]struct {
		environment map[string]string
		want        options
		problem     string
	}{
		"nothing":          {nil, options{users: 1000, outputInterval: usualInterval}, ""},
		"full":             {map[string]string{"BENCH": "full"}, options{users: 10_000, outputInterval: usualInterval}, ""},
		"so many":          {map[string]string{"BENCH": "full", "BENCH_USERS": "200"}, options{users: 200, outputInterval: usualInterval}, ""},
		"some scenarios":   {map[string]string{"BENCH_ONLY": "paced, crashes"}, options{users: 1000, outputInterval: usualInterval, only: []string{"paced", "crashes"}}, ""},
		"checked often":    {map[string]string{"BENCH_OUTPUT_INTERVAL": "30s"}, options{users: 1000, outputInterval: 30 * time.Second}, ""},
		"checked always":   {map[string]string{"BENCH_OUTPUT_INTERVAL": "0s"}, options{}, "BENCH_OUTPUT_INTERVAL"},
		"no interval":      {map[string]string{"BENCH_OUTPUT_INTERVAL": "often"}, options{}, "BENCH_OUTPUT_INTERVAL"},
		"no such size":     {map[string]string{"BENCH": "huge"}, options{}, "BENCH is"},
		"no number":        {map[string]string{"BENCH_USERS": "many"}, options{}, "BENCH_USERS"},
		"too many":         {map[string]string{"BENCH_USERS": "1000000"}, options{}, "BENCH_USERS"},
		"nobody":           {map[string]string{"BENCH_USERS": "0"}, options{}, "BENCH_USERS"},
		"no such scenario": {map[string]string{"BENCH_ONLY": "nap"}, options{}, "bareloop, startup, paced, jitter, isolation, crashes, failover, population, webhooks, news, tokens, hostile, outputs, restore"},
	} {
		got, err := parseOptions(func(variable string) string { return tt.environment[variable] })
		if tt.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("%s: error %v, want one about %s", name, err, tt.problem)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(options{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if (options{only: []string{"paced"}}).wanted("crashes") || !(options{}).wanted("crashes") {
		t.Error("not exactly the named scenarios are wanted, or all if none is named")
	}
}

func TestEveryScenarioStatesItsWorkload(t *testing.T) {
	for _, s := range scenarios {
		if s.workload == nil || len(s.workload(options{users: 10}).Objects) == 0 {
			t.Errorf("%s does not", s.name)
		}
	}
}

func TestListingsNeverEnd(t *testing.T) {
	passed := 0
	p := &endlessProxy{pad: "x", pass: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed++ })}
	asked := func(target string) string {
		answer := httptest.NewRecorder()
		p.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody))
		return answer.Body.String()
	}
	asked("/v1/accounts?userId=u-1")
	p.on.Store(true)
	asked("/v1/accounts")
	asked("/v1/users")
	if passed != 3 {
		t.Errorf("%d requests were passed on", passed)
	}
	var page struct {
		Data struct {
			NextCursor string
			Items      []struct{ ID, UserID string }
		}
	}
	if err := json.Unmarshal([]byte(asked("/v1/accounts?userId=u-1")), &page); err != nil {
		t.Fatal(err)
	}
	if page.Data.NextCursor == "" || len(page.Data.Items) != endlessEntries || page.Data.Items[1].UserID != "u-1" {
		t.Errorf("the page is %+v", page)
	}
}

func TestMemory(t *testing.T) {
	const status = "Name:\tsmile-operator\nVmHWM:\t  153600 kB\nVmRSS:\t   62728 kB\nVmStk:\t lots\n"
	for name, want := range map[string]float64{"VmHWM": 150, "VmRSS": 62728.0 / 1024} {
		if got, err := mebibytes(status, name); err != nil || got != want {
			t.Errorf("%s is %v (%v), want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"VmStk", "VmNone"} {
		if got, err := mebibytes(status, name); err == nil {
			t.Errorf("%s is %v", name, got)
		}
	}
}

func TestProcessorTime(t *testing.T) {
	const stat = "4711 (smile (a) b) S 1 4711 4711 0 -1 4194560 9000 0 3 0 250 75 0 0 20 0 12 0 100 1 2"
	if got, err := processorTime(stat); err != nil || got != 3250*time.Millisecond {
		t.Errorf("it is %s (%v)", got, err)
	}
	for _, text := range []string{"", "4711 (smile) S 1 2", strings.ReplaceAll(stat, "250", "many")} {
		if got, err := processorTime(text); err == nil {
			t.Errorf("it is %s in %q", got, text)
		}
	}
}

func TestCalmAfter(t *testing.T) {
	times := at(0, 1000, 2000, 3000, 4000)
	used := func(milliseconds ...int) (samples []spent) {
		for i, c := range milliseconds {
			samples = append(samples, spent{times[i+1], time.Duration(c) * time.Millisecond})
		}
		return samples
	}
	for name, tt := range map[string]struct {
		samples []spent
		want    time.Duration
	}{
		"never seen":  {nil, 0},
		"never busy":  {used(20, 40, 60), 0},
		"at first":    {used(900, 1000, 1010), time.Second},
		"and once":    {used(900, 920, 1300, 1310), 3 * time.Second},
		"all of time": {used(500, 1000, 1500, 2000), 4 * time.Second},
	} {
		if got := calmAfter(times[0], tt.samples); got != tt.want {
			t.Errorf("%s: calm after %s, want %s", name, got, tt.want)
		}
	}
}

func TestPeopleSeen(t *testing.T) {
	p, times := &people{all: map[string]seen{}}, at(0, 1000, 2000, 3000)
	user := person("alice")
	user.Generation = 1
	p.note(user, times[0])
	ready := []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
	user.Status.Conditions = ready
	p.note(user, times[1]) // the condition is not yet of this generation
	if p.count(isReady) != 0 || !p.lastReady().IsZero() {
		t.Error("Ready of an older generation counts")
	}
	user.Status.ObservedGeneration, user.Status.UserID = 1, "u-1"
	p.note(user, times[2])
	user.Status.Accounts = &v1alpha1.AccountCounts{Total: 1, Connected: 1}
	p.note(user, times[3])
	if diff := cmp.Diff(seen{"u-1", 1, times[2]}, p.of("alice"), cmp.AllowUnexported(seen{})); diff != "" {
		t.Error(diff)
	}
	if p.count(isReady) != 1 || p.count(isLinked) != 1 || p.lastReady() != times[2] {
		t.Errorf("seen: %v", p.all)
	}
}

func TestNewsArrive(t *testing.T) {
	times := at(0, 100, 350, 900)
	w := &syncedUsers{names: []string{"alice", "ryan"}, changes: map[string][]change{}}
	secret := func(user, contributions string) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: dataOf(user)},
			Data:       map[string][]byte{"contributions.json": []byte(contributions)},
		}
	}
	w.note(secret("alice", `[{}]`), times[0])
	w.note(secret("ryan", `[]`), times[0])
	if w.filled() != 1 {
		t.Errorf("%d of the outputs are filled", w.filled())
	}
	had, happened := w.items(), map[string]time.Time{"alice": times[1], "ryan": times[1]}
	grown := accountChange{shows: func(had, has int) bool { return has > had }}
	gone := accountChange{shows: func(_, has int) bool { return has == 0 }}
	w.note(secret("alice", `[{}]`), times[2]) // written again, with nothing new
	if waits := append(w.arrived(had, happened, grown), w.arrived(had, happened, gone)...); len(waits) != 0 {
		t.Errorf("arrived: %v", waits)
	}
	w.note(secret("alice", `[{},{}]`), times[3])
	w.note(secret("ryan", ``), times[2])
	if diff := cmp.Diff([]time.Duration{800 * time.Millisecond}, w.arrived(had, happened, grown)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]time.Duration{250 * time.Millisecond}, w.arrived(had, happened, gone)); diff != "" {
		t.Error(diff)
	}
}

func TestDelaysOfNews(t *testing.T) {
	times := at(0, 100, 200, 350, 900)
	w := &syncedUsers{changes: map[string][]change{dataOf("alice"): {{times[0], 3}, {times[2], 3}, {times[3], 4}, {times[4], 6}}}}
	pieces := []piece{
		{"alice", times[1], 4}, {"alice", times[2], 5}, {"alice", times[2], 6}, {"alice", times[2], 7}, {"ryan", times[0], 1},
	}
	want := []time.Duration{250 * time.Millisecond, 700 * time.Millisecond, 700 * time.Millisecond}
	if diff := cmp.Diff(want, w.delays(pieces)); diff != "" {
		t.Error(diff)
	}
}

func TestHasReady(t *testing.T) {
	condition := func(kind, status string) any { return map[string]any{"type": kind, "status": status} }
	for name, tt := range map[string]struct {
		conditions []any
		want       bool
	}{
		"none":      {nil, false},
		"not Ready": {[]any{condition("Ready", "False")}, false},
		"another":   {[]any{condition("Reconciling", "True")}, false},
		"Ready":     {[]any{condition("Registered", "False"), condition("Ready", "True")}, true},
	} {
		if got := hasReady(tt.conditions); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
