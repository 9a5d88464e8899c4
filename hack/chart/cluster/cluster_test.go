//go:build e2e

package cluster

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/smile-operator/smile-operator/internal/controlplane"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// namespace is the one that the documentation names.
const namespace = "smile-operator-system"

var programs string // the directory of helm and of the commands

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	var err error
	if programs, err = os.MkdirTemp("", "smile-chart-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(programs)
	os.Exit(code)
}

// builds has one entry for each command, because each is built once.
var builds = map[string]func() error{
	"helm":           sync.OnceValue(func() error { return build(".", "helm", "helm.sh/helm/v4/cmd/helm") }),
	"smile-operator": sync.OnceValue(func() error { return build(root(), "smile-operator", "./cmd/smile-operator") }),
	"smile-sandbox":  sync.OnceValue(func() error { return build(root(), "smile-sandbox", "./cmd/smile-sandbox") }),
}

func build(dir, name, pkg string) error {
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(programs, name), pkg)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	return cmd.Run()
}

// program returns the path of a command.
func program(t *testing.T, name string) string {
	t.Helper()
	if builds[name] == nil {
		t.Fatalf("there is no command %q", name)
	}
	if err := builds[name](); err != nil {
		t.Fatalf("building %s: %v", name, err)
	}
	return filepath.Join(programs, name)
}

// root is that of the repository.
func root() string {
	path, _ := filepath.Abs(filepath.Join("..", "..", ".."))
	return path
}

// cluster is a control plane without nodes.
type cluster struct {
	t          *testing.T
	plane      *controlplane.ControlPlane
	admin      client.Client
	kubeconfig string
	// dir is where scripts run, and state is where programs and processes keep files.
	dir, state string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	plane, err := controlplane.Start(context.WithoutCancel(t.Context()), controlplane.Options{Assets: assets()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plane.Stop() })
	c := &cluster{t: t, plane: plane, dir: t.TempDir(), state: t.TempDir()}
	c.kubeconfig = filepath.Join(c.state, "kubeconfig")
	content, err := plane.Kubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.kubeconfig, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if c.admin, err = client.New(plane.Config(), client.Options{}); err != nil {
		t.Fatal(err)
	}
	return c
}

// assets is the directory of the control plane's binaries, and of kubectl.
func assets() string {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir
	}
	return filepath.Join(root(), "bin", "k8s")
}

// script runs shell commands as an administrator of the cluster, and returns what they print.
func (c *cluster) script(text string, environment ...string) string {
	c.t.Helper()
	program(c.t, "helm")
	cmd := exec.CommandContext(c.t.Context(), "bash", "-euo", "pipefail", "-c", text)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig, "PATH="+programs+":"+assets()+":"+os.Getenv("PATH"),
		"KUBECACHEDIR="+c.state, "HELM_CACHE_HOME="+c.state, "HELM_CONFIG_HOME="+c.state, "HELM_DATA_HOME="+c.state)
	cmd.Env = append(cmd.Env, environment...)
	var out, failure bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failure
	if err := cmd.Run(); err != nil {
		c.t.Fatalf("%v\n%s\n%s%s", err, text, out.String(), failure.String())
	}
	return out.String()
}

// restrictedNamespace creates the namespace, which then enforces the Pod Security Standard restricted.
func (c *cluster) restrictedNamespace(name string) {
	c.t.Helper()
	c.script(strings.ReplaceAll(`kubectl create namespace NAME
		kubectl label namespace NAME pod-security.kubernetes.io/enforce=restricted`, "NAME", name))
}
