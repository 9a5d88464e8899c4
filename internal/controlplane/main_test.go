package controlplane

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// orphanVariable is set in the environment of the process that will be killed.
const orphanVariable = "CONTROL_PLANE_ORPHANS_IN"

func TestMain(m *testing.M) {
	if os.Getenv(orphanVariable) != "" {
		raiseOrphans()
		return
	}
	code := m.Run()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// raiseOrphans is what this test binary does when TestNoChildOutlivesItsParent runs it: it starts a control plane, prints the
// ids of its processes, and waits until it is killed.
func raiseOrphans() {
	cp, err := Start(context.Background(), Options{ControllerManager: true, Dir: os.Getenv(orphanVariable)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(pidsOf(cp)); err != nil {
		os.Exit(1)
	}
	select {}
}

// shared is one control plane for all tests that only use it.
var (
	sharedStarted bool
	shared        = sync.OnceValues(func() (*ControlPlane, error) {
		sharedStarted = true
		return Start(context.Background(), Options{ControllerManager: true, CRDs: []string{"testdata/crd.yaml"}})
	})
)

func stopShared() error {
	if !sharedStarted {
		return nil
	}
	cp, err := shared()
	if err != nil {
		return err
	}
	return cp.Stop()
}

// running returns the shared control plane and an administrator's client.
func running(t *testing.T) (*ControlPlane, client.Client) {
	t.Helper()
	cp, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return cp, admin(t, cp)
}

func admin(t *testing.T, cp *ControlPlane) client.Client {
	t.Helper()
	c, err := client.New(cp.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
