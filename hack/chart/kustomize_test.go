package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const pageURL = "https://connect.example.com"

// TestSameObjects checks that the chart and the kustomizations install the same objects, but for the permitted differences.
func TestSameObjects(t *testing.T) {
	const certificate = "smile-operator-application-api-tls"
	for name, tt := range map[string]struct {
		kustomization string
		values        map[string]any
	}{
		"cluster": {"resources: [CONFIG/default]", nil},
		"own":     {"resources: [CONFIG/default]\ncomponents: [CONFIG/scopes/own]", map[string]any{"scope": "own"}},
		"namespaces": {
			"resources: [CONFIG/default, team-a, team-b]\ncomponents: [CONFIG/scopes/namespaces]\n" + extraArg("--watch-namespaces=team-a,team-b"),
			map[string]any{"scope": "namespaces", "watchNamespaces": []any{"team-a", "team-b"}},
		},
		"application API": {
			"resources: [CONFIG/default]\ncomponents: [CONFIG/application-api]",
			map[string]any{"applicationAPI.enabled": true, "applicationAPI.tls.secretName": certificate},
		},
		"policies": {"resources: [CONFIG/default]\ncomponents: [CONFIG/policies]", map[string]any{"policies.enabled": true}},
		"metrics": {
			"resources: [CONFIG/default]\ncomponents: [CONFIG/prometheus]", map[string]any{"metrics.serviceMonitor.enabled": true},
		},
		"hosted page": {
			"resources: [CONFIG/default]\ncomponents: [CONFIG/application-api, CONFIG/wink]",
			map[string]any{
				"applicationAPI.enabled": true, "applicationAPI.tls.secretName": certificate,
				"wink.enabled": true, "wink.baseURL": pageURL,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := render(t, load(t), settings(tt.values))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, normalized(objects(t, files)), normalized(kustomized(t, tt.kustomization)))
		})
	}
}

func extraArg(arg string) string {
	return `patches:
  - target: {kind: Deployment, name: smile-operator}
    patch: |
      - {op: add, path: /spec/template/spec/containers/0/args/-, value: "` + arg + `"}
`
}

// kustomized returns the objects of a kustomization, in which CONFIG is the directory config of the repository.
func kustomized(t *testing.T, kustomization string) []object {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(filepath.Join("..", "..", "config"))
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		".": kustomization, "team-a": watched("team-a"), "team-b": watched("team-b"),
	} {
		place := filepath.Join(dir, path)
		config, err := filepath.Rel(place, root)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(place, 0o750); err != nil {
			t.Fatal(err)
		}
		content = strings.ReplaceAll(content, "CONFIG", config)
		if err := os.WriteFile(filepath.Join(place, "kustomization.yaml"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return documents(t, string(text))
}

func watched(namespace string) string {
	return "namespace: " + namespace + "\nresources: [CONFIG/scopes/namespaces/watched]\n"
}

func compare(t *testing.T, chart, kustomize map[string]object) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(kustomize)) {
		if _, found := chart[key]; !found {
			t.Errorf("the chart lacks %s", key)
		} else if !reflect.DeepEqual(chart[key], kustomize[key]) {
			t.Errorf("%s differs:\nchart:     %s\nkustomize: %s", key, compact(chart[key]), compact(kustomize[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(chart)) {
		if _, found := kustomize[key]; !found {
			t.Errorf("only the chart has %s", key)
		}
	}
	if len(kustomize) == 0 {
		t.Error("there is nothing to compare")
	}
}

func compact(o object) string {
	text, _ := json.Marshal(o)
	return string(text)
}

// helmLabels are those that only Helm's objects have.
var helmLabels = []string{"app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"}

// normalized removes the permitted differences, and returns the objects by their kind, namespace and name:
//   - Helm's labels and annotations, and the label app.kubernetes.io/name of objects other than pods;
//   - hooks, such as that which runs before an uninstall;
//   - the namespace, which a chart cannot own;
//   - the order of flags, variables, ports, and of the values within a rule of a role;
//   - a flag that a later one overrides;
//   - the base URL of the hosted page, which kustomize takes from a ConfigMap;
//   - imagePullPolicy, which the chart writes out.
func normalized(all []object) map[string]object {
	byKey := map[string]object{}
	for _, o := range all {
		meta := o["metadata"].(object)
		annotations, _ := meta["annotations"].(object)
		if o["kind"] == "Namespace" || annotations["helm.sh/hook"] != nil {
			continue
		}
		dropLabels(o)
		for _, key := range []string{"labels", "annotations"} {
			if labels, ok := meta[key].(object); ok {
				delete(labels, "app.kubernetes.io/name")
				delete(labels, "helm.sh/resource-policy")
				if len(labels) == 0 {
					delete(meta, key)
				}
			}
		}
		sortRules(o)
		if o["kind"] == "Deployment" {
			template := o["spec"].(object)["template"].(object)
			normalizeContainer(template["spec"].(object)["containers"].([]any)[0].(object))
		}
		byKey[fmt.Sprintf("%s %v/%s", o["kind"], meta["namespace"], meta["name"])] = o
	}
	return byKey
}

// dropLabels removes Helm's labels everywhere, because selectors have them too.
func dropLabels(node any) {
	switch node := node.(type) {
	case object:
		for _, label := range helmLabels {
			delete(node, label)
		}
		for _, member := range node {
			dropLabels(member)
		}
	case []any:
		for _, member := range node {
			dropLabels(member)
		}
	}
}

func sortRules(o object) {
	rules, _ := o["rules"].([]any)
	for _, rule := range rules {
		for _, list := range rule.(object) {
			sortBy(list.([]any), func(item any) string { return item.(string) })
		}
	}
}

func sortBy(list []any, key func(any) string) {
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(key(a), key(b)) })
}

func normalizeContainer(container object) {
	named := func(item any) string { return item.(object)["name"].(string) }
	delete(container, "imagePullPolicy")
	flags := map[string]any{}
	for _, arg := range container["args"].([]any) {
		name, to, _ := strings.Cut(arg.(string), "=")
		flags[name] = strings.ReplaceAll(to, "$(WINK_BASE_URL)", pageURL)
	}
	container["args"] = flags
	container["env"] = slices.DeleteFunc(container["env"].([]any), func(item any) bool { return named(item) == "WINK_BASE_URL" })
	sortBy(container["env"].([]any), named)
	sortBy(container["ports"].([]any), named)
}
