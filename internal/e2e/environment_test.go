//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/audit"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// environment is a namespace and a Smile of one test.
type environment struct {
	*suite
	t         *testing.T
	namespace string
	remote    *remote
	key       sandbox.KeyPair
	// operatorEnvironment is added to the environment of operators.
	operatorEnvironment []string
	// withoutDefinitions is true where the operator may not read CustomResourceDefinitions.
	withoutDefinitions bool
	// beginning is the place in the audit log behind all requests that were made before.
	beginning int64
	// away are the times at which the API server was starting: it forbids everything until it has read the roles.
	away [][2]time.Time
}

// newEnvironment makes a namespace with a SmileConnection called smile, whose keys are the first of the options.
func newEnvironment(t *testing.T, options sandbox.Options, spec v1alpha1.SmileConnectionSpec) *environment {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s.environment(t, options, spec)
}

func (s *suite) environment(t *testing.T, options sandbox.Options, spec v1alpha1.SmileConnectionSpec) *environment {
	t.Helper()
	if len(options.Keys) == 0 {
		options.Keys, _ = sandbox.ParseKeys(sandbox.DefaultKeys)
	}
	return s.environmentAt(t, newRemote(t, options), options.Keys[0], spec)
}

// environmentAt is an environment whose Smile may be that of other environments too.
func (s *suite) environmentAt(t *testing.T, remote *remote, key sandbox.KeyPair, spec v1alpha1.SmileConnectionSpec) *environment {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}
	if err := s.admin.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	e := &environment{suite: s, t: t, namespace: namespace.Name, remote: remote, key: key}
	e.beginning = e.end()
	if !s.single {
		t.Cleanup(e.clear)
	}
	t.Cleanup(e.nothingForbidden)
	e.create(e.leases()...)
	spec.Mode, spec.CredentialsSecretRef.Name = v1alpha1.ModeSandbox, "smile-keys"
	e.create(
		&corev1.Secret{
			ObjectMeta: e.named("smile-keys"),
			StringData: map[string]string{"apiKey": e.key.Key, "apiSecret": e.key.Secret},
		},
		&v1alpha1.SmileConnection{ObjectMeta: e.named("smile"), Spec: spec},
	)
	return e
}

// leases permits the operators of this environment to use their own Leases, as config/rbac permits the default ones.
func (e *environment) leases() []client.Object {
	meta := metav1.ObjectMeta{Namespace: account.Namespace, Name: e.namespace}
	return []client.Object{
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "update"},
			ResourceNames: []string{e.namespace, e.namespace + "-creations"},
		}}},
		&rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: e.namespace},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}},
		},
	}
}

// only has an operator watch this environment alone.
func (e *environment) only() string { return "--watch-namespaces=" + e.namespace }

func (e *environment) named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: e.namespace, Name: name}
}

func (e *environment) create(objects ...client.Object) {
	e.t.Helper()
	for _, object := range objects {
		if err := e.admin.Create(e.t.Context(), object); err != nil {
			e.t.Fatalf("creating %s: %v", object.GetName(), err)
		}
	}
}

func (e *environment) delete(objects ...client.Object) {
	e.t.Helper()
	for _, object := range objects {
		if err := client.IgnoreNotFound(e.admin.Delete(e.t.Context(), object)); err != nil {
			e.t.Fatalf("deleting %s: %v", object.GetName(), err)
		}
	}
}

// annotate sets an annotation of an object as it is stored now.
func (e *environment) annotate(object client.Object, key, value string) {
	e.t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, key, value)
	e.patch(object, patch)
}

func (e *environment) patch(object client.Object, patch string) {
	e.t.Helper()
	if err := e.admin.Patch(e.t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		e.t.Fatalf("patching %s: %v", object.GetName(), err)
	}
}

// get reads an object by its name; false when it does not exist.
func (e *environment) get(object client.Object) bool {
	e.t.Helper()
	err := e.admin.Get(e.t.Context(), client.ObjectKeyFromObject(object), object)
	if client.IgnoreNotFound(err) != nil {
		e.t.Fatalf("reading %s: %v", object.GetName(), err)
	}
	return err == nil
}

// must runs kubectl as the administrator, in the namespace of the test.
func (e *environment) must(args ...string) string {
	e.t.Helper()
	out, err := e.run(e.t.Context(), append([]string{"--namespace", e.namespace}, args...)...)
	if err != nil {
		e.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// end is the place in the audit log behind all requests so far.
func (e *environment) end() int64 {
	e.t.Helper()
	place, err := e.audit.End()
	if err != nil {
		e.t.Fatal(err)
	}
	return place
}

// asked returns the requests that the operator's account made after a place in the audit log, in this namespace.
func (e *environment) asked(after int64) []audit.Request {
	e.t.Helper()
	return e.requests(max(after, e.beginning), accountUser, e.namespace)
}

// requests returns the requests of a user in a namespace, or in all namespaces if it is "".
func (e *environment) requests(after int64, user, namespace string) []audit.Request {
	e.t.Helper()
	requests, err := e.audit.Of(user, namespace, after)
	if err != nil {
		e.t.Fatal(err)
	}
	return requests
}

// writes returns the requests that change something.
func (e *environment) writes(after int64) []audit.Request {
	e.t.Helper()
	var own []audit.Request
	for _, request := range e.asked(after) {
		if request.Writes() {
			own = append(own, request)
		}
	}
	return own
}

func (e *environment) nothingForbidden() {
	for _, request := range e.asked(0) {
		starting := slices.ContainsFunc(e.away, func(span [2]time.Time) bool { return request.At.After(span[0]) && request.At.Before(span[1]) })
		if request.Forbidden && !starting {
			e.t.Errorf("the operator asked for what its role does not grant: %s", request)
		}
	}
}

// clear deletes everything of this environment that other operators could see.
func (e *environment) clear() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, list := range []client.ObjectList{
		&v1alpha1.SmileAccountSyncList{}, &v1alpha1.SmileWebhookSubscriptionList{}, &v1alpha1.SmileUserList{}, &v1alpha1.SmileConnectionList{},
		&v1alpha1.SmileWinkWidgetList{},
	} {
		if err := e.admin.List(ctx, list, client.InNamespace(e.namespace)); err != nil {
			e.t.Errorf("cleaning up: %v", err)
			return
		}
		objects, _ := meta.ExtractList(list)
		for _, object := range objects {
			held := object.(client.Object)
			_ = e.admin.Patch(ctx, held, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))
			if err := client.IgnoreNotFound(e.admin.Delete(ctx, held)); err != nil {
				e.t.Errorf("cleaning up: %v", err)
			}
		}
	}
	for _, object := range e.leases() {
		if err := client.IgnoreNotFound(e.admin.Delete(ctx, object)); err != nil {
			e.t.Errorf("cleaning up: %v", err)
		}
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.namespace}}
	if err := client.IgnoreNotFound(e.admin.Delete(ctx, namespace)); err != nil {
		e.t.Errorf("cleaning up: %v", err)
	}
}

// in returns the same environment for a subtest.
func (e *environment) in(t *testing.T) *environment {
	own := *e
	own.t = t
	return &own
}
