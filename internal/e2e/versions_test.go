//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// olderCommit is the version that a rollback goes back to in the test.
const olderCommit = "75fada9e2450f38acfdf5ddea8ad4400fd8be2dd"

// withoutHistory is the variable that permits to skip what needs olderCommit. CI does not set it.
const withoutHistory = "E2E_WITHOUT_HISTORY"

// older builds the operator of olderCommit, and returns the directory of its sources.
func (s *suite) older(t *testing.T) (source, binary string) {
	t.Helper()
	s.haveOlderCommit(t)
	source = t.TempDir()
	archive := filepath.Join(source, "source.tar")
	if out, err := s.git(t, "archive", "--format=tar", "--output="+archive, olderCommit); err != nil {
		t.Fatalf("git archive: %v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "tar", "-xf", archive, "-C", source).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	own := &suite{root: source, binary: filepath.Join(source, "smile-operator")}
	if err := own.build(t.Context(), "-race", "-buildvcs=false"); err != nil {
		t.Fatal(err)
	}
	return source, own.binary
}

// haveOlderCommit fetches olderCommit if it is not in this clone: alone, or with the rest of the history where origin does not
// serve single commits. The test fails if that is not possible, and is skipped only where withoutHistory says so.
func (s *suite) haveOlderCommit(t *testing.T) {
	t.Helper()
	var failures []string
	for _, step := range [][]string{
		{"cat-file", "-e", olderCommit + "^{commit}"},
		{"fetch", "--quiet", "--no-tags", "--depth=1", "origin", olderCommit},
		{"fetch", "--quiet", "--no-tags", "--unshallow", "origin"},
	} {
		out, err := s.git(t, step...)
		if err == nil {
			if _, err = s.git(t, "cat-file", "-e", olderCommit+"^{commit}"); err == nil {
				return
			}
		}
		failures = append(failures, fmt.Sprintf("git %s: %v %s", strings.Join(step, " "), err, bytes.TrimSpace(out)))
	}
	if os.Getenv(withoutHistory) != "" {
		t.Skipf("%s is set, and commit %s is neither in this clone nor at origin", withoutHistory, olderCommit)
	}
	t.Fatalf("commit %s, which this test builds, is neither in this clone nor at origin. Clone the whole history, or set %s=1 "+
		"to skip the test:\n%s", olderCommit, withoutHistory, strings.Join(failures, "\n"))
}

func (s *suite) git(t *testing.T, args ...string) ([]byte, error) {
	git := exec.CommandContext(t.Context(), "git", args...)
	git.Dir = s.root
	return git.CombinedOutput()
}

// populated is an environment with objects of all kinds that show what the present version can store.
type populated struct {
	*environment
	receiver string
	names    []string
}

func (s *suite) populated(t *testing.T) *populated {
	t.Helper()
	e := s.fresh(t).environment(t, sandbox.Options{AllowHTTPWebhooks: true}, v1alpha1.SmileConnectionSpec{})
	p := &populated{environment: e, receiver: freeAddress(t), names: []string{"revoking", "released", "plain"}}
	o := e.operator(t, p.flags()...)
	for _, name := range p.names {
		user := e.user(name)
		user.Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: name + "-token"}
		if name == "revoking" {
			user.Spec.DeletionPolicy = v1alpha1.UserRevokeAccounts
		}
		e.create(user)
		e.becomes(user, "True/Succeeded", time.Minute)
		e.link(user.Status.UserID, "sss_ph")
		sync := e.sync(name)
		sync.Spec.RevokeAfterFetch = name == "released"
		e.create(sync)
	}
	e.create(e.subscription("events"))
	e.holds(p.names, 2*time.Minute)
	p.everythingReady()
	e.settled()
	o.stop()
	return p
}

// flags are some that the older version knows as well.
func (p *populated) flags() []string {
	return []string{
		"--lease-name=" + defaultLease, "--leader-elect", "--receiver-bind-address=" + p.receiver, "--receiver-base-url=http://" + p.receiver,
	}
}

// objects are one of each object of ours, to be read.
func (p *populated) objects() []engine.Object {
	all := []engine.Object{&v1alpha1.SmileConnection{ObjectMeta: p.named("smile")}, p.subscription("events")}
	for _, name := range p.names {
		all = append(all, p.user(name), p.sync(name))
	}
	return all
}

func (p *populated) everythingReady() {
	p.t.Helper()
	for _, object := range p.objects() {
		within(p.t, 5*time.Minute, object.GetName()+" is Ready", func() (bool, string) {
			state := "absent"
			if p.get(object) {
				state = readiness(object)
			}
			return strings.HasPrefix(state, "True/"), "it is " + state
		})
	}
}

// outputs are the data of all syncs.
func (p *populated) outputs() map[string]map[string]string {
	p.t.Helper()
	held := map[string]map[string]string{}
	for _, name := range p.names {
		held[name] = p.data(name)
	}
	return held
}

// fields are the paths of all fields that the objects have, without what the API server sets and without conditions, which each
// version sets as it knows them.
func (p *populated) fields() []string {
	p.t.Helper()
	var all []string
	for _, object := range p.objects() {
		gvk, err := p.admin.GroupVersionKindFor(object)
		if err != nil {
			p.t.Fatal(err)
		}
		stored := &unstructured.Unstructured{}
		stored.SetGroupVersionKind(gvk)
		if err := p.admin.Get(p.t.Context(), client.ObjectKeyFromObject(object), stored); err != nil {
			p.t.Fatal(err)
		}
		for _, part := range []string{"spec", "status"} {
			all = append(all, paths(gvk.Kind+"/"+object.GetName()+": "+part, stored.Object[part])...)
		}
		for _, finalizer := range stored.GetFinalizers() {
			all = append(all, gvk.Kind+"/"+object.GetName()+": finalizer "+finalizer)
		}
	}
	slices.Sort(all)
	return all
}

func paths(at string, value any) []string {
	var all []string
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			if name == "conditions" {
				continue
			}
			all = append(all, paths(at+"."+name, field)...)
		}
	case []any:
		for i, item := range value {
			all = append(all, paths(fmt.Sprintf("%s[%d]", at, i), item)...)
		}
	default:
		all = []string{at}
	}
	return all
}

