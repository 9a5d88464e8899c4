// Command fetch puts the binaries of a Kubernetes control plane into one directory. For each binary it tries, in this order,
// KUBEBUILDER_ASSETS, the user's cache, and a download by setup-envtest. What is still missing is built from Go modules.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	out := flag.String("out", filepath.Join("..", "..", "bin", "k8s"), "directory in which links to the binaries are created")
	everything := flag.Bool("with-controller-manager", false,
		"also build kube-controller-manager if it is missing")
	flag.Parse()

	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := fetch(ctx, *out, *everything)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "control plane:", err)
		os.Exit(1)
	}
}

// fetch finds or builds the binaries, and links them into out.
func fetch(ctx context.Context, out string, everything bool) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	pinned, err := pinnedVersions(ctx)
	if err != nil {
		return err
	}
	cache, err := cacheDir(pinned[kubernetesModule])
	if err != nil {
		return err
	}

	found, err := gather(ctx, sources(cache, pinned), names(), everything)
	if err != nil {
		return err
	}
	if err := link(found, out); err != nil {
		return err
	}
	say("%s: %s", out, strings.Join(names(found), ", "))
	return nil
}

// gather returns the paths of the binaries. Each source is used only for those that the earlier sources do not have.
func gather(ctx context.Context, from []source, wanted []string, everything bool) (map[string]string, error) {
	found := map[string]string{}
	for _, src := range from {
		missing := slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return found[name] != "" })
		if len(missing) == 0 {
			return found, nil
		}
		if src.costly && !everything && slices.Equal(missing, []string{controllerManager}) {
			say("%s is missing, so no garbage is collected and no namespace is removed. To add it: make kube-controller-manager",
				controllerManager)
			return found, nil
		}
		more, err := src.find(ctx, missing)
		if err != nil {
			return nil, err
		}
		for name, path := range more {
			found[name] = path
		}
	}
	return found, nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "control plane: "+format+"\n", args...)
}
