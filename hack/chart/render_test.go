package main

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

// The release of the tests, whose objects have the names of config/default.
const (
	releaseName = "smile-operator"
	namespace   = "smile-operator-system"
)

// object is an object of Kubernetes.
type object = map[string]any

// load reads the chart of the repository.
func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(filepath.Join("..", "..", directory))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render returns the files of a release with values.
func render(t *testing.T, c *chart.Chart, values map[string]any) (map[string]string, error) {
	t.Helper()
	release := common.ReleaseOptions{Name: releaseName, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(c, values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.RenderWithContext(t.Context(), c, all)
}

// objects reads the objects of all files but the notes.
func objects(t *testing.T, files map[string]string) []object {
	t.Helper()
	var all []object
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if filepath.Ext(path) == ".yaml" {
			all = append(all, documents(t, files[path])...)
		}
	}
	return all
}

var separator = regexp.MustCompile(`(?m)^---\s*$`)

func documents(t *testing.T, text string) []object {
	t.Helper()
	var all []object
	for _, document := range separator.Split(text, -1) {
		var read object
		if err := yaml.UnmarshalStrict([]byte(document), &read); err != nil {
			t.Fatalf("%v\n%s", err, document)
		}
		if len(read) > 0 {
			all = append(all, read)
		}
	}
	return all
}

// setting returns values with one of them set, named by its path.
func setting(path string, to any) map[string]any {
	name, rest, more := strings.Cut(path, ".")
	if !more {
		return map[string]any{name: to}
	}
	return map[string]any{name: setting(rest, to)}
}

// settings returns values with several of them set.
func settings(paths map[string]any) map[string]any {
	all := map[string]any{}
	for path, to := range paths {
		all = loader.MergeMaps(all, setting(path, to))
	}
	return all
}