// mutations are the calls after a mark that changed something at Smile.
func (e *environment) mutations(mark int) []string {
	var all []string
	for _, call := range e.remote.Journal(mark) {
		if call.Committed {
			all = append(all, call.Operation)
		}
	}
	return all
}

// TestOlderVersion rolls back: the operator of an earlier commit runs on objects of the present version, with the present
// CustomResourceDefinitions and then with its own, and the present version comes back. Nothing changes at Smile, no field is
// lost under the present definitions, and the outputs stay as they are.
func TestOlderVersion(t *testing.T) {
	t.Parallel()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	source, binary := s.older(t)
	p := s.populated(t)
	mark, fields, outputs := p.remote.mark(), p.fields(), p.outputs()
	old, present := *p.suite, p.suite
	old.binary = binary

	runs := func(what string, s *suite) {
		t.Helper()
		p.suite = s
		o := p.newOperator(t, p.flags()...)
		if s == &old { // it knows no other lease than the default one, and no flag for it
			o.flags = slices.DeleteFunc(o.flags, func(flag string) bool { return strings.HasPrefix(flag, "--lease-name=") })
		}
		o.start()
		within(t, time.Minute, what+" leads", func() (bool, string) { return o.metric("leader_election_master_status") > 0, o.tail() })
		for _, name := range p.names {
			p.annotate(p.user(name), v1alpha1.AnnotationRequestedAt, what)
			p.annotate(p.sync(name), v1alpha1.AnnotationRequestedAt, what)
		}
		within(t, time.Minute, what+" has handled what was asked for", func() (bool, string) {
			waiting := slices.DeleteFunc(p.objects(), func(object engine.Object) bool {
				return p.get(object) && handled(object) == object.GetAnnotations()[v1alpha1.AnnotationRequestedAt]
			})
			return len(waiting) == 0, fmt.Sprintf("%d objects wait", len(waiting))
		})
		p.everythingReady()
		p.settled()
		o.stop()
		if diff := cmp.Diff(outputs, p.outputs()); diff != "" {
			t.Errorf("%s changed the outputs:\n%s", what, diff)
		}
	}
	runs("the older version", &old)
	if lost := without(fields, p.fields()); len(lost) > 0 {
		t.Errorf("the older version lost fields:\n%s", strings.Join(lost, "\n"))
	}
	if out, err := p.run(t.Context(), "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(source, "config", "crd")); err != nil {
		t.Fatalf("installing the older definitions: %v\n%s", err, out)
	}
	runs("the older version with its own definitions", &old)
	p.installCRDs()
	runs("the present version", present)
	if changed := p.mutations(mark); len(changed) > 0 {
		t.Errorf("mutating calls: %v", changed)
	}
	t.Logf("%d fields of %d objects; calls: %s", len(fields), len(p.objects()), p.calls(mark))
}

