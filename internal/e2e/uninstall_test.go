//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// uninstallLimit is how long after the beginning of an uninstall nothing may be Terminating.
const uninstallLimit = 2 * time.Minute

// uninstall runs the operator's command as the Job of the image does: with the rights of the operator.
func (e *environment) uninstall(flags ...string) (string, error) {
	var out bytes.Buffer
	err := e.uninstallTo(&out, flags...)
	return out.String(), err
}

func (e *environment) uninstallTo(out io.Writer, flags ...string) error {
	ctx, cancel := context.WithTimeout(e.t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.binary, append([]string{"uninstall", e.only()}, flags...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + e.dir, "KUBECONFIG=" + e.operatorConfig}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd.Run()
}

// reaction does something once, when a text is written.
type reaction struct {
	text bytes.Buffer
	to   string
	do   func()
}

func (r *reaction) Write(text []byte) (int, error) {
	defer func() {
		if r.do != nil && strings.Contains(r.text.String(), r.to) {
			r.do()
			r.do = nil
		}
	}()
	return r.text.Write(text)
}

// uninstalled runs an uninstall that succeeds, and logs what it says.
func (e *environment) uninstalled(flags ...string) string {
	e.t.Helper()
	began := time.Now()
	out, err := e.uninstall(flags...)
	if err != nil {
		e.t.Fatalf("uninstall: %v\n%s", err, out)
	}
	e.t.Logf("uninstall %s took %s:\n%s", strings.Join(flags, " "), seconds(time.Since(began)), out)
	return out
}

func (e *environment) finalizers(object engine.Object) []string {
	e.t.Helper()
	if !e.get(object) {
		e.t.Fatalf("%s is gone", object.GetName())
	}
	return object.GetFinalizers()
}

// TestUninstall prepares the removal of the operator in the situations in which finalizers could hold something forever.
func TestUninstall(t *testing.T) {
	t.Parallel()
	t.Run("the keys are gone", func(t *testing.T) { t.Parallel(); uninstallWithoutKeys(t) })
	t.Run("the namespace is deleted first", func(t *testing.T) { t.Parallel(); uninstallOfDeletedNamespace(t) })
	t.Run("the operator no longer runs", func(t *testing.T) { t.Parallel(); uninstallWithoutOperator(t) })
	t.Run("a deletion can be completed", func(t *testing.T) { t.Parallel(); uninstallDuringDeletion(t) })
	t.Run("something else holds an object", func(t *testing.T) { t.Parallel(); uninstallOfForeignFinalizer(t) })
	t.Run("a thousand users", func(t *testing.T) { t.Parallel(); uninstallOfThousand(t) })
}

// Deletions wait for keys that do not come back. The operator ends them and records that.
func uninstallWithoutKeys(t *testing.T) {
	e := newEnvironment(t, sandbox.Options{AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
	receiver := freeAddress(t)
	o := e.operator(t, e.only(), "--receiver-bind-address="+receiver, "--receiver-base-url=http://"+receiver)
	user, hook := e.linked("george"), e.subscription("events")
	e.create(hook)
	e.becomes(hook, "True/Succeeded", time.Minute)
	o.stop()
	e.delete(&corev1.Secret{ObjectMeta: e.named("smile-keys")})
	o.start()
	mark := e.remote.mark()
	e.delete(user, hook)
	e.becomes(user, blocked, blockedWithin)
	e.becomes(hook, blocked, blockedWithin)
	began := time.Now()
	out := e.uninstalled("--wait=5s")
	e.gone(user, 0)
	e.gone(hook, uninstallLimit-time.Since(began))
	if !strings.Contains(out, "Deleted without what their policy says, so that it stays at Smile: 2 objects") || !strings.Contains(out, v1alpha1.ReasonSecretNotFound) {
		t.Error("the report does not say what is left at Smile, and why")
	}
	if changed := e.mutations(mark); len(changed) > 0 {
		t.Errorf("calls that changed something at Smile: %v", changed)
	}
	within(t, blockedWithin, "events tell that both were orphaned", func() (bool, string) {
		events := e.events()
		return strings.Count(events, v1alpha1.ReasonOrphaned) == 2, events
	})
}

func uninstallOfDeletedNamespace(t *testing.T) {
	e := newEnvironment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{})
	e.operator(t, e.only())
	user := e.linked("george")
	e.remote.down()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.namespace}}
	e.delete(namespace)
	e.becomes(user, blocked, time.Minute)
	began := time.Now()
	e.uninstalled("--wait=5s")
	e.gone(namespace, uninstallLimit-time.Since(began))
	e.remote.up(t)
	e.revoked(0)
}

// The command itself removes the finalizers, of objects that are being deleted and of others.
func uninstallWithoutOperator(t *testing.T) {
	e := newEnvironment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{})
	o := e.operator(t, e.only())
	deleted, living := e.linked("deleted"), e.linked("living")
	o.stop()
	e.delete(deleted)
	e.uninstalled("--wait=0s")
	e.gone(deleted, 0)
	if held := e.finalizers(living); len(held) > 0 {
		t.Errorf("the object is still held by %v", held)
	}
	e.delete(living)
	e.gone(living, 0)
	e.revoked(0)
}

