package controlplane

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAssetsAreFoundFromAnywhereInTheModule(t *testing.T) {
	root := t.TempDir()
	below := filepath.Join(root, "some", "package")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)

	t.Setenv(assetsVariable, "")
	if got, err := Assets(); err != nil || !strings.HasSuffix(got, filepath.Join(filepath.Base(root), "bin", "k8s")) {
		t.Errorf("got %s, %v", got, err)
	}
	t.Setenv(assetsVariable, "/elsewhere")
	if got, err := Assets(); err != nil || got != "/elsewhere" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestMissingBinariesAreReportedTogether(t *testing.T) {
	empty := t.TempDir()
	for name, tt := range map[string]struct {
		options Options
		want    []string
	}{
		"two":   {Options{Assets: empty}, []string{"etcd", "kube-apiserver", empty, "run make control-plane"}},
		"three": {Options{Assets: empty, ControllerManager: true}, []string{"kube-controller-manager", "run make kube-controller-manager"}},
	} {
		_, err := Start(t.Context(), tt.options)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v lacks %q", name, err, want)
			}
		}
	}
}

func TestFreePortsDifferAndCanBeListenedOn(t *testing.T) {
	ports, err := freePorts(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range ports {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", hostPort(port))
		if err != nil {
			t.Errorf("port %d: %v", port, err)
			continue
		}
		t.Cleanup(func() { _ = listener.Close() })
	}
}

func TestSweepRemovesOnlyWhatNobodyUses(t *testing.T) {
	temp := t.TempDir()
	dir := func(name string) string {
		path := filepath.Join(temp, name)
		if err := os.MkdirAll(filepath.Join(path, "etcd"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	abandoned, used, foreign := dir(temporaryPrefix+"1"), dir(temporaryPrefix+"2"), dir("other-1")
	held, err := lock(used)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()

	for _, tt := range []struct {
		before time.Time
		want   map[string]bool
	}{
		{time.Now().Add(-time.Hour), map[string]bool{abandoned: true, used: true, foreign: true}},
		{time.Now().Add(time.Hour), map[string]bool{abandoned: false, used: true, foreign: true}},
	} {
		sweep(temp, tt.before)
		for path, want := range tt.want {
			if _, err := os.Stat(path); (err == nil) != want {
				t.Errorf("%s: %v, want it there: %v", path, err, want)
			}
		}
	}
}

func TestBuiltByGoRun(t *testing.T) {
	for path, want := range map[string]bool{
		"/tmp/go-build3608070730/b001/exe/devcluster":                                                               true,
		"/home/me/.cache/go-build/29/29091e056046e26301bd0ca3c4e5217abfb72586ba47ccb0e4a9f4d1a2b3c4d5-d/devcluster": true,
		"/home/me/go-build/bin/devcluster":                                                                          false,
		"/opt/exe/devcluster":                                                                                       false,
	} {
		if got := builtByGoRun.MatchString(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
