//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/internal/app"
	"github.com/smile-operator/smile-operator/internal/audit"
	"github.com/smile-operator/smile-operator/internal/controlplane"
)

// account is the one that the manifests run the operator as.
var account = types.NamespacedName{Namespace: "smile-operator-system", Name: "smile-operator"}

const accountUser = "system:serviceaccount:smile-operator-system:smile-operator"

// suite is what all tests share.
type suite struct {
	// root of the module.
	root string
	// dir holds everything that the tests write.
	dir string
	// admin may do anything.
	admin client.WithWatch
	plane *controlplane.ControlPlane
	audit audit.Log
	// binary is the operator, built with the race detector.
	binary string
	// single is true where only one environment uses the control plane, which ends with it.
	single bool
	// kubectl is the program. There is a kubeconfig for an administrator, and one for the operator's account.
	kubectl, adminConfig, operatorConfig string
}

var (
	started bool
	shared  = sync.OnceValues(func() (*suite, error) {
		started = true
		s := &suite{}
		return s, s.start(context.Background())
	})
)

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	if upstream := os.Getenv(upstreamVariable); upstream != "" {
		fmt.Fprintln(os.Stderr, intercept(upstream, os.Getenv(proxyDirVariable)))
		os.Exit(1)
	}
	code := m.Run()
	if started {
		s, err := shared()
		if err = errors.Join(err, s.stop()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// build builds the operator.
func (s *suite) build(ctx context.Context, flags ...string) error {
	return s.buildTo(ctx, s.binary, "smile-operator", flags...)
}

// buildTo builds a command.
func (s *suite) buildTo(ctx context.Context, path, command string, flags ...string) error {
	build := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", path}, flags...), "./cmd/"+command)...)
	build.Dir = s.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", command, err, out)
	}
	return nil
}

// plugin is the directory with kubectl-smile, built with the race detector.
var plugin = sync.OnceValues(func() (dir string, err error) {
	s, err := shared()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(s.dir, "plugin")
	return dir, s.buildTo(context.Background(), filepath.Join(dir, "kubectl-smile"), "kubectl-smile", "-race")
})

// releasedBinary is the operator as it is released: the race detector makes it slower and larger.
var releasedBinary = sync.OnceValues(func() (string, error) {
	s, err := shared()
	if err != nil {
		return "", err
	}
	released := &suite{root: s.root, binary: s.binary + "-released"}
	return released.binary, released.build(context.Background())
})

// asReleased makes an environment use the released operator, to measure it.
func (e *environment) asReleased() {
	e.t.Helper()
	binary, err := releasedBinary()
	if err != nil {
		e.t.Fatal(err)
	}
	released := *e.suite
	released.binary = binary
	e.suite = &released
}

func (s *suite) start(ctx context.Context) error {
	began := time.Now()
	var err error
	if s.root, err = controlplane.ModuleRoot(); err != nil {
		return err
	}
	if s.dir, err = workDirectory(); err != nil {
		return err
	}
	s.binary = filepath.Join(s.dir, "smile-operator")
	if err := s.build(ctx, "-race"); err != nil {
		return err
	}
	fmt.Printf("built the operator with the race detector in %s\n", time.Since(began).Round(time.Second))
	began = time.Now()
	if err := s.startPlane(ctx); err != nil {
		return err
	}
	fmt.Printf("started the control plane in %s; logs are in %s\n", time.Since(began).Round(time.Second), s.dir)
	return nil
}

// logsVariable names a directory in which everything that the tests write is kept.
const logsVariable = "E2E_LOGS"

// workDirectory is the one that E2E_LOGS names, or a temporary one.
func workDirectory() (string, error) {
	if dir := os.Getenv(logsVariable); dir != "" {
		abs, err := filepath.Abs(dir)
		return abs, errors.Join(err, os.MkdirAll(abs, 0o700))
	}
	return os.MkdirTemp("", "smile-e2e-")
}

// startPlane runs the control plane with everything installed that config/default installs, except pods.
func (s *suite) startPlane(ctx context.Context) error {
	var err error
	if s.audit, err = audit.Create(s.dir); err != nil {
		return err
	}
	s.plane, err = controlplane.Start(ctx, controlplane.Options{
		CRDs:              []string{filepath.Join(s.root, "config", "crd", "bases")},
		ControllerManager: true,
		APIServerFlags:    s.audit.Flags(),
	})
	if err != nil {
		return err
	}
	assets, err := controlplane.Assets()
	if err != nil {
		return err
	}
	s.kubectl = filepath.Join(assets, "kubectl")
	scheme, err := app.Scheme()
	if err != nil {
		return err
	}
	if s.admin, err = client.NewWithWatch(s.plane.Config(), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if s.adminConfig, err = s.keep("admin.kubeconfig", s.plane.Kubeconfig); err != nil {
		return err
	}
	if out, err := s.run(ctx, "apply", "--server-side", "-k", filepath.Join(s.root, "config", "rbac")); err != nil {
		return fmt.Errorf("installing the service account: %w\n%s", err, out)
	}
	s.operatorConfig, err = s.keep("operator.kubeconfig", func() ([]byte, error) { return s.plane.KubeconfigFor(ctx, account) })
	return err
}

// keep writes a file and returns its path.
func (s *suite) keep(name string, contents func() ([]byte, error)) (string, error) {
	content, err := contents()
	if err != nil {
		return "", err
	}
	path := filepath.Join(s.dir, name)
	return path, os.WriteFile(path, content, 0o600)
}

// run runs kubectl as the administrator.
func (s *suite) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.kubectl, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.adminConfig)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *suite) stop() error {
	var err error
	if s.plane != nil {
		err = s.plane.Stop()
	}
	if os.Getenv(logsVariable) == "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}
