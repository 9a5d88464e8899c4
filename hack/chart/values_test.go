package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
)

const (
	aDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	aCA     = "authorities"
)

func issuer() map[string]any { return map[string]any{"kind": "ClusterIssuer", "name": "internal"} }

func named(name string) []any { return []any{map[string]any{"name": name}} }

// others has another value for each value of the chart, except for those of the endpoints.
var others = map[string]any{
	"fullnameOverride":                      "other",
	"scope":                                 "own",
	"watchNamespaces":                       []any{"team-c"},
	"watchLabelSelector":                    "shard in (a, b)",
	"leaseName":                             "other",
	"image.repository":                      "registry.example.com/team/smile-operator",
	"image.tag":                             "v9.9.9",
	"image.digest":                          aDigest,
	"image.pullPolicy":                      "Always",
	"imagePullSecrets":                      named("registry"),
	"replicas":                              3,
	"crds.enabled":                          false,
	"uninstall.enabled":                     false,
	"crds.keep":                             false,
	"serviceAccount.create":                 false,
	"serviceAccount.name":                   "other",
	"serviceAccount.annotations":            map[string]any{"a": "b"},
	"policies.enabled":                      true,
	"rbac.create":                           false,
	"rbac.definitionReader":                 false,
	"rbac.tokenReviewer":                    false,
	"rbac.aggregatedRoles":                  false,
	"api.requestsPerSecond":                 7.5,
	"api.standbyRequestsPerSecond":          0,
	"api.allowedHosts":                      []any{"https://gateway.example.com:8443"},
	"api.vendorAddressExemptions":           []any{"240.0.0.0/8"},
	"api.sandboxEndpoint":                   "http://sandbox:8484/v1",
	"trustBundle.configMap":                 aCA,
	"trustBundle.secret":                    aCA,
	"trustBundle.key":                       "bundle.pem",
	"proxy.httpsProxy":                      "http://proxy:3128",
	"proxy.httpProxy":                       "http://proxy:3128",
	"proxy.noProxy":                         []any{"10.0.0.0/8"},
	"metrics.serviceMonitor.enabled":        true,
	"metrics.serviceMonitor.interval":       "1m",
	"metrics.serviceMonitor.labels":         map[string]any{"release": "prometheus"},
	"metrics.serviceMonitor.serviceAccount": "prometheus",
	"metrics.serviceMonitor.namespace":      "other",
	"networkPolicy.enabled":                 false,
	"networkPolicy.extraEgress":             []any{map[string]any{"ports": []any{map[string]any{"port": 3128}}}},
	"podDisruptionBudget.enabled":           false,
	"podDisruptionBudget.maxUnavailable":    "50%",
	"spread.topologyKey":                    "topology.kubernetes.io/zone",
	"spread.whenUnsatisfiable":              "DoNotSchedule",
	"priorityClassName":                     "system-cluster-critical",
	"resources.requests":                    map[string]any{"cpu": "1"},
	"resources.limits.memory":               "1Gi",
	"extraArgs":                             []any{"--zap-log-level=debug"},
	"extraEnv":                              []any{map[string]any{"name": "GODEBUG", "value": "http2client=0"}},
	"podLabels":                             map[string]any{"a": "b"},
	"podAnnotations":                        map[string]any{"a": "b"},
	"nodeSelector":                          map[string]any{"kubernetes.io/os": "linux"},
	"tolerations":                           []any{map[string]any{"operator": "Exists"}},
	"affinity":                              map[string]any{"nodeAffinity": map[string]any{}},
	"sandbox.enabled":                       true,
	"sandbox.image.repository":              "registry.example.com/team/smile-sandbox",
	"sandbox.image.tag":                     "v9.9.9",
	"sandbox.image.digest":                  aDigest,
	"sandbox.extraArgs":                     []any{"--rate-limit=0"},
	"sandbox.resources":                     setting("requests.cpu", "1"),
	"sample.enabled":                        true,
	"extraObjects":                          []any{"{kind: ConfigMap, apiVersion: v1, metadata: {name: '{{ .Release.Name }}-extra'}}"},
	"receiver.enabled":                      false,
	"receiver.baseURL":                      "https://hooks.example.com",
	"receiver.allowedWebhookHosts":          []any{"app.example.com"},
	"applicationAPI.enabled":                false,
	"applicationAPI.audience":               "other",
	"wink.enabled":                          false,
	"wink.baseURL":                          "https://other.example.com",
	"wink.cspSources":                       []any{"style-src='unsafe-inline'"},
}

// endpointOthers has another value for each value that all endpoints have.
var endpointOthers = map[string]any{
	"tls.secretName":            "other-tls",
	"tls.certManager.enabled":   true,
	"tls.certManager.issuerRef": map[string]any{"name": "other"},
	"ingress.enabled":           true,
	"ingress.className":         "other",
	"ingress.annotations":       map[string]any{"a": "b"},
	"ingress.host":              "other.example.com",
	"ingress.tlsSecretName":     "other-tls",
	"route.enabled":             true,
	"route.parentRefs":          named("other"),
	"route.hostnames":           []any{"other.example.com"},
}

