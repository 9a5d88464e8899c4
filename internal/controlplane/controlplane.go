// Package controlplane runs a real Kubernetes control plane on this machine: etcd, kube-apiserver and, on request,
// kube-controller-manager. Tests, the demo, the bench and hack/devcluster use it.
//
// Each component is a child process that can be paused, killed and started again at the same address and with the same data.
// envtest's own Etcd and APIServer offer none of this: they hide their process, and it outlives a parent that is killed. So only
// envtest's installation of CRDs is used.
//
// Several control planes can run side by side. On Linux no component outlives the process that started it, however that ends.
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

// Options selects what to run. The zero value is etcd and kube-apiserver in a temporary directory.
type Options struct {
	// Assets is the directory of the binaries. Default: Assets().
	Assets string
	// Dir holds the data of etcd, the keys and the logs. It is created if it does not exist, and stays after Stop. Default: a
	// temporary directory that Stop removes.
	Dir string
	// CRDs are files and directories of CustomResourceDefinitions that are installed before kube-controller-manager starts.
	CRDs []string
	// ControllerManager adds kube-controller-manager with the namespace and garbage collector controllers. The garbage collector
	// notices kinds that are installed after its start only within 30 seconds: name them in CRDs.
	ControllerManager bool
	// EtcdFlags, APIServerFlags and ControllerManagerFlags are appended to the flags of the component. They override those.
	EtcdFlags, APIServerFlags, ControllerManagerFlags []string
}

// ControlPlane is a running control plane. Its methods may be called at any time and from any goroutine.
type ControlPlane struct {
	// ControllerManager is nil unless Options request it.
	Etcd, APIServer, ControllerManager *Component

	dir     *directory
	keys    *keys
	release func() bool // stops following the context of Start
	stop    func() error
}

// Start runs a control plane, and returns when it is ready for use. If it returns an error, nothing is left running. The control
// plane is stopped when ctx ends.
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

// Stop ends all components, also paused ones, and removes a temporary directory. A second call returns the result of the first.
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

// Components lists the components in the order in which they are started.
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

// InstallCRDs installs the CustomResourceDefinitions of these files and directories, and returns when the API server serves them.
func (cp *ControlPlane) InstallCRDs(paths ...string) error {
	_, err := envtest.InstallCRDs(cp.Config(), envtest.CRDInstallOptions{Paths: paths, ErrorIfPathMissing: true})
	return err
}
