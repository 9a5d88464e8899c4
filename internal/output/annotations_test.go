package output

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

func TestAnnotationPolicy(t *testing.T) {
	t.Parallel()
	policy, err := NewAnnotationPolicy([]string{"example.com/*", "app.example.org/team", "owner"})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{
		"reloader.stakater.com/match":                        true,
		"example.com/anything":                               true,
		"app.example.org/team":                               true,
		"owner":                                              true,
		"app.example.org/teams":                              false,
		"sub.example.com/anything":                           false,
		"example.com.evil.org/anything":                      false,
		"xreloader.stakater.com/match":                       false,
		"reflector.v1.k8s.emberstack.com/reflection-allowed": false,
		"replicator.v1.mittwald.de/replicate-to":             false,
		"owners":                                             false,
		"":                                                   false,
		"kubed.appscode.com/sync":                            false,
		"reflector.v1.k8s.emberstack.com/reflection-auto-namespaces.x": false,
	} {
		if got := policy.Allows(key); got != want {
			t.Errorf("%q: allowed is %t, want %t", key, got, want)
		}
	}
	if none := (AnnotationPolicy{}); !none.Allows("reloader.stakater.com/match") || none.Allows("example.com/anything") {
		t.Error("the zero value does not permit Reloader's annotations, or permits others")
	}
}

func TestAnnotationPatterns(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{
		"", "*", "*/name", "example.com/", "example.com/na*", "example.*/name", "example.com/*/x", "/name", "Example.com/*",
		"smile-operator.io/*", "kubernetes.io/*", "app.kubernetes.io/name", "argocd.argoproj.io/*", "meta.helm.sh/release-name",
	} {
		if _, err := NewAnnotationPolicy([]string{"example.com/*", wrong}); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

func TestAnnotationsThatAreNotAllowedAreDropped(t *testing.T) {
	t.Parallel()
	template := &v1alpha1.OutputTemplate{Metadata: &v1alpha1.OutputMetadata{
		Labels: map[string]v1alpha1.LabelValue{"team": "a"},
		Annotations: map[string]v1alpha1.AnnotationValue{
			"reloader.stakater.com/match": "true", "replicator.v1.mittwald.de/replicate-to": "*", "b": "", "a": "",
		},
	}}
	before := template.DeepCopy()
	allowed, dropped := AnnotationPolicy{}.Apply(template)
	if diff := cmp.Diff([]string{"a", "b", "replicator.v1.mittwald.de/replicate-to"}, dropped); diff != "" {
		t.Errorf("dropped:\n%s", diff)
	}
	kept := slices.Collect(maps.Keys(allowed.Metadata.Annotations))
	if diff := cmp.Diff([]string{"reloader.stakater.com/match"}, kept); diff != "" || allowed.Metadata.Labels["team"] != "a" {
		t.Errorf("kept:\n%s", diff)
	}
	if diff := cmp.Diff(before, template); diff != "" {
		t.Errorf("the template itself was changed:\n%s", diff)
	}
	for _, whole := range []*v1alpha1.OutputTemplate{nil, {}, {Metadata: &v1alpha1.OutputMetadata{}}} {
		if same, dropped := (AnnotationPolicy{}).Apply(whole); same != whole || dropped != nil {
			t.Errorf("%v became %v, without %v", whole, same, dropped)
		}
	}
}
