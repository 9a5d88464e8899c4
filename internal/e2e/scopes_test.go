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

// TestScopes runs the operator with the rights of the scopes that have no rights in the cluster. It fetches data, is never
// refused anything, and can read Secrets neither in other namespaces nor by listing.
func TestScopes(t *testing.T) {
	for _, scope := range []string{"namespaces", "own"} {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t, sandbox.Options{RateLimit: vendorLimit}, v1alpha1.SmileConnectionSpec{})
			s := scoped{environment: e, account: types.NamespacedName{Namespace: e.namespace, Name: account.Name}}
			if scope == "namespaces" {
				s.account.Namespace += "-operator"
			}
			granted := s.install(scope)
			o := s.newOperator(t, "--leader-elect", "--lease-name="+defaultLease, s.only())
			kubeconfig, err := s.keep(s.account.Namespace+".kubeconfig", func() ([]byte, error) { return s.plane.KubeconfigFor(t.Context(), s.account) })
			if err != nil {
				t.Fatal(err)
			}
			o.environment = append(o.environment, "KUBECONFIG="+kubeconfig)
			o.start()
			s.useOutputs()
			o.stop()
			s.check(granted)
			s.checkSecrets()
		})
	}
}

// scoped is an environment whose operator has an account of its own.
type scoped struct {
	*environment
	account types.NamespacedName
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
		s.write(filepath.Join(dir, "team"), "namespace: "+s.namespace+"\nresources: [../"+root+"/scopes/namespaces/watched]\n")
		resources += ", team"
	}
	s.write(dir, "resources: ["+resources+"]\ncomponents: ["+root+"/scopes/"+scope+"]\n")
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

func (s scoped) write(dir, kustomization string) {
	s.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// check fails the test for what the operator was refused, and for rights outside its namespaces.
func (s scoped) check(granted Permissions) {
	s.t.Helper()
	for permission := range granted {
		if permission.Namespace != s.namespace && permission.Namespace != s.account.Namespace {
			s.t.Errorf("granted outside of the scope: %s", permission)
		}
	}
	own := s.requests(0, "system:serviceaccount:"+s.account.Namespace+":"+s.account.Name, "")
	_, forbidden := granted.Compare(own)
	for _, request := range forbidden {
		s.t.Errorf("the operator asked for what the scope does not grant: %s", request)
	}
	if len(own) == 0 {
		s.t.Error("the operator asked for nothing under this account")
	}
}

// checkSecrets asks for Secrets that are none of the operator's business, as the operator.
func (s scoped) checkSecrets() {
	s.t.Helper()
	access, err := s.plane.ConfigFor(s.t.Context(), s.account)
	if err != nil {
		s.t.Fatal(err)
	}
	operator, err := client.New(access, client.Options{Scheme: s.admin.Scheme()})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	elsewhere := types.NamespacedName{Namespace: "default", Name: "anything"}
	if err := operator.Get(ctx, elsewhere, &corev1.Secret{}); !apierrors.IsForbidden(err) {
		s.t.Errorf("reading a Secret of another namespace: %v", err)
	}
	if err := operator.List(ctx, &corev1.SecretList{}, client.InNamespace(s.namespace)); !apierrors.IsForbidden(err) {
		s.t.Errorf("listing Secrets: %v", err)
	}
}
