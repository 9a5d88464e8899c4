//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TestSamplesApplyWithoutDifference applies each sample, by client-side and by server-side apply, lets the operator work on it, and
// applies it again. Nothing differs in between, and the second time changes nothing.
func TestSamplesApplyWithoutDifference(t *testing.T) {
	for _, side := range []string{"--server-side=false", "--server-side=true"} {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit, AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
			e.delete(&v1alpha1.SmileConnection{ObjectMeta: e.named("smile")}, &corev1.Secret{ObjectMeta: e.named("smile-keys")})
			hooks := freeAddress(t)
			e.operator(t, "--leader-elect", e.only(), "--receiver-bind-address="+hooks, "--receiver-base-url=http://"+hooks)
			files, err := filepath.Glob(filepath.Join(e.root, "config", "samples", "*.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var manifests [][]string
			for _, file := range files {
				if filepath.Base(file) != "kustomization.yaml" {
					manifests = append(manifests, []string{"-f", file})
				}
			}
			e.appliedTwice(side, manifests...)
			e.appliedTwice(side, []string{"-k", filepath.Join(e.root, "config", "argocd", "example")})
			e.inWaves()
		})
		t.Run("production "+side, func(t *testing.T) { // without an operator, which would call Smile
			t.Parallel()
			e := newEnvironment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{})
			e.delete(&v1alpha1.SmileConnection{ObjectMeta: e.named("smile")}, &corev1.Secret{ObjectMeta: e.named("smile-keys")})
			production := []string{"-k", filepath.Join(e.root, "config", "samples-production")}
			for range 2 { // the API server stores the default of the status only with the second write
				e.must(append([]string{"apply", side}, production...)...)
			}
			e.unchanged(side, production)
		})
	}
}

// appliedTwice applies manifests, waits until the operator has worked on all objects, and applies them again.
func (e *environment) appliedTwice(side string, manifests ...[]string) {
	e.t.Helper()
	for _, manifest := range manifests {
		e.must(append([]string{"apply", side}, manifest...)...)
	}
	within(e.t, 2*time.Minute, "the operator has processed the samples", func() (bool, string) {
		for _, object := range e.ours() {
			if own, ok := object.(engine.Object); ok && own.CommonStatus().ObservedGeneration != own.GetGeneration() {
				return false, object.GetName() + " is " + readiness(own)
			}
		}
		return true, ""
	})
	e.settled()
	e.unchanged(side, manifests...)
}

// inWaves checks that the sync waves of the example apply each object after those that it depends on.
func (e *environment) inWaves() {
	e.t.Helper()
	wave := func(object client.Object) string {
		if !e.get(object) {
			e.t.Errorf("the example has no %T %s", object, object.GetName())
		}
		return object.GetAnnotations()["argocd.argoproj.io/sync-wave"]
	}
	waves := []string{
		wave(&v1alpha1.SmileConnection{ObjectMeta: e.named("smile")}),
		wave(&v1alpha1.SmileUser{ObjectMeta: e.named("george")}),
		wave(&v1alpha1.SmileAccountSync{ObjectMeta: e.named("george")}),
	}
	keys, widget := wave(e.secret("smile-keys")), wave(&v1alpha1.SmileWinkWidget{ObjectMeta: e.named("wink")})
	if diff := cmp.Diff([]string{"0", "1", "2"}, waves); diff != "" || keys != waves[0] || widget != waves[1] {
		e.t.Errorf("connection, user and sync are in the waves %v, the keys in %s, the widget in %s", waves, keys, widget)
	}
}

// unchanged checks that manifests differ in nothing from what is stored, and that applying them again changes nothing.
func (e *environment) unchanged(side string, manifests ...[]string) {
	e.t.Helper()
	before := e.resourceVersions()
	if len(before) < 5 {
		e.t.Errorf("only %v exist", before)
	}
	for _, manifest := range manifests {
		if out, err := e.run(e.t.Context(), append([]string{"diff", side, "--namespace", e.namespace}, manifest...)...); err != nil {
			e.t.Errorf("kubectl diff %s %v: %v\n%s", side, manifest, err, out)
		}
		e.must(append([]string{"apply", side}, manifest...)...)
	}
	during(e.t, 3*time.Second, func() string { return cmp.Diff(before, e.resourceVersions()) })
}

// ours are the objects of the namespace, except events and what Kubernetes itself keeps there.
func (e *environment) ours() []client.Object {
	e.t.Helper()
	var all []client.Object
	for _, list := range []client.ObjectList{
		&v1alpha1.SmileConnectionList{}, &v1alpha1.SmileUserList{}, &v1alpha1.SmileAccountSyncList{},
		&v1alpha1.SmileWebhookSubscriptionList{}, &v1alpha1.SmileWinkWidgetList{}, &corev1.SecretList{}, &corev1.ConfigMapList{},
	} {
		if err := e.admin.List(e.t.Context(), list, client.InNamespace(e.namespace)); err != nil {
			e.t.Fatal(err)
		}
		objects, err := meta.ExtractList(list)
		if err != nil {
			e.t.Fatal(err)
		}
		for _, object := range objects {
			all = append(all, object.(client.Object))
		}
	}
	return all
}

func (e *environment) resourceVersions() map[string]string {
	e.t.Helper()
	versions := map[string]string{}
	for _, object := range e.ours() {
		versions[fmt.Sprintf("%T %s", object, object.GetName())] = object.GetResourceVersion()
	}
	return versions
}
