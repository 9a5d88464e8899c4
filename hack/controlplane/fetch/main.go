// Command fetch gathers the binaries of a Kubernetes control plane in one
// directory: those of KUBEBUILDER_ASSETS if that is set, else those of the
// user's cache, else what setup-envtest can download, and whatever is still
// missing is built from this module's sources.
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
	out := flag.String("out", filepath.Join("..", "..", "bin", "k8s"), "directory to link the binaries into")
	everything := flag.Bool("with-controller-manager", false,
		"build kube-controller-manager too when it alone is missing")
	flag.Parse()

	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := fetch(ctx, *out, *everything)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "control plane:", err)
		os.Exit(1)
	}
}

// fetch asks one source after the other for the binaries still missing and
// links all of them into out.
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

// gather returns the path of every binary wanted. A source is asked only for
// what the sources before it did not have.
func gather(ctx context.Context, from []source, wanted []string, everything bool) (map[string]string, error) {
	found := map[string]string{}
	for _, src := range from {
		missing := slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return found[name] != "" })
		if len(missing) == 0 {
			return found, nil
		}
		if src.costly && !everything && slices.Equal(missing, []string{controllerManager}) {
			say("without %s: nothing is garbage collected and no namespace goes away "+
				"(make kube-controller-manager builds it)", controllerManager)
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
