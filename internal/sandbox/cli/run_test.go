package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asApplication is the environment variable that makes the test binary an application
// of a scenario: it creates a user, and then does what the variable says.
const asApplication = "SMILE_SANDBOX_APPLICATION"

func application(does string) int {
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTERM)
	r, err := http.NewRequest(http.MethodPost, os.Getenv("SMILE_BASE_URL")+"/users", strings.NewReader(`{}`))
	if err != nil {
		return 4
	}
	r.SetBasicAuth(os.Getenv("SMILE_API_KEY"), os.Getenv("SMILE_API_SECRET"))
	r.Header.Set("Content-Type", "application/json")
	if response, err := http.DefaultClient.Do(r); err != nil || response.StatusCode != http.StatusCreated {
		return 4
	}
	if does == "fail" {
		return 3
	}
	<-stopped
	fmt.Println("the application has stopped")
	return 0
}

// scenarioRun is the result of smile-sandbox run.
type scenarioRun struct {
	code     int
	out, err string
}

func runScenario(t *testing.T, text string, args ...string) scenarioRun {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	code := Run(append([]string{"run", file}, args...), &out, &problems)
	return scenarioRun{code, out.String(), strings.ReplaceAll(problems.String(), file, "FILE")}
}

const waitsForUser = "sandbox: {addr: '127.0.0.1:0', keys: 'a:b'}\nsteps:\n- findUser: {as: first}\n"

// TestRunScenario: the exit code says whether the scenario succeeded, failed or is
// wrong.
func TestRunScenario(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	junit := filepath.Join(t.TempDir(), "junit.xml")
	for name, test := range map[string]struct {
		text     string
		args     []string
		does     string // the application
		code     int
		out, err string
	}{
		"with an application": {waitsForUser, []string{"--junit", junit, "--", self}, "stay", 0, "ok     1  find user first", ""},
		"stops it":            {waitsForUser, []string{"--", self}, "stay", 0, "", "the application has stopped"},
		"an application that fails": {
			waitsForUser + "- expect: {calls: {operation: list-uploads}, within: 1h}\n",
			[]string{"--", self},
			"fail", 1,
			"has failed: exit status 3", "the scenario has failed",
		},
		"no application":      {waitsForUser, []string{"--", "no-such-program"}, "", 1, "the program no-such-program has failed", ""},
		"too slow":            {waitsForUser[:len(waitsForUser)-2] + ", within: 1h}\n", []string{"--timeout=50ms"}, "", 1, "longer than 50ms (--timeout)", ""},
		"a failure":           {waitsForUser[:len(waitsForUser)-2] + ", within: 1ms}\n", nil, "", 1, "there is no such user after 1ms; there are 0 users", "the scenario has failed"},
		"wrong field":         {"stepps: []\n", nil, "", 2, "", "FILE:1: stepps: unknown field"},
		"wrong flag":          {"sandbox: {rate: 3}\nsteps: [{advance: 1s}]\n", nil, "", 2, "", "FILE:1: sandbox.rate: is not a flag of smile-sandbox"},
		"wrong value":         {"sandbox: {rate-limit: x}\nsteps: [{advance: 1s}]\n", nil, "", 2, "", `FILE:1: sandbox.rate-limit: invalid argument "x"`},
		"does not start":      {"sandbox: {addr: '127.0.0.1:0', quirks: none}\nsteps: [{advance: 1s}]\n", nil, "", 2, "", "--quirks"},
		"the line overrides":  {"sandbox: {addr: '127.0.0.1:0', quirks: none}\nsteps: [{advance: 1s}]\n", []string{"--quirks="}, "", 0, "ok", ""},
		"two files":           {"steps: [{advance: 1s}]\n", []string{"another.yaml"}, "", 2, "", "want one scenario"},
		"an unknown flag":     {"steps: [{advance: 1s}]\n", []string{"--nothing"}, "", 2, "", "unknown flag"},
		"nothing of the line": {"sandbox: {junit: x}\nsteps: [{advance: 1s}]\n", nil, "", 2, "", "sandbox.junit: is not a flag"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.does != "" {
				t.Setenv(asApplication, test.does)
			}
			got := runScenario(t, test.text, test.args...)
			if got.code != test.code || !strings.Contains(got.out, test.out) || !strings.Contains(got.err, test.err) {
				t.Errorf("exit code %d, want %d\n%s\n%s", got.code, test.code, got.out, got.err)
			}
		})
	}
	if text, err := os.ReadFile(junit); err != nil || !strings.Contains(string(text), `tests="1" failures="0"`) {
		t.Errorf("%v %s", err, text)
	}
}
