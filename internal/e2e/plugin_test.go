//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// smile prepares kubectl smile, run by kubectl itself in the namespace of the environment.
func (e *environment) smile(args ...string) *exec.Cmd {
	e.t.Helper()
	dir, err := plugin()
	if err != nil {
		e.t.Fatal(err)
	}
	cmd := exec.CommandContext(e.t.Context(), e.kubectl, append([]string{"smile", "--namespace=" + e.namespace}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+e.adminConfig, "PATH="+dir+":"+os.Getenv("PATH"))
	return cmd
}

// smiles runs kubectl smile, which succeeds.
func (e *environment) smiles(args ...string) string {
	e.t.Helper()
	out, err := e.smile(args...).CombinedOutput()
	if err != nil {
		e.t.Fatalf("kubectl smile %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// refused runs kubectl smile, which fails, and says all this.
func (e *environment) refused(args []string, says ...string) {
	e.t.Helper()
	out, err := e.smile(args...).CombinedOutput()
	if err == nil {
		e.t.Errorf("kubectl smile %s succeeds:\n%s", strings.Join(args, " "), out)
	}
	for _, text := range says {
		if !strings.Contains(string(out), text) {
			e.t.Errorf("kubectl smile %s does not say %q:\n%s", strings.Join(args, " "), text, out)
		}
	}
}

// TestPlugin operates a person's objects by kubectl smile, as an administrator and as a user who may only view.
func TestPlugin(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{
		ResyncInterval: &metav1.Duration{Duration: time.Minute},
	})
	o := e.operator(t, e.only())
	george := e.linked("george")
	sync := e.sync("george")
	e.create(sync)
	e.holds([]string{"george"}, 3*time.Minute)
	e.becomes(sync, "True/Succeeded", time.Minute)

	if out := e.smiles("status"); !strings.Contains(out, "All 3 objects are ready.") {
		t.Errorf("status:\n%s", out)
	}
	if out := e.smiles("providers", "smile"); !strings.Contains(out, "sss_ph") || !strings.Contains(out, "CONTRIBUTIONS") {
		t.Errorf("providers:\n%s", out)
	}
	e.asViewer()
	e.smiles("sync", "george", "user/george", "--wait=1m")
	if e.get(sync); sync.Status.LastHandledRequest == "" || sync.Status.LastHandledRequest != sync.Annotations[v1alpha1.AnnotationRequestedAt] {
		t.Errorf("the request %q was not handled", sync.Annotations[v1alpha1.AnnotationRequestedAt])
	}
	if out := e.smiles("suspend", "user/george", "-o", "name"); out != "smileusers.smile-operator.io/george\n" {
		t.Errorf("suspend: %q", out)
	}
	within(t, time.Minute, "the sync shows that its user is suspended", func() (bool, string) {
		out := e.smiles("status")
		return strings.Contains(out, "$ kubectl smile resume user/george --namespace="+e.namespace), out
	})
	e.smiles("resume", "user/george")
	e.becomes(george, "True/Succeeded", time.Minute)

	e.refused([]string{"erase", "george"}, "type the name of the user", "not confirmed: nothing was changed")
	e.smiles("erase", "george", "--yes")
	e.revoked(2, george)
	e.gone(sync, time.Minute)
	e.gone(&corev1.Secret{ObjectMeta: e.named("george-data")}, time.Minute)
	o.stop()
	e.interrupted()
}

// asViewer checks what a user can do who may only view.
func (e *environment) asViewer() {
	e.t.Helper()
	if out, err := e.run(e.t.Context(), "apply", "--server-side", "-k", filepath.Join(e.root, "config", "roles")); err != nil {
		e.t.Fatalf("installing the roles: %v\n%s", err, out)
	}
	e.create(&rbacv1.RoleBinding{
		ObjectMeta: e.named("viewer"),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "smile-operator-view"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "viewer"}},
	})
	var status struct {
		Connections []struct{ Name, State string } `json:"connections"`
		NotShown    []string                       `json:"notShown"`
	}
	within(e.t, time.Minute, "the role binding has effect", func() (bool, string) {
		out, err := e.smile("status", "--as=viewer", "-o", "json").Output()
		if err == nil {
			err = json.Unmarshal(out, &status)
		}
		return err == nil, string(out)
	})
	if len(status.Connections) != 1 || status.Connections[0].State != "Ready" || len(status.NotShown) > 0 {
		e.t.Errorf("the status for a viewer: %+v", status)
	}
	for _, args := range [][]string{
		{"sync", "george"}, {"suspend", "connection/smile"}, {"erase", "george", "--yes"},
	} {
		e.refused(append(args, "--as=viewer"), `User "viewer" cannot`, "Ask for the right")
	}
	e.refused([]string{"providers", "smile", "--as=viewer"}, `User "viewer" cannot get resource "secrets"`)
	e.refused([]string{"status", "--as=viewer", "-A"}, "at the cluster scope", "name a namespace in which you have it by --namespace")
	e.refused([]string{"uninstall", "--as=viewer", "--wait=0s"}, `User "viewer" cannot patch resource "smileusers"`)
}

// interrupted ends a command that waits by Ctrl-C.
func (e *environment) interrupted() {
	e.t.Helper()
	e.create(e.user("nobody"))
	var out bytes.Buffer
	cmd := e.smile("sync", "user/nobody", "--wait=5m")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	within(e.t, time.Minute, "the request is there", func() (bool, string) {
		user := e.user("nobody")
		return e.get(user) && user.Annotations[v1alpha1.AnnotationRequestedAt] != "", "no annotation"
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		e.t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 || out.String() != "Interrupted.\n" {
		e.t.Errorf("an interrupted command ends with %v, and says %q", err, out.String())
	}
}
