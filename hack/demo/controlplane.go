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

// startControlPlane gathers its binaries first if some are missing. It does not
// hand on ctx: at an interrupt, the operator is to end before what it talks to.
func (d *demo) startControlPlane(ctx context.Context) error {
	var err error
	if d.root, err = controlplane.ModuleRoot(); err != nil {
		return err
	}
	if d.assets, err = d.gather(ctx); err != nil {
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
	// Its directory serves for all that this run writes: it goes away with the
	// control plane and, if this process is killed, when the next one starts.
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

// gather returns the directory of the binaries. The first time on a machine, it
// may take the minutes of building them.
func (d *demo) gather(ctx context.Context) (string, error) {
	assets, err := controlplane.Assets()
	if err != nil || len(missing(assets, "etcd", "kube-apiserver", "kubectl")) == 0 {
		return assets, err
	}
	assets = filepath.Join(d.root, "bin", "k8s")
	cmd := command(ctx, filepath.Join(d.root, "hack", "controlplane"), "go", "run", "./fetch", "-out", assets)
	cmd.Stdout, cmd.Stderr = d.out, d.out
	return assets, await(ctx, cmd)
}

// missing lists which of these files a directory lacks.
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
