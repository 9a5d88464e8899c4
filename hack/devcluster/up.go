package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/smile-operator/smile-operator/internal/controlplane"
)

// cluster holds the flags of up.
type cluster struct {
	kubeconfig     string
	dir            string
	crds           []string
	apiServerFlags []string
}

// up runs the control plane until ctx ends. It returns an error if a component ends by itself.
func (c cluster) up(ctx context.Context, out io.Writer) error {
	began := time.Now()
	managed := controlplane.ControllerManagerAvailable()
	if !managed {
		fmt.Fprintln(out, "kube-controller-manager is missing, so no garbage is collected and no namespace is removed. To add it: make kube-controller-manager")
	}
	fmt.Fprintln(out, "Starting the control plane ...")
	cp, err := controlplane.Start(ctx, controlplane.Options{
		Dir:               c.dir,
		CRDs:              c.crds,
		ControllerManager: managed,
		APIServerFlags:    c.apiServerFlags,
	})
	if err != nil {
		return unlessInterrupted(ctx, err)
	}
	if err := c.writeKubeconfig(cp); err != nil {
		return errors.Join(err, cp.Stop())
	}
	describe(ctx, out, cp)
	fmt.Fprintf(out, "Ready after %s. Ctrl-C stops it.\n\n  export KUBECONFIG=%s\n\n", time.Since(began).Round(100*time.Millisecond), c.kubeconfig)

	err = watch(ctx, cp)
	fmt.Fprintln(out, "Stopping ...")
	return errors.Join(err, cp.Stop(), os.Remove(c.kubeconfig))
}

func (c *cluster) writeKubeconfig(cp *controlplane.ControlPlane) error {
	content, err := cp.Kubeconfig()
	if err != nil {
		return err
	}
	if c.kubeconfig, err = filepath.Abs(c.kubeconfig); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.kubeconfig), 0o755); err != nil {
		return err
	}
	return os.WriteFile(c.kubeconfig, content, 0o600)
}

// describe prints a table of the components.
func describe(ctx context.Context, out io.Writer, cp *controlplane.ControlPlane) {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\nCOMPONENT\tVERSION\tADDRESS\tPID\tLOG")
	for _, component := range cp.Components() {
		version, err := component.Version(ctx)
		if err != nil {
			version = "unknown"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", component.Name, version, component.URL(), component.PID(), component.Log)
	}
	fmt.Fprintln(table)
	_ = table.Flush()
}

// unlessInterrupted returns nil if ctx has ended, because then the error is a consequence of that.
func unlessInterrupted(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

// watch returns nil when ctx ends, or an error when a component ends by itself.
func watch(ctx context.Context, cp *controlplane.ControlPlane) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan *controlplane.Component)
	for _, component := range cp.Components() {
		go func() {
			select {
			case <-component.Done():
			case <-ctx.Done():
				return
			}
			select {
			case ended <- component:
			case <-ctx.Done():
			}
		}()
	}
	select {
	case <-ctx.Done():
		return nil
	case component := <-ended:
		return unlessInterrupted(ctx, fmt.Errorf("%s ended by itself:\n%s", component.Name, component.LogTail()))
	}
}
