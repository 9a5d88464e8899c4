package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/controlplane"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// The programs of this module that run, and the files of this run.
const (
	sandboxProgram  = "smile-sandbox"
	operatorProgram = "smile-operator"
	adminAccess     = "kubeconfig"
	operatorAccess  = "operator.kubeconfig"
)

const (
	waitTimeout    = "--timeout=90s"
	sandboxTimeout = 10 * time.Second
)

// operatorAccount is the ServiceAccount of config/rbac.
var operatorAccount = types.NamespacedName{Namespace: "smile-operator-system", Name: "smile-operator"}

var steps = []step{
	{"Start a Kubernetes control plane", (*demo).startControlPlane},
	{"Build the operator and the sandbox", (*demo).build},
	{"Install the CRDs, and the ServiceAccount with its rights", (*demo).install},
	{"Start the Smile sandbox", (*demo).startSandbox},
	{"Start the operator as its ServiceAccount", (*demo).startOperator},
	{"Apply the samples", (*demo).applySamples},
	{"Wait until George is a user at Smile and the webhook is registered", (*demo).awaitReady},
	{"Get a link token of George through the application API, as a backend does", (*demo).askForToken},
	{"Link George's social security account, as he would in the widget", (*demo).linkAccount},
	{"Wait until his data is in the Secret", (*demo).awaitData},
	{"Show the result", (*demo).showResult},
}

// inBrowser are the steps of a demo in which George uses a browser.
func inBrowser() []step {
	changed := slices.Clone(steps)
	for i, s := range changed {
		if strings.HasPrefix(s.name, "Link George's") {
			changed[i] = step{"Have George open a link to the hosted page in Chromium, and log in", (*demo).browse}
		}
	}
	return changed
}

func (d *demo) build(ctx context.Context) error {
	_, err := output(ctx, command(ctx, d.root, "go", "build", "-ldflags=-s -w", "-o", d.dir,
		"./cmd/"+operatorProgram, "./cmd/"+sandboxProgram))
	return err
}

func (d *demo) install(ctx context.Context) error {
	if err := d.do(ctx, "apply", "--server-side", "-k", "config/crd"); err != nil {
		return err
	}
	return d.do(ctx, "apply", "--server-side", "-k", "config/rbac")
}

func (d *demo) startSandbox(ctx context.Context) error {
	if err := d.serve(ctx, "", sandboxProgram, "--addr=127.0.0.1:0", "--allow-http-webhooks"); err != nil {
		return err
	}
	var err error
	d.sandbox, err = firstLine(ctx, d.log(sandboxProgram), "smile-sandbox listens on ")
	return err
}

func (d *demo) startOperator(ctx context.Context) error {
	access, err := d.plane.KubeconfigFor(ctx, operatorAccount)
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.path(operatorAccess), access, 0o600); err != nil {
		return err
	}
	hooks, err := controlplane.FreeAddress(ctx)
	if err != nil {
		return err
	}
	applications, err := d.serveApplications(ctx)
	if err != nil {
		return err
	}
	return d.serve(ctx, "KUBECONFIG="+d.path(operatorAccess), operatorProgram, append([]string{
		"--sandbox-endpoint=" + d.sandbox + "/v1",
		"--leader-elect",
		"--operator-namespace=" + operatorAccount.Namespace,
		"--metrics-bind-address=0",
		"--health-probe-bind-address=0",
		"--receiver-bind-address=" + hooks,
		"--receiver-base-url=http://" + hooks,
		"--zap-encoder=console",
	}, applications...)...)
}

func (d *demo) applySamples(ctx context.Context) error {
	if err := d.do(ctx, "apply", "--server-side", "-k", "config/samples"); err != nil {
		return err
	}
	return d.do(ctx, "apply", "--server-side", "-f", "config/samples/webhook.yaml")
}

func (d *demo) awaitReady(ctx context.Context) error {
	return d.do(ctx, "wait", "--for=condition=Ready", "smileuser/george", "smilewebhooksubscription/events",
		"smilewinkwidget/wink", waitTimeout)
}

// linkAccount does what the end user does in the Wink widget.
func (d *demo) linkAccount(ctx context.Context) error {
	id, err := d.kubectl(ctx, "get", "smileuser", "george", "-o", "jsonpath={.status.userID}")
	if err != nil {
		return err
	}
	d.note("provider sss_ph, login George, password 123456, code 1234")
	var account sandbox.Account
	err = d.control(ctx, http.MethodPost, "link", &account, george(id))
	if err == nil && account.ConnectionStatus != sandbox.Connected {
		err = fmt.Errorf("the account is %s", account.ConnectionStatus)
	}
	return err
}

// george is what the sandbox's test person George enters into the widget.
func george(userID string) sandbox.LinkRequest {
	return sandbox.LinkRequest{UserID: userID, ProviderID: "sss_ph", Login: "George", Password: "123456", MFA: "1234"}
}

func (d *demo) awaitData(ctx context.Context) error {
	for _, condition := range []string{"AccountsConnected", "OutputReady"} {
		if err := d.do(ctx, "wait", "--for=condition="+condition, "smileaccountsync/george", waitTimeout); err != nil {
			return err
		}
	}
	return nil
}

// showResult prints the objects, the data and the calls.
func (d *demo) showResult(ctx context.Context) error {
	for _, args := range [][]string{
		{"get", "smile", "-o", "wide"},
		{"describe", "smileaccountsync", "george"},
	} {
		if err := d.show(ctx, args...); err != nil {
			return err
		}
	}
	text, err := d.kubectl(ctx, "get", "secret", "george-data", "-o", "json")
	if err != nil {
		return err
	}
	var secret corev1.Secret
	if err := json.Unmarshal([]byte(text), &secret); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n$ kubectl get secret george-data -o json    # decoded, the first lines of each key\n%s", excerpts(secret.Data, excerptLines))
	var stats sandbox.Stats
	if err := d.control(ctx, http.MethodGet, "stats", &stats, nil); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\nAll calls that Smile received:\n%s", callTable(stats))
	return nil
}

// control makes a request to the sandbox's control API and decodes the response.
func (d *demo) control(ctx context.Context, method, path string, answer, body any) error {
	sent, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sandboxTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, d.sandbox+"/_sandbox/"+path, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	return send(request, http.StatusOK, "the sandbox", answer)
}

// send sends a request to a server, and decodes the response.
func send(request *http.Request, want int, server string, answer any) error {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != want {
		return fmt.Errorf("%s responded with %s to %s %s: %s", server, response.Status, request.Method, request.URL.Path, text)
	}
	return json.Unmarshal(text, answer)
}
