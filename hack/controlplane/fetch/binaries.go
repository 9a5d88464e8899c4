package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const (
	etcdModule        = "go.etcd.io/etcd/server/v3"
	kubernetesModule  = "k8s.io/kubernetes"
	controllerManager = "kube-controller-manager"
)

// binary is one part of the control plane.
type binary struct {
	name    string
	module  string // its version in go.mod is the binary's version
	pkg     string // the main package
	cold    string // how long a first build takes on two cores
	envtest bool   // part of what setup-envtest downloads
}

var binaries = []binary{
	{name: "etcd", module: etcdModule, pkg: etcdModule, cold: "1 minute", envtest: true},
	{
		name: "kube-apiserver", module: kubernetesModule, pkg: kubernetesModule + "/cmd/kube-apiserver",
		cold: "5 to 8 minutes", envtest: true,
	},
	{name: "kubectl", module: kubernetesModule, pkg: kubernetesModule + "/cmd/kubectl", cold: "1 minute", envtest: true},
	{name: controllerManager, module: kubernetesModule, pkg: kubernetesModule + "/cmd/kube-controller-manager", cold: "2 minutes"},
}

// names lists the binaries in order: all, or those that were found.
func names(found ...map[string]string) []string {
	var all []string
	for _, b := range binaries {
		if len(found) == 0 || found[0][b.name] != "" {
			all = append(all, b.name)
		}
	}
	return all
}

// pick returns the binaries of these names.
func pick(wanted []string) []binary {
	return slices.DeleteFunc(slices.Clone(binaries), func(b binary) bool { return !slices.Contains(wanted, b.name) })
}

// pinnedVersions reads the versions of the binaries' modules from go.mod, the only file that names them.
func pinnedVersions(ctx context.Context) (map[string]string, error) {
	raw, err := exec.CommandContext(ctx, "go", "mod", "edit", "-json").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot read go.mod: %w", err)
	}
	var mod struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(raw, &mod); err != nil {
		return nil, fmt.Errorf("cannot read go.mod: %w", err)
	}
	versions := map[string]string{}
	for _, r := range mod.Require {
		versions[r.Path] = r.Version
	}
	for _, b := range binaries {
		if versions[b.module] == "" {
			return nil, fmt.Errorf("go.mod does not require %s", b.module)
		}
	}
	return versions, nil
}

// cacheDir returns the directory in which all clones of the project keep the binaries of one Kubernetes version. It is created if
// it does not exist.
func cacheDir(version string) (string, error) {
	root := os.Getenv("XDG_CACHE_HOME")
	if root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		root = filepath.Join(home, ".cache")
	}
	dir := filepath.Join(root, "smile-operator", strings.Join([]string{"k8s", version, runtime.GOOS, runtime.GOARCH}, "-"))
	return dir, os.MkdirAll(dir, 0o755)
}

// link creates links in dir to the binaries that were found. A binary that is in dir itself stays.
func link(found map[string]string, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, path := range found {
		target, err := filepath.EvalSymlinks(path)
		if err != nil {
			return err
		}
		at := filepath.Join(dir, name)
		if now, err := filepath.EvalSymlinks(at); err == nil && now == target {
			continue
		}
		if err := os.Remove(at); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.Symlink(target, at); err != nil {
			return err
		}
	}
	return nil
}
