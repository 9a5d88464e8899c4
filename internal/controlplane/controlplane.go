// Package controlplane runs a real Kubernetes control plane on this machine:
// etcd, kube-apiserver and, on request, kube-controller-manager. Tests, the
// demo and hack/devcluster share it.
//
// Every component is an ordinary child process whose id, address and log file
// are known, and that can be stopped, paused, killed and started again on the
// same address with the same data, which is what fault tests need. Several
// control planes can run beside each other. On Linux no child outlives the
// process that started it, however that ends.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Options says what to run. The zero value is etcd and kube-apiserver in a
// temporary directory.
type Options struct {
	// Assets is the directory of the binaries. Default: Assets().
	Assets string
	// Dir keeps the data of etcd, the keys and the logs. It is made if need be
	// and stays after Stop. Default: a temporary directory that Stop removes.
	Dir string
	// CRDs are files and directories of CustomResourceDefinitions to install
	// before anything can be interested in their objects.
	CRDs []string
	// ControllerManager adds kube-controller-manager with the namespace and
	// garbage collector controllers. The latter notices kinds that were
	// installed after its start only within 30 seconds: name them in CRDs.
	ControllerManager bool
	// EtcdFlags, APIServerFlags and ControllerManagerFlags are appended to the
	// component's own: a later flag overrides an earlier one.
	EtcdFlags, APIServerFlags, ControllerManagerFlags []string
}

// ControlPlane is a running control plane. Its methods may be called at any
// time and from any goroutine.
type ControlPlane struct {
	// Etcd and APIServer always run; ControllerManager is nil unless asked for.
	Etcd, APIServer, ControllerManager *Component

	dir     *directory
	keys    *keys
	release func() bool // stops following the context of Start
	stop    func() error
}

// Start runs a control plane and returns when all of it is ready for use, or
// with an error and nothing left running. It is stopped when ctx ends.
func Start(ctx context.Context, o Options) (*ControlPlane, error) {
	bin, err := findBinaries(o)
	if err != nil {
		return nil, err
	}
	dir, err := openDirectory(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("control plane directory: %w", err)
	}
	cp := &ControlPlane{dir: dir}
	cp.stop = sync.OnceValue(cp.shutdown)
	if err := cp.start(ctx, o, bin); err != nil {
		return nil, errors.Join(err, cp.stop())
	}
	cp.release = context.AfterFunc(ctx, func() { _ = cp.stop() })
	return cp, nil
}

func (cp *ControlPlane) start(ctx context.Context, o Options, bin binaries) error {
	var err error
	if cp.keys, err = newKeys(cp.dir.path); err != nil {
		return fmt.Errorf("control plane keys: %w", err)
	}
	ports, err := freePorts(ctx, 4)
	if err != nil {
		return fmt.Errorf("no free ports: %w", err)
	}
	if cp.Etcd, err = newEtcd(cp, bin, ports[0], ports[1], o.EtcdFlags); err != nil {
		return err
	}
	if cp.APIServer, err = newAPIServer(cp, bin, ports[2], o.APIServerFlags); err != nil {
		return err
	}
	for _, c := range cp.Components() {
		if err := c.Start(ctx); err != nil {
			return err
		}
	}
	if len(o.CRDs) > 0 {
		if err := cp.InstallCRDs(o.CRDs...); err != nil {
			return err
		}
	}
	if !o.ControllerManager {
		return nil
	}
	if cp.ControllerManager, err = newControllerManager(cp, bin, ports[3], o.ControllerManagerFlags); err != nil {
		return err
	}
	return cp.ControllerManager.Start(ctx)
}

// Stop ends all components, also paused ones, and removes a temporary
// directory. Calling it again returns the first result.
func (cp *ControlPlane) Stop() error {
	cp.release()
	return cp.stop()
}

func (cp *ControlPlane) shutdown() error {
	var errs []error
	for _, c := range slices.Backward(cp.Components()) {
		errs = append(errs, c.Stop())
	}
	return errors.Join(append(errs, cp.dir.close())...)
}

// Components lists what belongs to the control plane, in the order of starting.
func (cp *ControlPlane) Components() []*Component {
	all := []*Component{cp.Etcd, cp.APIServer, cp.ControllerManager}
	return slices.DeleteFunc(all, func(c *Component) bool { return c == nil })
}

// Dir is the directory of all data, keys and logs.
func (cp *ControlPlane) Dir() string { return cp.dir.path }

// Config is an administrator's access, without a client-side rate limit.
func (cp *ControlPlane) Config() *rest.Config {
	return rest.CopyConfig(cp.keys.admin(cp.APIServer.URL()))
}

// InstallCRDs installs the CustomResourceDefinitions of these files and
// directories and waits until the API server serves them.
func (cp *ControlPlane) InstallCRDs(paths ...string) error {
	_, err := envtest.InstallCRDs(cp.Config(), envtest.CRDInstallOptions{Paths: paths, ErrorIfPathMissing: true})
	return err
}
