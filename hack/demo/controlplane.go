package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/smile-operator/smile-operator/internal/controlplane"
)

// startControlPlane starts the control plane, and first builds its binaries if some are missing. The end of ctx stops only the
// start, not the running control plane: after an interrupt the operator must be stopped first.
func (d *demo) startControlPlane(ctx context.Context) error {
	var err error
	if d.root, err = controlplane.ModuleRoot(); err != nil {
		return err
	}
	if d.assets, err = d.fetchAssets(ctx); err != nil {
		return err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	release := context.AfterFunc(ctx, end)
	plane, err := controlplane.Start(life, controlplane.Options{
		Assets:            d.assets,
		ControllerManager: len(missing(d.assets, "kube-controller-manager")) == 0,
	})
	release()
	if err != nil {
		end()
		return err
	}
	// Everything that this run writes is in the directory of the control plane. It is removed when the control plane stops, or, if
	// this process is killed, when the next control plane starts.
	d.plane, d.dir = plane, plane.Dir()
	d.later(func() error { defer end(); return plane.Stop() })
	d.later(d.saveLogs)
	for _, c := range plane.Components() {
		d.endsWith(c.Done(), func() error { return fmt.Errorf("%s ended by itself:\n%s", c.Name, c.LogTail()) })
		d.note(described(ctx, c))
	}
	access, err := plane.Kubeconfig()
	if err != nil {
		return err
	}
	return os.WriteFile(d.path(adminAccess), access, 0o600)
}

// fetchAssets returns the directory of the binaries. The first time on a machine it may build them, which takes minutes.
func (d *demo) fetchAssets(ctx context.Context) (string, error) {
	assets, err := controlplane.Assets()
	if err != nil || len(missing(assets, "etcd", "kube-apiserver", "kubectl")) == 0 {
		return assets, err
	}
	assets = filepath.Join(d.root, "bin", "k8s")
	cmd := command(ctx, filepath.Join(d.root, "hack", "controlplane"), "go", "run", "./fetch", "-out", assets)
	cmd.Stdout, cmd.Stderr = d.out, d.out
	return assets, await(ctx, cmd)
}

// missing returns the names of the files that a directory does not have.
func missing(dir string, names ...string) []string {
	var lacking []string
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			lacking = append(lacking, name)
		}
	}
	return lacking
}

func described(ctx context.Context, c *controlplane.Component) string {
	version, err := c.Version(ctx)
	if err != nil {
		return c.Name
	}
	return c.Name + " " + strings.TrimPrefix(version, "v")
}