// required are the values without which another value has no effect: each prefix of a value's path is looked up.
var required = map[string]map[string]any{
	"watchNamespaces":                {"scope": "namespaces", "watchNamespaces": []any{"team-a"}},
	"trustBundle.key":                {"trustBundle.configMap": aCA},
	"proxy.noProxy":                  {"proxy.httpsProxy": "http://proxy:3128"},
	"metrics.serviceMonitor":         {"metrics.serviceMonitor.enabled": true},
	"metrics.serviceMonitor.enabled": {"metrics.serviceMonitor.enabled": false},
	"sandbox.image":                  {"sandbox.enabled": true},
	"sandbox.extraArgs":              {"sandbox.enabled": true},
	"sandbox.resources":              {"sandbox.enabled": true},
	"applicationAPI":                 {"applicationAPI.enabled": true, "applicationAPI.tls.secretName": "some-tls"},
	"wink": {
		"applicationAPI.enabled": true, "applicationAPI.tls.secretName": "some-tls",
		"wink.enabled": true, "wink.baseURL": pageURL,
	},
}

// endpointRequired are those of endpoints.
var endpointRequired = map[string]map[string]any{
	"tls.certManager.enabled":   {"tls.certManager.issuerRef": issuer()},
	"tls.certManager.issuerRef": {"tls.certManager.enabled": true, "tls.certManager.issuerRef": issuer()},
	"ingress":                   {"ingress.enabled": true, "ingress.host": "a.example.com"},
	"ingress.enabled":           {"ingress.enabled": false},
	"route":                     {"route.enabled": true, "route.parentRefs": named("public")},
	"route.enabled":             {"route.enabled": false},
}

var endpoints = []string{"receiver", "applicationAPI", "wink"}

// prerequisites returns the values that a value requires to have an effect.
func prerequisites(path string) map[string]any {
	all := map[string]any{"crds.enabled": under(path, "crds")} // without them, rendering is fast
	for _, exact := range []bool{false, true} {                // what a value itself requires overrides what its group does
		for prefix, values := range required {
			if under(path, prefix) && (path == prefix) == exact {
				maps.Copy(all, values)
			}
		}
		for _, endpoint := range endpoints {
			for prefix, values := range endpointRequired {
				if whole := endpoint + "." + prefix; under(path, whole) && (path == whole) == exact {
					maps.Copy(all, withPrefix(endpoint, values))
				}
			}
		}
	}
	return all
}

func withPrefix(prefix string, values map[string]any) map[string]any {
	all := map[string]any{}
	for path, to := range values {
		all[prefix+"."+path] = to
	}
	return all
}

func under(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+".") }

// TestEachValueIsUsed sets each value of the schema, and checks that the objects change.
func TestEachValueIsUsed(t *testing.T) {
	alternatives := maps.Clone(others)
	for _, endpoint := range endpoints {
		maps.Copy(alternatives, withPrefix(endpoint, endpointOthers))
	}
	c := load(t)
	for _, leaf := range schemaValues(t).leaves() {
		to, found := alternatives[leaf.path]
		if !found {
			t.Errorf("the test has no other value for %s", leaf.path)
			continue
		}
		delete(alternatives, leaf.path)
		values := prerequisites(leaf.path)
		before, err := render(t, c, settings(values))
		if err != nil {
			t.Errorf("%s, before: %v", leaf.path, err)
			continue
		}
		values[leaf.path] = to
		if leaf.path == "applicationAPI.enabled" { // the hosted page requires it
			delete(values, "wink.enabled")
		}
		after, err := render(t, c, settings(values))
		if err != nil {
			t.Errorf("%s: %v", leaf.path, err)
		} else if reflect.DeepEqual(objects(t, before), objects(t, after)) {
			t.Errorf("%s changes nothing", leaf.path)
		}
	}
	for path := range alternatives {
		t.Errorf("the schema lacks %s", path)
	}
}

