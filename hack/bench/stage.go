package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/app"
	"github.com/smile-operator/smile-operator/internal/audit"
	"github.com/smile-operator/smile-operator/internal/controlplane"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// The service account of config/rbac, and the names that all scenarios use.
const (
	accountNamespace = "smile-operator-system"
	accountName      = "smile-operator"
	namespace        = "default"
	connectionName   = "smile"
	apiKey           = "sandbox-key"
	apiSecret        = "sandbox-secret"
)

// stage is the environment of one scenario: its own control plane and sandbox.
type stage struct {
	*bench

	plane *controlplane.ControlPlane
	audit audit.Log
	admin client.WithWatch
	smile *sandbox.Server
	// access is the kubeconfig file of the operator's account.
	access string
	undo   []func() error
	logs   []string
}

// newStage always returns a stage, which the caller must clear, even with an error.
func (b *bench) newStage(ctx context.Context, s scenario) (*stage, error) {
	st := &stage{bench: b}
	if err := st.startPlane(ctx, s.collects); err != nil {
		return st, err
	}
	var err error
	if st.smile, err = sandbox.Start(s.smile(b.options)); err != nil {
		return st, err
	}
	st.later(func() error { st.smile.Close(); return nil })
	st.say("started a control plane and a sandbox")
	return st, nil
}

// startPlane does not stop the control plane when ctx ends: after an interrupt the operator must be stopped first.
func (st *stage) startPlane(ctx context.Context, collects bool) error {
	dir, err := os.MkdirTemp(st.work, "")
	if err != nil {
		return err
	}
	if st.audit, err = audit.Create(dir); err != nil {
		return err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	release := context.AfterFunc(ctx, end)
	st.plane, err = controlplane.Start(life, controlplane.Options{
		CRDs:              []string{filepath.Join(st.subject.root, "config", "crd", "bases")},
		ControllerManager: collects,
		APIServerFlags:    st.audit.Flags(),
	})
	release()
	if err != nil {
		end()
		return err
	}
	st.later(func() error { defer end(); return st.plane.Stop() })
	if err := st.grant(ctx, dir); err != nil {
		return err
	}
	return st.warm(ctx)
}

// warm lists each kind once, as somebody has done on any real cluster. Without it, the API server
// rejects the very first watch of a kind, to be retried in a second.
func (st *stage) warm(ctx context.Context) error {
	for _, list := range []client.ObjectList{
		&v1alpha1.SmileConnectionList{}, &v1alpha1.SmileUserList{}, &v1alpha1.SmileAccountSyncList{}, &v1alpha1.SmileWebhookSubscriptionList{},
	} {
		if err := st.admin.List(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

// grant creates the clients and the kubeconfigs, and installs the operator's account with its rights.
func (st *stage) grant(ctx context.Context, dir string) error {
	scheme, err := app.Scheme()
	if err != nil {
		return err
	}
	if st.admin, err = client.NewWithWatch(st.plane.Config(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	admin, err := st.plane.Kubeconfig()
	if err != nil {
		return err
	}
	adminFile := filepath.Join(dir, "admin.kubeconfig")
	if err := os.WriteFile(adminFile, admin, 0o600); err != nil {
		return err
	}
	assets, err := controlplane.Assets()
	if err != nil {
		return err
	}
	apply := exec.CommandContext(ctx, filepath.Join(assets, "kubectl"), "apply", "--server-side", "-k", filepath.Join(st.subject.root, "config", "rbac"))
	apply.Env = append(os.Environ(), "KUBECONFIG="+adminFile, "KUBECACHEDIR="+dir)
	if out, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("installing the operator's account: %w\n%s", err, out)
	}
	access, err := st.plane.KubeconfigFor(ctx, types.NamespacedName{Namespace: accountNamespace, Name: accountName})
	if err != nil {
		return err
	}
	st.access = filepath.Join(dir, "operator.kubeconfig")
	return os.WriteFile(st.access, access, 0o600)
}

// connect creates the connection of all users. Its resyncInterval is a day until resync changes it.
func (st *stage) connect(ctx context.Context) error {
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	secret := &corev1.Secret{ObjectMeta: named("smile-keys"), StringData: map[string]string{"apiKey": apiKey, "apiSecret": apiSecret}}
	if err := st.admin.Create(ctx, secret); err != nil {
		return err
	}
	return st.admin.Create(ctx, &v1alpha1.SmileConnection{
		ObjectMeta: named(connectionName),
		Spec: v1alpha1.SmileConnectionSpec{
			Mode: v1alpha1.ModeSandbox, CredentialsSecretRef: v1alpha1.CredentialsSecretReference{Name: secret.Name},
			ResyncInterval: &metav1.Duration{Duration: day},
		},
	})
}

// resync changes the connection's resyncInterval.
func (st *stage) resync(ctx context.Context, every time.Duration) error {
	connection := &v1alpha1.SmileConnection{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: connectionName}}
	patch := fmt.Sprintf(`{"spec":{"resyncInterval":%q}}`, every)
	return st.admin.Patch(ctx, connection, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// later registers f to be called by clear. What was registered last is called first.
func (st *stage) later(f func() error) { st.undo = append(st.undo, f) }

func (st *stage) clear() error {
	var errs []error
	for _, f := range slices.Backward(st.undo) {
		errs = append(errs, f())
	}
	st.undo = nil
	return errors.Join(errs...)
}

// explain returns the end of the logs of the programs that were run.
func (st *stage) explain() string {
	const most = 3000
	var text bytes.Buffer
	for _, path := range st.logs {
		log, err := os.ReadFile(path)
		if err != nil || len(log) == 0 {
			continue
		}
		fmt.Fprintf(&text, "the end of the log of %s:\n%s\n", filepath.Base(path), log[max(0, len(log)-most):])
	}
	return text.String()
}

// requests returns the operator's requests since a place in the audit log.
func (st *stage) requests(place int64) ([]audit.Request, error) {
	all, err := st.audit.After(place)
	return own(all), err
}

// mark is the place in the journal after all calls so far.
func (st *stage) mark() int {
	journal := st.smile.Journal(0)
	if len(journal) == 0 {
		return 0
	}
	return journal[len(journal)-1].Seq
}
