package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestGather(t *testing.T) {
	has := func(costly bool, names ...string) source {
		return source{costly: costly, find: func(_ context.Context, wanted []string) (map[string]string, error) {
			found := map[string]string{}
			for _, name := range names {
				if slices.Contains(wanted, name) {
					found[name] = strings.Join(names, "+")
				}
			}
			return found, nil
		}}
	}
	failing := source{costly: true, find: func(context.Context, []string) (map[string]string, error) {
		return nil, errors.New("must not be asked")
	}}
	three := []string{"etcd", "kube-apiserver", "kubectl"}

	for name, tt := range map[string]struct {
		from       []source
		everything bool
		want       map[string]string
		fails      bool
	}{
		"the first source that has it wins": {
			from: []source{has(false, "etcd"), has(false, names()...), failing},
			want: map[string]string{
				"etcd": "etcd", "kube-apiserver": strings.Join(names(), "+"),
				"kubectl": strings.Join(names(), "+"), controllerManager: strings.Join(names(), "+"),
			},
		},
		"the controller manager alone is not worth a build": {
			from: []source{has(false, three...), failing},
			want: map[string]string{
				"etcd": strings.Join(three, "+"), "kube-apiserver": strings.Join(three, "+"), "kubectl": strings.Join(three, "+"),
			},
		},
		"unless it was asked for": {from: []source{has(false, three...), failing}, everything: true, fails: true},
		"or more is missing":      {from: []source{has(false, "etcd"), failing}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := gather(t.Context(), tt.from, names(), tt.everything)
			if (err != nil) != tt.fails {
				t.Fatalf("error %v, want one: %v", err, tt.fails)
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestDirectoryOffersExecutablesOnly(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "etcd"), 0o755)
	write(t, filepath.Join(dir, "kubectl"), 0o644)
	if err := os.Mkdir(filepath.Join(dir, "kube-apiserver"), 0o755); err != nil {
		t.Fatal(err)
	}

	got, err := directory(dir)(t.Context(), names())
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"etcd": filepath.Join(dir, "etcd")}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	t.Chdir(dir)
	if got, _ := directory("")(t.Context(), names()); len(got) != 0 {
		t.Errorf("an unset directory offered %v", got)
	}
}

func TestLink(t *testing.T) {
	assets, out := t.TempDir(), filepath.Join(t.TempDir(), "bin", "k8s")
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(assets, "etcd"), 0o755)
	write(t, filepath.Join(assets, "kubectl"), 0o755)
	write(t, filepath.Join(out, "kube-apiserver"), 0o755)
	if err := os.Symlink(filepath.Join(assets, "gone"), filepath.Join(out, "kubectl")); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{
		"etcd":           filepath.Join(assets, "etcd"),
		"kubectl":        filepath.Join(assets, "kubectl"),
		"kube-apiserver": filepath.Join(out, "kube-apiserver"),
	}

	for range 2 {
		if err := link(found, out); err != nil {
			t.Fatal(err)
		}
		for name := range found {
			if !executable(filepath.Join(out, name)) {
				t.Errorf("%s cannot be run from %s", name, out)
			}
		}
		// The directory being its own source must not make links to themselves.
		found["etcd"] = filepath.Join(out, "etcd")
	}
}

func TestCompileIntoTheCacheOrNotAtAll(t *testing.T) {
	self := binary{name: "fetch", module: etcdModule, pkg: "."}
	partial, cache := t.TempDir(), t.TempDir()

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := compile(canceled, self, "v1.0.0", partial); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled build returned %v", err)
	}
	if err := compile(t.Context(), self, "v1.0.0", partial); err != nil {
		t.Fatal(err)
	}
	found, err := adopt(partial, cache, []string{"fetch", "etcd"})
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(cache, "fetch")
	if len(found) != 1 || found["fetch"] != want || !executable(want) {
		t.Errorf("adopted %v, want only %s", found, want)
	}
}

func TestCacheDirIsPerVersion(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	one, err := cacheDir("v1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	two, err := cacheDir("v2.0.0")
	if err != nil {
		t.Fatal(err)
	}
	if one == two || !strings.Contains(one, "k8s-v1.0.0-") {
		t.Errorf("got %s and %s", one, two)
	}
	if _, err := os.Stat(one); err != nil {
		t.Error(err)
	}
}

func TestVersionsComeFromGoMod(t *testing.T) {
	t.Chdir("..")
	pinned, err := pinnedVersions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range binaries {
		if !strings.HasPrefix(pinned[b.module], "v") {
			t.Errorf("%s has version %q", b.module, pinned[b.module])
		}
	}
}

func TestLdflags(t *testing.T) {
	for _, tt := range []struct {
		module string
		want   []string
	}{
		{etcdModule, []string{"-s", "-w"}},
		{kubernetesModule, []string{"version.gitVersion=v1.37.2", "version.gitMajor=1", "version.gitMinor=37"}},
	} {
		got := ldflags(binary{module: tt.module}, "v1.37.2")
		for _, flag := range tt.want {
			if !strings.Contains(got, flag) {
				t.Errorf("%s: %q lacks %q", tt.module, got, flag)
			}
		}
	}
}

func write(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), mode); err != nil {
		t.Fatal(err)
	}
}
