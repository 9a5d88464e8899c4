// Package testenv is the environment of the operator's tests: a real API server, which the tests of a package share; a Smile
// sandbox that is called over real HTTP; one clock for the operator and the sandbox, which only tests move; and the
// controllers, whose Reconcile is called directly. Nothing here waits, and nothing runs in the background.
//
// After every reconcile, the object must comply with what holds for all objects of this operator: see contract.go.
package testenv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/app"
	"github.com/smile-operator/smile-operator/internal/controlplane"
)

// cluster is the API server of a test binary.
type cluster struct {
	plane  *controlplane.ControlPlane
	client client.WithWatch
}

var (
	started bool
	shared  = sync.OnceValues(func() (*cluster, error) {
		started = true
		return startCluster(context.Background())
	})
)

func startCluster(ctx context.Context) (*cluster, error) {
	root, err := controlplane.ModuleRoot()
	if err != nil {
		return nil, err
	}
	scheme, err := app.Scheme()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "smile-encryption-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the API server reads it once
	encrypt, err := encrypting(dir)
	if err != nil {
		return nil, err
	}
	plane, err := controlplane.Start(ctx, controlplane.Options{
		CRDs: []string{filepath.Join(root, "config", "crd", "bases")}, APIServerFlags: []string{encrypt},
	})
	if err != nil {
		return nil, err
	}
	live, err := client.NewWithWatch(plane.Config(), client.Options{Scheme: scheme})
	return &cluster{plane: plane, client: live}, err
}

// Run runs the tests of a package, then stops the API server if one of them needed it, and checks that no goroutines were left
// running. It returns the exit code.
func Run(m *testing.M) int {
	ctrl.SetLogger(logr.Discard())
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code != 0 {
		return code
	}
	if err := goleak.Find(goleak.IgnoreTopFunction(ginkgoInterrupts)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// ginkgoInterrupts waits for signals for as long as the process lives.
const ginkgoInterrupts = "github.com/onsi/ginkgo/v2/internal/interrupt_handler.(*InterruptHandler).registerForInterrupts.func2"

func stop() error {
	if !started {
		return nil
	}
	running, err := shared()
	if err != nil {
		return err
	}
	return running.plane.Stop()
}
