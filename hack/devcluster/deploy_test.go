package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/controlplane"
)

// TestDeployAndUndeploy installs everything with make, as on any existing cluster, and removes it again. What stays is meant to
// stay: the CRDs, and the namespace, because the identity Secret is in it.
func TestDeployAndUndeploy(t *testing.T) {
	t.Parallel()
	assets, err := controlplane.Assets()
	if err != nil {
		t.Fatal(err)
	}
	d := deployed{t: t, kubectl: filepath.Join(assets, "kubectl"), kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	s := startUp(t, d.kubeconfig)

	d.run("make", "install", "deploy", "KUBECTL="+d.kubectl, "IMAGE=registry.example.com/team/smile-operator:v1.2.3")
	d.checkPods()
	d.run("make", "undeploy", "KUBECTL="+d.kubectl)
	left := d.kubectlWith(d.run(d.kubectl, "kustomize", "config/default"), "get", "--filename=-", "--ignore-not-found", "--output=name")
	for name := range strings.FieldsSeq(left) {
		if !strings.HasPrefix(name, "customresourcedefinition.") && name != "namespace/smile-operator-system" {
			t.Errorf("make undeploy leaves %s", name)
		}
	}
	if got := strings.Count(left, "customresourcedefinition."); got == 0 || !strings.Contains(left, "namespace/") {
		t.Errorf("make undeploy leaves only %s", left)
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// deployed is a cluster that make deploys to.
type deployed struct {
	t                   *testing.T
	kubectl, kubeconfig string
}

// run runs a program in the root of the repository and returns its output.
func (d deployed) run(program string, args ...string) string {
	d.t.Helper()
	return d.input("", program, args...)
}

func (d deployed) kubectlWith(manifest string, args ...string) string {
	d.t.Helper()
	return d.input(manifest, d.kubectl, args...)
}

func (d deployed) input(text, program string, args ...string) string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), program, args...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+d.kubeconfig)
	cmd.Stdin = strings.NewReader(text)
	var out, failure bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failure
	if err := cmd.Run(); err != nil {
		d.t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out.String(), failure.String())
	}
	return out.String()
}

// checkPods checks that the Deployment runs the chosen image, and that the namespace, which enforces the Pod Security Standard
// restricted, accepts its pods.
func (d deployed) checkPods() {
	d.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", d.kubeconfig)
	if err != nil {
		d.t.Fatal(err)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		d.t.Fatal(err)
	}
	var namespace corev1.Namespace
	if err := c.Get(d.t.Context(), client.ObjectKey{Name: "smile-operator-system"}, &namespace); err != nil {
		d.t.Fatal(err)
	}
	if level := namespace.Labels["pod-security.kubernetes.io/enforce"]; level != "restricted" {
		d.t.Errorf("the namespace enforces %q", level)
	}
	var deployment appsv1.Deployment
	if err := c.Get(d.t.Context(), client.ObjectKey{Namespace: namespace.Name, Name: "smile-operator"}, &deployment); err != nil {
		d.t.Fatal(err)
	}
	if image := deployment.Spec.Template.Spec.Containers[0].Image; image != "registry.example.com/team/smile-operator:v1.2.3" {
		d.t.Errorf("the Deployment runs %s", image)
	}
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "checked"}, Spec: deployment.Spec.Template.Spec}
	if err := c.Create(d.t.Context(), &pod, client.DryRunAll); err != nil {
		d.t.Errorf("a pod of the Deployment: %v", err)
	}
}
