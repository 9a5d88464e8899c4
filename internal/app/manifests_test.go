package app

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// TestManifestsHaveAllKinds checks that PROJECT and config/crd name each kind of the API.
func TestManifestsHaveAllKinds(t *testing.T) {
	root := filepath.Join("..", "..")
	bases, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	if err != nil || len(bases) == 0 {
		t.Fatalf("no CRDs: %v", err)
	}
	kinds, files := map[string]bool{}, map[string]bool{}
	for _, base := range bases {
		var definition struct {
			Spec struct {
				Group string
				Names struct{ Kind string }
			}
		}
		decode(t, base, &definition)
		if definition.Spec.Group == v1alpha1.GroupVersion.Group {
			kinds[definition.Spec.Names.Kind] = true
		}
		files["bases/"+filepath.Base(base)] = true
	}

	var project struct{ Resources []struct{ Kind string } }
	decode(t, filepath.Join(root, "PROJECT"), &project)
	named := map[string]bool{}
	for _, resource := range project.Resources {
		named[resource.Kind] = true
	}
	if !maps.Equal(named, kinds) {
		t.Errorf("PROJECT names %v; config/crd/bases has %v", slices.Sorted(maps.Keys(named)), slices.Sorted(maps.Keys(kinds)))
	}

	var kustomization struct{ Resources []string }
	decode(t, filepath.Join(root, "config", "crd", "kustomization.yaml"), &kustomization)
	installed := map[string]bool{}
	for _, resource := range kustomization.Resources {
		installed[resource] = true
	}
	if !maps.Equal(installed, files) {
		t.Errorf("config/crd installs %v; its bases are %v", kustomization.Resources, slices.Sorted(maps.Keys(files)))
	}
}

// TestRolesOfPeople checks that the role view can read each kind, that each kind can be written by the roles edit or admin
// but not by both roles' own rules, and that nothing else is granted by aggregation.
func TestRolesOfPeople(t *testing.T) {
	root := filepath.Join("..", "..", "config")
	bases, err := filepath.Glob(filepath.Join(root, "crd", "bases", v1alpha1.GroupVersion.Group+"_*.yaml"))
	if err != nil || len(bases) == 0 {
		t.Fatalf("no CRDs: %v", err)
	}
	var kinds []string
	for _, base := range bases {
		var definition struct {
			Spec struct{ Names struct{ Plural string } }
		}
		decode(t, base, &definition)
		kinds = append(kinds, definition.Spec.Names.Plural)
	}
	resources := map[string][]string{}
	for name, verbs := range map[string][]string{
		"view":  {"get", "list", "watch"},
		"edit":  {"create", "delete", "deletecollection", "patch", "update"},
		"admin": {"create", "delete", "deletecollection", "patch", "update"},
	} {
		var role rbacv1.ClusterRole
		decode(t, filepath.Join(root, "roles", name+".yaml"), &role)
		if len(role.Rules) != 1 || !slices.Equal(role.Rules[0].Verbs, verbs) || !slices.Equal(role.Rules[0].APIGroups, []string{v1alpha1.GroupVersion.Group}) {
			t.Errorf("%s grants %v", name, role.Rules)
		}
		resources[name] = role.Rules[0].Resources
	}
	slices.Sort(kinds)
	written := slices.Sorted(slices.Values(slices.Concat(resources["edit"], resources["admin"])))
	if !slices.Equal(resources["view"], kinds) || !slices.Equal(written, kinds) {
		t.Errorf("the kinds are %v; viewed are %v, and written are %v", kinds, resources["view"], written)
	}
}

// TestNetworkPolicyNamesAllPorts checks that each port that some manifest opens can be reached, and no other one.
func TestNetworkPolicyNamesAllPorts(t *testing.T) {
	root := filepath.Join("..", "..", "config")
	opened := map[string]bool{}
	named := regexp.MustCompile(`name: ([a-z-]+)\n\s+containerPort: `)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "chart" {
			return fs.SkipDir // hack/chart compares it with the others
		}
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		for _, match := range named.FindAllSubmatch(content, -1) {
			opened[string(match[1])] = true
		}
		return err
	})
	if err != nil || len(opened) == 0 {
		t.Fatalf("no ports: %v", err)
	}
	var policy networkingv1.NetworkPolicy
	decode(t, filepath.Join(root, "network-policy", "network_policy.yaml"), &policy)
	allowed := map[string]bool{}
	for _, rule := range policy.Spec.Ingress {
		for _, port := range rule.Ports {
			allowed[port.Port.String()] = true
		}
	}
	if !maps.Equal(opened, allowed) {
		t.Errorf("the manifests open %v; the NetworkPolicy allows %v", slices.Sorted(maps.Keys(opened)), slices.Sorted(maps.Keys(allowed)))
	}
}

// TestGoMemoryLimit checks that the limit of Go's memory is at 90 % of that of the container. hack/chart checks that of the chart.
func TestGoMemoryLimit(t *testing.T) {
	var deployment appsv1.Deployment
	decode(t, filepath.Join("..", "..", "config", "manager", "deployment.yaml"), &deployment)
	container := deployment.Spec.Template.Spec.Containers[0]
	at := slices.IndexFunc(container.Env, func(variable corev1.EnvVar) bool { return variable.Name == "GOMEMLIMIT" })
	if at < 0 {
		t.Fatal("GOMEMLIMIT is not set")
	}
	want := fmt.Sprintf("%dMiB", container.Resources.Limits.Memory().Value()*9/10>>20)
	if got := container.Env[at].Value; got != want {
		t.Errorf("GOMEMLIMIT is %s; want %s", got, want)
	}
}

func decode(t *testing.T, path string, to any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, to); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
