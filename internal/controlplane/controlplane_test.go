package controlplane

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/audit"
)

func TestTwoBesideEachOtherUpAndDownTwice(t *testing.T) {
	t.Parallel()
	marker := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "only-in-one"}}
	for range 2 {
		one, two := startTwo(t)
		if err := admin(t, one).Create(t.Context(), marker.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		err := admin(t, two).Get(t.Context(), client.ObjectKeyFromObject(marker), &corev1.Namespace{})
		if !apierrors.IsNotFound(err) {
			t.Errorf("the other one responds with %v", err)
		}
		for _, cp := range []*ControlPlane{one, two} {
			pids := pidsOf(cp)
			if len(pids) != 2 {
				t.Errorf("%d processes run, want 2", len(pids))
			}
			if err := cp.Stop(); err != nil {
				t.Error(err)
			}
			requireGone(t, pids, cp.Dir())
		}
	}
}

// startTwo starts them at the same time, which is when ports could collide.
func startTwo(t *testing.T) (one, two *ControlPlane) {
	t.Helper()
	both := make([]*ControlPlane, 2)
	errs := make([]error, 2)
	var group sync.WaitGroup
	for i := range both {
		group.Go(func() { both[i], errs[i] = Start(t.Context(), Options{}) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return both[0], both[1]
}

func TestTheEndOfTheContextStopsAll(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cp, err := Start(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	pids := pidsOf(cp)
	cancel()
	<-cp.Etcd.Done()
	if err := cp.Stop(); err != nil {
		t.Error(err)
	}
	requireGone(t, pids, cp.Dir())
}

func TestComponentsCanBePausedKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	cp, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := admin(t, cp)
	kept := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}
	create(t, c, kept)

	for _, component := range []*Component{cp.APIServer, cp.Etcd} {
		if err := component.Start(t.Context()); err == nil {
			t.Errorf("%s was started twice", component.Name)
		}
		before := component.PID()
		component.Kill()
		if pid := component.PID(); pid != 0 {
			t.Errorf("%s still has process %d", component.Name, pid)
		}
		if err := component.Signal(syscall.SIGCONT); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("a signal to what does not run: %v", err)
		}
		if err := component.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now := component.PID(); now == 0 || now == before {
			t.Errorf("%s went from process %d to %d", component.Name, before, now)
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(kept), kept); err != nil {
			t.Errorf("after a restart of %s: %v", component.Name, err)
		}
	}

	if err := cp.Etcd.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	await(t, func(ctx context.Context) (bool, error) { return cp.Etcd.probe(ctx) != nil, nil })
	if err := cp.Etcd.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	await(t, func(ctx context.Context) (bool, error) { return cp.Etcd.probe(ctx) == nil, nil })

	// Stop must end what is paused as well.
	if err := cp.APIServer.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	pids := pidsOf(cp)
	if err := cp.Stop(); err != nil {
		t.Error(err)
	}
	requireGone(t, pids, cp.Dir())
}

func TestExtraFlagsAndAKeptDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, err := audit.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	kept := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}
	for run := range 2 {
		cp, err := Start(t.Context(), Options{
			Dir:            state,
			APIServerFlags: log.Flags(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			create(t, admin(t, cp), kept)
			if _, err := Start(t.Context(), Options{Dir: state}); !errors.Is(err, syscall.EWOULDBLOCK) {
				t.Errorf("a second one in the same directory: %v", err)
			}
		} else if err := admin(t, cp).Get(t.Context(), client.ObjectKeyFromObject(kept), kept); err != nil {
			t.Errorf("the second run: %v", err)
		}
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	}
	requests, err := log.After(0)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(requests, func(r audit.Request) bool { return r.Name == "kept" }) {
		t.Error("the audit log does not have the request")
	}
}

func TestAFailedStartSaysWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Start(t.Context(), Options{Dir: dir, APIServerFlags: []string{"--no-such-flag"}})
	if err == nil || !strings.Contains(err.Error(), "kube-apiserver does not start") || !strings.Contains(err.Error(), "no-such-flag") {
		t.Errorf("got %v", err)
	}
	again, err := openDirectory(dir)
	if err != nil {
		t.Fatalf("the directory stayed locked: %v", err)
	}
	if err := again.close(); err != nil {
		t.Error(err)
	}
}

func pidsOf(cp *ControlPlane) []int {
	var pids []int
	for _, c := range cp.Components() {
		pids = append(pids, c.PID())
	}
	return pids
}

// requireGone fails if one of the processes or the directory is left.
func requireGone(t *testing.T, pids []int, dir string) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is left: %v", pid, err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", dir, err)
	}
}