func schemaValues(t *testing.T) value {
	t.Helper()
	schema, err := os.ReadFile(filepath.Join("..", "..", directory, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	values, err := readValues(schema)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// TestBadValues checks that a bad value is refused, with its name and what is wrong with it.
func TestBadValues(t *testing.T) {
	c := load(t)
	for name, tt := range map[string]struct {
		values map[string]any
		want   []string
	}{
		"a misspelled value":          {setting("replica", 2), []string{"'replica' not allowed"}},
		"a misspelled nested value":   {setting("receiver.baseUrl", "https://a"), []string{"/receiver", "'baseUrl' not allowed"}},
		"another type":                {setting("replicas", "two"), []string{"/replicas", "want integer"}},
		"no such scope":               {setting("scope", "everything"), []string{"/scope", "'cluster', 'namespaces', 'own'"}},
		"a digest without algorithm":  {setting("image.digest", "0123"), []string{"/image/digest", "sha256:"}},
		"a memory limit in bytes":     {setting("resources.limits.memory", "1000000"), []string{"/resources/limits/memory", "[MG]i"}},
		"an argument without --":      {setting("extraArgs", []any{"v=5"}), []string{"/extraArgs/0"}},
		"a URL without scheme":        {setting("receiver.baseURL", "hooks.example.com"), []string{"/receiver/baseURL", "https?://"}},
		"no namespaces":               {setting("scope", "namespaces"), []string{"watchNamespaces is empty"}},
		"namespaces in another scope": {setting("watchNamespaces", []any{"a"}), []string{"set scope to namespaces"}},
		"two trust bundles": {
			settings(map[string]any{"trustBundle.configMap": "a", "trustBundle.secret": "b"}), []string{"trustBundle.secret are both set"},
		},
		"two sandboxes": {
			settings(map[string]any{"sandbox.enabled": true, "api.sandboxEndpoint": "http://a"}), []string{"sandbox.enabled are both set"},
		},
		"a URL of no receiver": {
			settings(map[string]any{"receiver.enabled": false, "receiver.baseURL": "https://a"}), []string{"nothing would receive"},
		},
		"no certificate": {setting("applicationAPI.enabled", true), []string{"applicationAPI.tls.secretName"}},
		"no right to check callers": {
			settings(map[string]any{"scope": "own", "applicationAPI.enabled": true, "applicationAPI.tls.secretName": "a"}),
			[]string{"requires rbac.tokenReviewer"},
		},
		"no right to check Prometheus": {
			settings(map[string]any{"scope": "own", "metrics.serviceMonitor.enabled": true}), []string{"requires rbac.tokenReviewer"},
		},
		"a page without API": {setting("wink.enabled", true), []string{"requires applicationAPI.enabled"}},
		"a page without URL": {
			settings(map[string]any{"wink.enabled": true, "applicationAPI.enabled": true, "applicationAPI.tls.secretName": "a"}),
			[]string{"requires wink.baseURL"},
		},
		"no issuer":  {setting("receiver.tls.certManager.enabled", true), []string{"receiver.tls.certManager.issuerRef.name"}},
		"no host":    {setting("wink.ingress.enabled", true), []string{"wink.ingress.host"}},
		"no gateway": {setting("applicationAPI.route.enabled", true), []string{"applicationAPI.route.parentRefs"}},
	} {
		_, err := render(t, c, tt.values)
		if err == nil {
			t.Errorf("%s is accepted", name)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the message lacks %q:\n%v", name, want, err)
			}
		}
	}
}

// everything turns all optional objects on.
func everything() map[string]any {
	values := map[string]any{
		"wink.enabled": true, "wink.baseURL": pageURL, "applicationAPI.enabled": true, "trustBundle.configMap": aCA,
		"proxy.httpsProxy": "http://proxy:3128", "metrics.serviceMonitor.enabled": true, "sandbox.enabled": true, "sample.enabled": true,
	}
	for _, endpoint := range endpoints {
		maps.Copy(values, withPrefix(endpoint, map[string]any{
			"tls.certManager.enabled": true, "tls.certManager.issuerRef": issuer(), "ingress.enabled": true, "ingress.host": "a.example.com",
			"route.enabled": true, "route.parentRefs": named("public"), "route.hostnames": []any{"b.example.com"},
		}))
	}
	return settings(values)
}

func TestLint(t *testing.T) {
	for name, values := range map[string]map[string]any{"defaults": {}, "everything": everything()} {
		linter := lint.RunAll(filepath.Join("..", "..", directory), values, namespace)
		for _, message := range linter.Messages {
			if message.Severity > support.InfoSev {
				t.Errorf("%s: %v", name, message)
			}
		}
	}
}

// TestGoMemoryLimit checks that Go's limit is at 90 % of the container's, and absent without one.
func TestGoMemoryLimit(t *testing.T) {
	c := load(t)
	for limit, want := range map[any]any{"256Mi": "230MiB", "1Gi": "921MiB", nil: nil} {
		files, err := render(t, c, setting("resources.limits.memory", limit))
		if err != nil {
			t.Fatal(err)
		}
		deployment := documents(t, files["smile-operator/templates/deployment.yaml"])[0]
		template := deployment["spec"].(object)["template"].(object)
		var got any
		for _, variable := range template["spec"].(object)["containers"].([]any)[0].(object)["env"].([]any) {
			if variable := variable.(object); variable["name"] == "GOMEMLIMIT" {
				got = variable["value"]
			}
		}
		if got != want {
			t.Errorf("with the limit %v, GOMEMLIMIT is %v; want %v", limit, got, want)
		}
	}
}
