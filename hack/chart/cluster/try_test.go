//go:build e2e

package cluster

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// trialLimit is the time in which the data of the test user must be in the cluster.
const trialLimit = time.Minute

// TestTryInACluster installs the chart with the sandbox and the sample, and runs the commands of its notes. An upgrade
// as documented keeps the values. When the release is uninstalled, the definitions with all objects stay, and so does the identity.
func TestTryInACluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.restrictedNamespace(namespace)
	n := c.newNode()
	began := time.Now()
	notes := c.script(`helm install smile-operator ` + chart() + ` --namespace ` + namespace +
		` --wait --set sandbox.enabled=true --set sample.enabled=true`)
	_, notes, found := strings.Cut(notes, "George is a test user")
	if !found {
		t.Fatalf("the notes contain no commands:\n%s", notes)
	}
	services, err := n.services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sandbox := services["smile-operator-sandbox."+namespace+".svc:8484"]
	commands := strings.Join(regexp.MustCompile(`(?m)^  .*$`).FindAllString(notes, -1), "\n")
	commands = regexp.MustCompile(`.* port-forward .*\n`).ReplaceAllString(commands, "")
	data := c.script(strings.ReplaceAll(commands, "localhost:8484", sandbox))
	if took := time.Since(began); took > trialLimit {
		t.Errorf("George's data arrived after %s; want it within %s", took, trialLimit)
	} else {
		t.Logf("George's data arrived %s after the installation began", took)
	}
	if !strings.Contains(data, `"firstName": "George"`) {
		t.Errorf("the commands of the notes print:\n%s", data)
	}
	generations := "kubectl --namespace " + namespace + " get deployments,smileusers,smileaccountsyncs,smileconnections " +
		"--output=custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid,GENERATION:.metadata.generation"
	before := c.script(generations)
	c.script("helm upgrade smile-operator " + chart() + " --namespace " + namespace + " --reset-then-reuse-values --wait")
	if after := c.script(generations); after != before {
		t.Errorf("an upgrade to the same version changes\n%sto\n%s", before, after)
	}
	c.script("helm uninstall smile-operator --namespace " + namespace + "\n" +
		"kubectl --namespace " + namespace + " get smileuser/george secret/smile-operator-identity crd/smileusers.smile-operator.io")
}

// chart is the path of the chart in the repository.
func chart() string { return filepath.Join(root(), "config", "chart", "smile-operator") }

// TestTakeOwnership installs the chart in a cluster that has the CustomResourceDefinitions: from kubectl, and from an earlier release of
// another name.
func TestTakeOwnership(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.script("kubectl create namespace " + namespace + "\nkubectl apply --server-side --kustomize " + filepath.Join(root(), "config", "crd"))
	for _, name := range []string{"first", "second"} {
		install := "helm install " + name + " " + chart() + " --namespace " + namespace + " --set uninstall.enabled=false"
		if refused := c.script(install + " 2>&1 || true"); !strings.Contains(refused, "cannot be imported into the current release") {
			t.Errorf("without --take-ownership, Helm says:\n%s", refused)
		}
		c.script(install + " --take-ownership\nhelm uninstall " + name + " --namespace " + namespace)
		c.script("kubectl get crd/smileusers.smile-operator.io")
	}
}

// TestStrictApply applies the objects of each scope, with all options, to an API server that refuses unknown fields, and lets it check
// the pods in namespaces that enforce the Pod Security Standard restricted.
func TestStrictApply(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.restrictedNamespace("team-a")
	values := filepath.Join(c.dir, "values.yaml")
	if err := os.WriteFile(values, []byte(options), 0o600); err != nil {
		t.Fatal(err)
	}
	for scope, flags := range map[string]string{
		"cluster": "", "own": " --set rbac.tokenReviewer=true", "namespaces": " --set rbac.tokenReviewer=true --set watchNamespaces={team-a}",
	} {
		name := "smile-operator-" + scope
		c.restrictedNamespace(name)
		c.script("helm template " + name + " " + chart() + " --namespace " + name + " --values " + values + " --set scope=" + scope + flags +
			" > " + scope + ".yaml\n" +
			"helm template " + name + " " + chart() + " --namespace " + name + " --show-only templates/crds.yaml | " +
			"kubectl apply --server-side --force-conflicts --validate=strict --filename -\n" +
			"kubectl wait --for=condition=Established crd --all --timeout=60s\n" +
			"kubectl apply --server-side --force-conflicts --validate=strict --filename " + scope + ".yaml")
		var deployments appsv1.DeploymentList
		if err := c.admin.List(t.Context(), &deployments, client.InNamespace(name)); err != nil {
			t.Fatal(err)
		}
		if len(deployments.Items) != 2 {
			t.Errorf("%s has %d Deployments", scope, len(deployments.Items))
		}
		for _, d := range deployments.Items {
			pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: name, GenerateName: "checked-"}, Spec: d.Spec.Template.Spec}
			if err := c.admin.Create(t.Context(), &pod, client.DryRunAll); err != nil {
				t.Errorf("%s: a pod of %s: %v", scope, d.Name, err)
			}
		}
	}
}

// options turns everything on whose kinds are those of Kubernetes.
const options = `
leaseName: other
policies: {enabled: true}
imagePullSecrets: [{name: registry}]
trustBundle: {configMap: authorities}
proxy: {httpsProxy: "http://proxy.example.com:3128"}
receiver:
  baseURL: https://hooks.example.com
  tls: {secretName: receiver-tls}
  ingress: {enabled: true, className: nginx, host: hooks.example.com, tlsSecretName: hooks, annotations: {a: b}}
applicationAPI:
  enabled: true
  tls: {secretName: api-tls}
  ingress: {enabled: true, host: api.example.com}
wink:
  enabled: true
  baseURL: https://connect.example.com
  ingress: {enabled: true, host: connect.example.com}
networkPolicy: {extraEgress: [{ports: [{port: 3128}]}]}
extraArgs: [--zap-log-level=debug]
extraEnv: [{name: A, value: b}]
podLabels: {a: b}
podAnnotations: {a: b}
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{operator: Exists}]
affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: zone, labelSelector: {}}}]}}
priorityClassName: system-cluster-critical
sandbox: {enabled: true, extraArgs: [--rate-limit=0]}
sample: {enabled: true}
extraObjects:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: extra}}
  - "{apiVersion: v1, kind: ConfigMap, metadata: {name: '{{ .Release.Name }}-extra'}}"
`