// A deletion that Smile hinders for a while does what its policy says.
func uninstallDuringDeletion(t *testing.T) {
	e := newEnvironment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{})
	e.operator(t, e.only())
	user, other := e.linked("george"), e.linked("other")
	e.fail(sandbox.Fault{Operation: "*", Count: -1, Action: "status:503"})
	e.delete(user)
	e.becomes(user, blocked, blockedWithin)
	out := &reaction{to: "waiting for the deletion of 1 object", do: func() { e.fail() }}
	if err := e.uninstallTo(out); err != nil || !strings.Contains(out.text.String(), "Deleted by the operator, as their policy says: 1 object") {
		t.Errorf("uninstall: %v\n%s", err, out.text.String())
	}
	e.gone(user, 0)
	e.revoked(2, user)
	e.delete(other)
	e.gone(other, time.Second)
	e.revoked(2, user)
}

func uninstallOfForeignFinalizer(t *testing.T) {
	e := newEnvironment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{})
	user := e.user("george")
	user.Finalizers = []string{"example.com/guard", v1alpha1.FinalizerRevoke}
	e.create(user)
	e.delete(user)
	out, err := e.uninstall("--wait=0s")
	if err == nil || !strings.Contains(out, "example.com/guard, which are not the operator's") {
		t.Errorf("an uninstall that leaves an object ended with %v:\n%s", err, out)
	}
	if held := e.finalizers(user); len(held) != 1 || held[0] != "example.com/guard" {
		t.Errorf("the finalizers are now %v", held)
	}
}

func uninstallOfThousand(t *testing.T) {
	const n = 1000
	e := newEnvironment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{})
	e.asReleased()
	e.operator(t, e.only(), "--api-requests-per-second=0")
	for _, user := range e.crowd("user", n) {
		user.(*v1alpha1.SmileUser).Spec.DeletionPolicy = v1alpha1.UserRevokeAccounts
		e.create(user)
	}
	e.allReady(n, 5*time.Minute)
	mark := e.remote.mark()
	plan := e.uninstalled("--dry-run")
	if !strings.Contains(plan, fmt.Sprintf("Would be released, so that their deletion changes nothing at Smile: %d objects", n)) || len(e.users()[0].Finalizers) != 1 {
		t.Error("the dry run is not a plan of the uninstall")
	}
	began := time.Now()
	out := e.uninstalled()
	took := time.Since(began)
	if took > uninstallLimit/2 || !strings.Contains(out, fmt.Sprintf("released 750 of %d objects", n)) {
		t.Errorf("it took %s and does not show its progress, or took too long", took)
	}
	if err := e.admin.DeleteAllOf(t.Context(), &v1alpha1.SmileUser{}, client.InNamespace(e.namespace)); err != nil {
		t.Fatal(err)
	}
	within(t, time.Minute, "no user is left", func() (bool, string) {
		left := len(e.users())
		return left == 0, fmt.Sprintf("%d users", left)
	})
	if changed := e.mutations(mark); len(changed) > 0 {
		t.Errorf("calls that changed something at Smile: %v", changed)
	}
}

// TestReinstall follows docs/uninstall.md, up to the removal of everything, and then installs again with the identity key from the
// backup of docs/backup.md: every user is found again, and no account is revoked.
func TestReinstall(t *testing.T) {
	t.Parallel()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	docs, backup := s.page(t, "uninstall.md"), s.page(t, "backup.md")
	if docs.programs, err = plugin(); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(s.root, "config"), filepath.Join(docs.dir, "config")); err != nil {
		t.Fatal(err)
	}
	p := s.populated(t)
	ids, kept, mark := p.ids(), p.declared(), p.remote.mark()
	o := p.operator(t, p.flags()...)
	within(t, time.Minute, "the operator leads", func() (bool, string) { return o.metric("leader_election_master_status") > 0, o.tail() })
	backup.run(t, p.suite, "backup")
	docs.run(t, p.suite, "uninstall")
	for _, object := range p.objects() {
		if held := p.finalizers(object); len(held) > 0 {
			t.Errorf("%s is still held by %v", object.GetName(), held)
		}
	}
	o.stop()
	identity := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: account.Namespace, Name: output.IdentitySecret}}
	if !p.get(identity) {
		t.Error("the identity Secret is not kept")
	}
	began := time.Now()
	docs.run(t, p.suite, "everything")
	if took := time.Since(began); took > uninstallLimit {
		t.Errorf("removing everything took %s", took)
	}
	if changed := p.mutations(mark); len(changed) > 0 {
		t.Errorf("calls that changed something at Smile: %v", changed)
	}

	p.reinstall()
	backup.run(t, p.suite, "identity")
	within(t, time.Minute, "the definitions are served", func() (bool, string) {
		out, err := p.apply(kept)
		return err == nil, out
	})
	o.start()
	p.allReady(len(p.names), 5*time.Minute)
	p.sameIDs(ids)
	p.eachOnce(len(p.names))
	for _, operation := range []string{"create-user", "delete-account"} {
		if calls := len(p.remote.committed(operation, mark)); calls > 0 {
			t.Errorf("%d calls of %s", calls, operation)
		}
	}
}

// reinstall installs everything except the operator itself, whose account gets a new token.
func (p *populated) reinstall() {
	p.t.Helper()
	p.installCRDs()
	if out, err := p.run(p.t.Context(), "apply", "--server-side", "-k", filepath.Join(p.root, "config", "rbac")); err != nil {
		p.t.Fatalf("installing the service account: %v\n%s", err, out)
	}
	p.create(p.leases()...)
	renewed, err := p.keep("operator.kubeconfig", func() ([]byte, error) { return p.plane.KubeconfigFor(p.t.Context(), account) })
	if err != nil || renewed != p.operatorConfig {
		p.t.Fatalf("renewing %s: %v", p.operatorConfig, err)
	}
}
