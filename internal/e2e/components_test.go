//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/smile-operator/smile-operator/internal/app"
)

// deployment is what a kustomization with components installs, as the API server has it.
type deployment struct {
	pod      corev1.PodTemplateSpec
	services map[string]corev1.Service
	configs  map[string]corev1.ConfigMap
	options  app.Options
}

// deployment builds config/default with components, has the API server check it, and parses the flags that it passes. Further
// lines are added to the kustomization.
func (s *suite) deployment(t *testing.T, components []string, lines string) *deployment {
	t.Helper()
	dir := t.TempDir()
	relative := func(path string) string {
		name, err := filepath.Rel(dir, filepath.Join(s.root, "config", path))
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	paths := make([]string, len(components))
	for i, component := range components {
		paths[i] = relative(component)
	}
	kustomization := fmt.Sprintf("resources: [%s]\ncomponents: [%s]\n%s", relative("default"), strings.Join(paths, ", "), lines)
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := s.run(t.Context(), "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-o", "json", "-k", dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var applied struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(out), &applied); err != nil {
		t.Fatal(err)
	}
	d := &deployment{services: map[string]corev1.Service{}, configs: map[string]corev1.ConfigMap{}}
	for _, item := range applied.Items {
		if err := d.add(item); err != nil {
			t.Fatal(err)
		}
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	d.options.Bind(flags)
	if err := flags.Parse(d.args()); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *deployment) add(item json.RawMessage) error {
	var of metav1.PartialObjectMetadata
	if err := json.Unmarshal(item, &of); err != nil {
		return err
	}
	switch of.Kind {
	case "Deployment":
		var object appsv1.Deployment
		err := json.Unmarshal(item, &object)
		d.pod = object.Spec.Template
		return err
	case "Service":
		var object corev1.Service
		err := json.Unmarshal(item, &object)
		d.services[of.Name] = object
		return err
	case "ConfigMap":
		var object corev1.ConfigMap
		err := json.Unmarshal(item, &object)
		d.configs[of.Name] = object
		return err
	default:
		return nil
	}
}

// args are the arguments as the kubelet passes them, with the variables of ConfigMaps.
func (d *deployment) args() []string {
	var pairs []string
	for _, v := range d.pod.Spec.Containers[0].Env {
		if v.ValueFrom != nil && v.ValueFrom.ConfigMapKeyRef != nil {
			of := v.ValueFrom.ConfigMapKeyRef
			pairs = append(pairs, "$("+v.Name+")", d.configs[of.Name].Data[of.Key])
		}
	}
	expand := strings.NewReplacer(pairs...)
	args := slices.Clone(d.pod.Spec.Containers[0].Args)
	for i := range args {
		args[i] = expand.Replace(args[i])
	}
	return args
}

// selects asserts that a Service selects the pods, and their port.
func (d *deployment) selects(t *testing.T, name string, port int32) {
	t.Helper()
	service := d.services[name]
	if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(d.pod.Labels)) || len(service.Spec.Selector) == 0 {
		t.Errorf("%s selects %v, the pods have %v", name, service.Spec.Selector, d.pod.Labels)
	}
	if !slices.ContainsFunc(d.pod.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool {
		return p.ContainerPort == port && p.Name == service.Spec.Ports[0].TargetPort.StrVal
	}) {
		t.Errorf("%s is for the port %s, the pods have %v", name, service.Spec.Ports[0].TargetPort.String(), d.pod.Spec.Containers[0].Ports)
	}
}

func TestTheComponentDeploysTheApplicationAPI(t *testing.T) {
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	d := s.deployment(t, []string{"application-api"}, "")
	d.servesApplicationAPI(t)
	if d.options.Wink.BindAddress != "" {
		t.Errorf("the hosted page is served at %s", d.options.Wink.BindAddress)
	}
}

func (d *deployment) servesApplicationAPI(t *testing.T) {
	t.Helper()
	d.selects(t, "smile-operator-application-api", 8444)
	container := d.pod.Spec.Containers[0]
	mounted := slices.ContainsFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool {
		return strings.HasPrefix(d.options.ApplicationAPI.TLSCertFile, m.MountPath+"/")
	})
	address := slices.ContainsFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == "POD_IP" && v.ValueFrom != nil })
	if bound := d.options.ApplicationAPI.BindAddress; !mounted || !address || bound != ":8444" {
		t.Errorf("at %q; certificate mounted: %v, address known: %v", bound, mounted, address)
	}
}

// TestTheComponentDeploysTheHostedPage builds what docs/wink.md says.
func TestTheComponentDeploysTheHostedPage(t *testing.T) {
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile(filepath.Join(s.root, "docs", "wink.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, config, found := strings.Cut(string(guide), "components: [config/application-api, config/wink]\n")
	config, _, ended := strings.Cut(config, "```")
	if !found || !ended {
		t.Fatal("docs/wink.md has no kustomization")
	}
	d := s.deployment(t, []string{"application-api", "wink"}, config)
	d.servesApplicationAPI(t)
	d.selects(t, "smile-operator-wink", 8445)
	if page := d.options.Wink; page.BindAddress != ":8445" || page.BaseURL != "https://connect.example.com" {
		t.Errorf("the hosted page is served at %q, and browsers reach it at %q", page.BindAddress, page.BaseURL)
	}
}
