package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

const (
	// pluginName is the command of kubectl smile.
	pluginName = "kubectl-smile"
	// krewManifest describes the plugin for krew, the plugin manager of kubectl.
	krewManifest = pluginName + ".krew.yaml"
)

// platforms are those of the plugin, as os/arch.
var platforms = []string{"darwin/amd64", "darwin/arm64", "linux/amd64", "linux/arm64", "windows/amd64", "windows/arm64"}

// krew is a manifest of krew (https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/).
type krew struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	Spec       krewSpec          `json:"spec"`
}

type krewSpec struct {
	Version          string         `json:"version"`
	Homepage         string         `json:"homepage"`
	ShortDescription string         `json:"shortDescription"`
	Description      string         `json:"description"`
	Platforms        []krewPlatform `json:"platforms"`
}

type krewPlatform struct {
	Selector map[string]map[string]string `json:"selector"`
	URI      string                       `json:"uri"`
	SHA256   string                       `json:"sha256"`
	Bin      string                       `json:"bin"`
}

// plugin writes the archives of the plugin for all platforms, its bill of materials, and the manifest for krew.
func (r release) plugin(ctx context.Context, created time.Time) error {
	license, err := os.ReadFile(filepath.Join(r.root, "LICENSE"))
	if err != nil {
		return err
	}
	binaries, err := os.MkdirTemp("", "smile-release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(binaries) }()
	var built []krewPlatform
	var infos []*buildinfo.BuildInfo
	for _, platform := range r.platforms {
		system, arch, _ := strings.Cut(platform, "/")
		program := filepath.Join(binaries, system+"-"+arch)
		if err := r.compile(ctx, pluginName, system, arch, program); err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return err
		}
		infos = append(infos, info)
		content, err := os.ReadFile(program)
		if err != nil {
			return err
		}
		packed := archived{name: programName(system), file: r.file(pluginName, system, arch+".tar.gz")}
		sum, err := packed.write(content, license, created)
		if err != nil {
			return err
		}
		built = append(built, krewPlatform{
			Selector: map[string]map[string]string{"matchLabels": {"os": system, "arch": arch}},
			URI:      r.downloads + "/" + r.version + "/" + filepath.Base(packed.file), SHA256: sum, Bin: packed.name,
		})
	}
	if err := writeBill(r.file(pluginName, "sbom.cdx.json"), pluginName, r.version, created, infos); err != nil {
		return err
	}
	return r.writeKrew(built)
}

// programName is the name of the program on an operating system.
func programName(system string) string {
	if system == "windows" {
		return pluginName + ".exe"
	}
	return pluginName
}

// archived is the archive of the plugin for a platform.
type archived struct {
	// name of the program in it.
	name string
	file string
}

// write writes a program and its license, and returns the SHA-256 digest of the archive.
func (a archived) write(program, license []byte, created time.Time) (sum string, err error) {
	var archive bytes.Buffer
	packer := gzip.NewWriter(&archive)
	w := tar.NewWriter(packer)
	for _, part := range []struct {
		name    string
		content []byte
		mode    int64
	}{{a.name, program, 0o755}, {"LICENSE", license, 0o644}} {
		header := tar.Header{Typeflag: tar.TypeReg, Name: part.name, Mode: part.mode, Size: int64(len(part.content)), ModTime: created}
		if err := w.WriteHeader(&header); err != nil {
			return "", err
		}
		if _, err := w.Write(part.content); err != nil {
			return "", err
		}
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if err := packer.Close(); err != nil {
		return "", err
	}
	digest := sha256.Sum256(archive.Bytes())
	return hex.EncodeToString(digest[:]), os.WriteFile(a.file, archive.Bytes(), 0o644)
}

func (r release) writeKrew(built []krewPlatform) error {
	manifest, err := yaml.Marshal(krew{
		APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin", Metadata: map[string]string{"name": "smile"},
		Spec: krewSpec{
			Version: r.version, Homepage: "https://github.com/smile-operator/smile-operator",
			ShortDescription: "Show and operate the objects of smile-operator",
			Description: "Shows what is wrong with connections to the Smile API, users, syncs and webhooks, and what to do next; " +
				"requests refreshes, suspends, erases people, and prepares the removal of smile-operator.\n",
			Platforms: built,
		},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dist, krewManifest), manifest, 0o644)
}
