package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// layouts is the directory of the images' OCI layouts in a release.
const layouts = "oci"

// release is what to build.
type release struct {
	root, version, repository, dist string
	architectures                   []string
	// platforms of the plugin, and the URL below which the releases can be downloaded.
	platforms []string
	downloads string
}

// build writes all files of a release. It returns the SHA-256 digest of the list of checksums, which identifies the release.
func (r release) build(ctx context.Context, progress io.Writer) (digest string, err error) {
	if !semanticVersion.MatchString(r.version) {
		return "", fmt.Errorf("--version: %q is not of the form v1.2.3 or v1.2.3-rc.1", r.version)
	}
	if r.dist == "" {
		r.dist = filepath.Join(r.root, "dist")
	}
	if err := os.RemoveAll(r.dist); err != nil {
		return "", err
	}
	if err := os.MkdirAll(r.dist, 0o755); err != nil {
		return "", err
	}
	created, err := r.commitTime(ctx)
	if err != nil {
		return "", err
	}
	digests := map[string]v1.Hash{}
	for _, name := range images {
		fmt.Fprintln(progress, "building", name)
		if digests[name], err = r.image(ctx, name, created); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := r.manifest(digests[operatorImage]); err != nil {
		return "", fmt.Errorf("install.yaml: %w", err)
	}
	if err := r.chart(digests, created); err != nil {
		return "", fmt.Errorf("chart: %w", err)
	}
	fmt.Fprintln(progress, "building", pluginName)
	if err := r.plugin(ctx, created); err != nil {
		return "", fmt.Errorf("%s: %w", pluginName, err)
	}
	return writeChecksums(r.dist)
}

// image builds a command for all architectures, and writes its archives, its OCI layout and its bill of materials. It returns the
// digest of the index of all architectures.
func (r release) image(ctx context.Context, name string, created time.Time) (v1.Hash, error) {
	binaries, err := os.MkdirTemp("", "smile-release-")
	if err != nil {
		return v1.Hash{}, err
	}
	defer func() { _ = os.RemoveAll(binaries) }()
	var built []platformImage
	var infos []*buildinfo.BuildInfo
	for _, arch := range r.architectures {
		file := filepath.Join(binaries, arch)
		if err := r.compile(ctx, name, "linux", arch, file); err != nil {
			return v1.Hash{}, err
		}
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			return v1.Hash{}, err
		}
		infos = append(infos, info)
		image, err := newImage(file, labels(name, r.version), arch, created)
		if err != nil {
			return v1.Hash{}, err
		}
		built = append(built, platformImage{image, arch})
		if err := writeArchive(r.file(name, "linux", arch+".tar"), name, r.version, image); err != nil {
			return v1.Hash{}, err
		}
	}
	if err := writeBill(r.file(name, "sbom.cdx.json"), name, r.version, created, infos); err != nil {
		return v1.Hash{}, err
	}
	return writeLayout(filepath.Join(r.dist, layouts, name), r.version, built)
}

// file returns the path of a file of the release. Its name contains the version.
func (r release) file(name string, rest ...string) string {
	return filepath.Join(r.dist, strings.Join(append([]string{name, r.version}, rest...), "-"))
}

// compile builds a command as make build and the Dockerfile do.
func (r release) compile(ctx context.Context, name, system, arch, to string) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build"}, buildFlags(r.version)...), "-o", to, "./cmd/"+name)...)
	cmd.Dir = r.root
	cmd.Env = append(
		os.Environ(),
		"CGO_ENABLED=0", "GOOS="+system, "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=",
	)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

func buildFlags(version string) []string {
	return []string{
		"-trimpath", "-buildvcs=false",
		"-ldflags=-s -w -X github.com/smile-operator/smile-operator/internal/version.Version=" + version,
	}
}

// commitTime is the time of all files. The time of the build would differ each time.
func (r release) commitTime(ctx context.Context) (time.Time, error) {
	cmd := exec.CommandContext(ctx, "git", "log", "-1", "--format=%ct")
	cmd.Dir = r.root
	out, err := cmd.Output()
	if err != nil {
		return time.Time{}, fmt.Errorf("finding the time of the commit: %w", err)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return time.Unix(seconds, 0).UTC(), err
}
