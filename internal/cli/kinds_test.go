package cli

import (
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func TestTargets(t *testing.T) {
	t.Parallel()
	refreshed := func(k kind) bool { return k.refreshed }
	for text, want := range map[string]string{
		"george":                        "smileaccountsyncs.smile-operator.io/george",
		"user/george":                   "smileusers.smile-operator.io/george",
		"smu/george":                    "smileusers.smile-operator.io/george",
		"SmileUsers/george":             "smileusers.smile-operator.io/george",
		"smileuser.smile-operator.io/a": "smileusers.smile-operator.io/a",
		"webhook/events":                "smilewebhooksubscriptions.smile-operator.io/events",
		"connection/smile":              "",
		"user/":                         "",
		"smileuser.example.com/a":       "",
		"pod/a":                         "",
	} {
		got, err := targets([]string{text}, &syncs, refreshed)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "user, sync") {
				t.Errorf("%s: %v, error %v", text, got, err)
			}
			continue
		}
		if err != nil || got[0].String() != want {
			t.Errorf("%s: %v, error %v, want %s", text, got, err, want)
		}
	}
	if _, err := targets([]string{"george"}, nil, refreshed); err == nil || !strings.Contains(err.Error(), "user/george") {
		t.Errorf("a name without a kind: %v", err)
	}
}

// The plugin reports mistakes before it talks to a cluster.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"uninstall --wait=1h":                   "--wait must be between 0s and 7m30s",
		"status -o wide":                        `"wide" is not one of json, yaml, name`,
		"sync":                                  "name the objects, or use --all",
		"sync a --all":                          "name the objects, or use --all",
		"suspend george":                        `"george" names no kind: write KIND/NAME, such as user/george`,
		"erase":                                 "accepts 1 arg(s), received 0",
		"status --server=http://localhost:8080": "no cluster is configured: set KUBECONFIG",
		"status --color=sometimes --server=http://127.0.0.1:1": "--color must be auto, always or never",
		"status --server=http://127.0.0.1:1":                   "connection refused",
	} {
		streams, _, out, errOut := genericiooptions.NewTestIOStreams()
		if code := Run(t.Context(), strings.Fields(line), streams); code != 1 || !strings.Contains(errOut.String(), want) || out.Len() > 0 {
			t.Errorf("%s: exit code %d, says %q, want %q", line, code, errOut.String(), want)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	streams, _, out, _ := genericiooptions.NewTestIOStreams()
	if code := Run(t.Context(), []string{"--help"}, streams); code != 0 || !strings.Contains(out.String(), "kubectl smile [command]") {
		t.Errorf("the help:\n%s", out)
	}
	out.Reset()
	if code := Run(t.Context(), []string{"completion", "bash"}, streams); code != 0 || !strings.Contains(out.String(), "kubectl-smile") {
		t.Errorf("the completion:\n%s", out)
	}
}
