package controlplane

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// assetsVariable names the directory of the binaries. controller-runtime's envtest uses it too.
const assetsVariable = "KUBEBUILDER_ASSETS"

const (
	etcdBinary              = "etcd"
	apiServerBinary         = "kube-apiserver"
	controllerManagerBinary = "kube-controller-manager"
)

// binaries maps a component's name to its path.
type binaries map[string]string

// Assets returns the directory of the binaries: KUBEBUILDER_ASSETS if it is set, else bin/k8s of the module that contains the
// working directory.
func Assets() (string, error) {
	if dir := os.Getenv(assetsVariable); dir != "" {
		return dir, nil
	}
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "bin", "k8s"), nil
}

// ModuleRoot returns the nearest directory with a go.mod, at or above the working directory.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod in the working directory or above it")
		}
		dir = up
	}
}

// ControllerManagerAvailable reports whether Assets has kube-controller-manager. Some sources of binaries do not have it.
func ControllerManagerAvailable() bool {
	_, err := findBinaries(Options{ControllerManager: true})
	return err == nil
}

// findBinaries returns the paths of all binaries that o requires. The error names all that are missing.
func findBinaries(o Options) (binaries, error) {
	dir := o.Assets
	if dir == "" {
		var err error
		if dir, err = Assets(); err != nil {
			return nil, err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	found := binaries{etcdBinary: "", apiServerBinary: ""}
	remedy := "make control-plane"
	if o.ControllerManager {
		found[controllerManagerBinary] = ""
		remedy = "make kube-controller-manager"
	}
	var missing []string
	for name := range found {
		found[name] = filepath.Join(dir, name)
		if _, err := os.Stat(found[name]); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no %s in %s: run %s", strings.Join(missing, ", "), dir, remedy)
	}
	return found, nil
}
