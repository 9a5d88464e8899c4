package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

// checkPlugin checks that krew can install the plugin from its manifest, and runs it.
func checkPlugin(t *testing.T, r release) {
	text, err := os.ReadFile(filepath.Join(r.dist, krewManifest))
	if err != nil {
		t.Fatal(err)
	}
	var manifest krew
	if err := yaml.UnmarshalStrict(text, &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Spec.Version != testVersion || len(manifest.Spec.ShortDescription) > 50 || len(manifest.Spec.Platforms) != len(r.platforms) {
		t.Errorf("the manifest: %s", text)
	}
	for _, platform := range manifest.Spec.Platforms {
		files := unpack(t, r, platform)
		if len(files) != 2 || files[platform.Bin] == nil || files["LICENSE"] == nil {
			t.Errorf("%s contains %d files", platform.URI, len(files))
		}
		if platform.Selector["matchLabels"]["os"] == runtime.GOOS {
			checkProgram(t, files[platform.Bin])
		}
	}
	checkBill(t, r, pluginName)
}

// unpack returns the files of the archive that the manifest names, whose digest is as it says.
func unpack(t *testing.T, r release, platform krewPlatform) map[string][]byte {
	t.Helper()
	name := filepath.Base(platform.URI)
	if platform.URI != r.downloads+"/"+testVersion+"/"+name {
		t.Errorf("the archive is downloaded from %s", platform.URI)
	}
	content, err := os.ReadFile(filepath.Join(r.dist, name))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != platform.SHA256 {
		t.Errorf("%s has the digest %x, and the manifest says %s", name, sum, platform.SHA256)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func checkProgram(t *testing.T, content []byte) {
	t.Helper()
	program := filepath.Join(t.TempDir(), pluginName)
	if err := os.WriteFile(program, content, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "--version").CombinedOutput()
	if want := "kubectl smile version " + testVersion + "\n"; err != nil || string(out) != want {
		t.Errorf("--version prints %q, %v; want %q", out, err, want)
	}
}

func TestSixPlatforms(t *testing.T) {
	want := []string{"darwin/amd64", "darwin/arm64", "linux/amd64", "linux/arm64", "windows/amd64", "windows/arm64"}
	flag := buildCommand().Flags().Lookup("platforms")
	if got, _ := buildCommand().Flags().GetStringSlice("platforms"); !slices.Equal(got, want) {
		t.Errorf("the plugin is built for %s", flag.Value)
	}
	if got := programName("windows"); got != "kubectl-smile.exe" {
		t.Errorf("on Windows the program is called %s", got)
	}
}
