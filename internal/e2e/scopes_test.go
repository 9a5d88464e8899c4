//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// TestScopes uses everything that the operator can do, with the rights of the scopes that have none in the cluster. It uses exactly
// the rights that the scope grants. Only what docs/scopes.md lists is refused, and it can read Secrets neither in other namespaces
// nor by listing or watching.
func TestScopes(t *testing.T) {
	for _, scope := range []string{"namespaces", "own"} {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit, AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
			e.withoutDefinitions = true
			s := scoped{environment: e, account: types.NamespacedName{Namespace: e.namespace, Name: account.Name}}
			if scope == "namespaces" {
				s.account.Namespace += "-operator"
			}
			granted := s.install(scope)
			o := s.start()
			s.useWebhooks()
			s.useOutputs()
			s.useUsers()
			s.useLedger()
			o.stop()
			s.check(granted)
			s.checkSecrets(s.account)
		})
	}
}

// scoped is an environment whose operator has an account of its own.
type scoped struct {
	*environment
	account types.NamespacedName
}

// start starts an operator with the account. It lists what it watches, as it does where the API server is too old to begin a watch with
// what exists.
func (s scoped) start() *operator {
	s.t.Helper()
	hooks := freeAddress(s.t)
	o := s.newOperator(s.t, "--leader-elect", "--lease-name="+defaultLease, s.only(),
		"--receiver-bind-address="+hooks, "--receiver-base-url=http://"+hooks)
	kubeconfig, err := s.keep(s.account.Namespace+".kubeconfig", func() ([]byte, error) {
		return s.plane.KubeconfigFor(s.t.Context(), s.account)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	o.environment = append(o.environment, "KUBECONFIG="+kubeconfig, "KUBE_FEATURE_WatchListClient=false")
	o.start()
	return o
}

// user is the operator's account, as the audit log names it.
func (s scoped) user() string {
	return "system:serviceaccount:" + s.account.Namespace + ":" + s.account.Name
}

// install applies the accounts, roles and bindings of a scope, for this environment, and returns what they grant.
func (s scoped) install(scope string) Permissions {
	s.t.Helper()
	dir := s.t.TempDir()
	root, err := filepath.Rel(dir, filepath.Join(s.root, "config"))
	if err != nil {
		s.t.Fatal(err)
	}
	resources := root + "/rbac, " + root + "/manager"
	if scope == "namespaces" {
		writeKustomization(s.t, filepath.Join(dir, "team"), "namespace: "+s.namespace+"\nresources: [../"+root+"/scopes/namespaces/watched]\n")
		resources += ", team"
	}
	writeKustomization(s.t, dir, "resources: ["+resources+"]\ncomponents: ["+root+"/scopes/"+scope+"]\n")
	manifest, err := s.run(s.t.Context(), "kustomize", dir)
	if err != nil {
		s.t.Fatal(manifest)
	}
	manifest = strings.ReplaceAll(manifest, account.Namespace, s.account.Namespace)
	if strings.Contains(manifest, "kind: ClusterRole") {
		s.t.Error("the scope grants rights in the cluster")
	}
	file := filepath.Join(dir, "manifest.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if out, err := s.run(s.t.Context(), "apply", "--server-side", "--force-conflicts", "--filename="+file); err != nil {
		s.t.Fatal(out)
	}
	if s.account.Namespace != s.namespace {
		s.t.Cleanup(func() {
			_ = s.admin.Delete(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.account.Namespace}})
		})
	}
	granted, err := ReadPermissions([]byte(manifest))
	if err != nil {
		s.t.Fatal(err)
	}
	return granted
}

func writeKustomization(t *testing.T, dir, kustomization string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		t.Fatal(err)
	}
}

// check compares the rights that the scope grants with those that the operator used.
func (s scoped) check(granted Permissions) {
	s.t.Helper()
	for permission := range granted {
		if permission.Namespace != s.namespace && permission.Namespace != s.account.Namespace {
			s.t.Errorf("granted outside of the scope: %s", permission)
		}
	}
	needless, forbidden := granted.Compare(s.requests(0, s.user(), ""))
	for _, permission := range needless {
		if !s.mayBeUnused(permission) {
			s.t.Errorf("granted and never used: %s", permission)
		}
	}
	for _, request := range forbidden {
		if request.Resource != "customresourcedefinitions" {
			s.t.Errorf("the operator asked for what the scope does not grant: %s", request)
		}
	}
	if len(forbidden) == 0 {
		s.t.Error("the operator did not ask for the definitions of its kinds: the test proves nothing about them")
	}
	s.t.Logf("%d permissions granted, not used here: %v", len(granted), needless)
}

// mayBeUnused reports whether a permission is needed only in cases that this test does not have: an event is patched if it occurs
// again, and a ConfigMap of the erasure ledger is deleted after --erasure-ledger-days.
func (s scoped) mayBeUnused(permission Permission) bool {
	ledger := Permission{s.account.Namespace, "delete", "", "configmaps", ""}
	return permission.Verb == "patch" && permission.Resource == "events" || permission == ledger && s.account.Namespace != s.namespace
}

// checkSecrets asks for Secrets that are none of the operator's business, with the operator's rights. The audit log does not count
// these requests as the operator's own.
func (e *environment) checkSecrets(as types.NamespacedName) {
	e.t.Helper()
	access := e.plane.Config()
	access.Impersonate.UserName = "system:serviceaccount:" + as.Namespace + ":" + as.Name
	operator, err := client.NewWithWatch(access, client.Options{Scheme: e.admin.Scheme()})
	if err != nil {
		e.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	elsewhere := types.NamespacedName{Namespace: "default", Name: "anything"}
	if err := operator.Get(ctx, elsewhere, &corev1.Secret{}); as != account && !apierrors.IsForbidden(err) {
		e.t.Errorf("reading a Secret of another namespace: %v", err)
	}
	for _, scope := range [][]client.ListOption{{client.InNamespace(e.namespace)}, nil} {
		if err := operator.List(ctx, &corev1.SecretList{}, scope...); !apierrors.IsForbidden(err) {
			e.t.Errorf("listing Secrets: %v", err)
		}
		if _, err := operator.Watch(ctx, &corev1.SecretList{}, scope...); !apierrors.IsForbidden(err) {
			e.t.Errorf("watching Secrets: %v", err)
		}
	}
}