// handled is the last request by annotation that the status of an object says was handled.
func handled(object engine.Object) string {
	switch object := object.(type) {
	case *v1alpha1.SmileUser:
		return object.Status.LastHandledRequest
	case *v1alpha1.SmileAccountSync:
		return object.Status.LastHandledRequest
	default:
		return ""
	}
}

func (e *environment) installCRDs() {
	e.t.Helper()
	out, err := e.run(e.t.Context(), "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(e.root, "config", "crd"))
	if err != nil {
		e.t.Fatalf("installing the definitions: %v\n%s", err, out)
	}
}

// without returns the elements of before that are not in after.
func without(before, after []string) []string {
	return slices.DeleteFunc(slices.Clone(before), func(field string) bool {
		_, found := slices.BinarySearch(after, field)
		return found
	})
}

// TestReinstalledCRDs deletes the CustomResourceDefinitions under the operator, and with them all objects, as an uninstall does.
// Then it installs them and creates everything again. No account is revoked, and every user is re-attached.
func TestReinstalledCRDs(t *testing.T) {
	t.Parallel()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	p := s.populated(t)
	ids, mark := p.ids(), p.remote.mark()
	kept := p.declared()
	o := p.operator(t, p.flags()...)
	within(t, time.Minute, "the operator leads", func() (bool, string) { return o.metric("leader_election_master_status") > 0, o.tail() })
	p.must("delete", "-k", filepath.Join(p.root, "config", "crd"), "--timeout=2m")
	if changed := p.mutations(mark); len(changed) > 0 {
		t.Errorf("mutating calls: %v", changed)
	}
	within(t, time.Minute, "events tell that objects were released", func() (bool, string) {
		events := p.events()
		return strings.Contains(events, v1alpha1.ReasonOrphaned+" SmileUser/revoking"), events
	})

	p.installCRDs()
	within(t, time.Minute, "the definitions are served", func() (bool, string) {
		out, err := p.apply(kept)
		return err == nil, out
	})
	within(t, 5*time.Minute, "all users are Ready", func() (bool, string) {
		if !o.running() { // Kubernetes starts it again
			o.start()
		}
		state := p.unready(len(p.names))
		return state == "", state
	})
	p.sameIDs(ids)
	p.eachOnce(len(p.names))
	for _, operation := range []string{"create-user", "delete-account"} {
		if calls := len(p.remote.committed(operation, mark)); calls > 0 {
			t.Errorf("%d calls of %s", calls, operation)
		}
	}
	t.Logf("calls: %s", p.calls(mark))
}

// declared is a manifest of all objects as people declare them.
func (p *populated) declared() []byte {
	p.t.Helper()
	var manifest bytes.Buffer
	for _, object := range p.objects() {
		gvk, err := p.admin.GroupVersionKindFor(object)
		if err != nil {
			p.t.Fatal(err)
		}
		p.get(object)
		stored, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			p.t.Fatal(err)
		}
		again := &unstructured.Unstructured{Object: map[string]any{"spec": stored["spec"]}}
		again.SetGroupVersionKind(gvk)
		again.SetNamespace(object.GetNamespace())
		again.SetName(object.GetName())
		manifest.Write(p.encode(again))
		manifest.WriteByte('\n')
	}
	return manifest.Bytes()
}

func (e *environment) apply(manifest []byte) (string, error) {
	path := filepath.Join(e.dir, "declared.json")
	if err := os.WriteFile(path, manifest, 0o600); err != nil {
		return "", err
	}
	return e.run(context.WithoutCancel(e.t.Context()), "apply", "-f", path)
}
