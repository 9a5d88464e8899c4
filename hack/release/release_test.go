package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/elf"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"helm.sh/helm/v4/pkg/chart/common"
	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
)

const (
	testVersion    = "v9.8.7-test.1"
	testRepository = "registry.example.com/team/smile-operator"
)

// build makes a release for the architecture of this machine, once for all checks, because it takes long.
func build(t *testing.T) release {
	t.Helper()
	r := release{
		root: filepath.Join("..", ".."), version: testVersion, repository: testRepository, dist: t.TempDir(),
		architectures: []string{runtime.GOARCH}, platforms: []string{runtime.GOOS + "/" + runtime.GOARCH},
		downloads: "https://example.com/releases",
	}
	digest, err := r.build(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(digest) {
		t.Errorf("the digest of the release is %q", digest)
	}
	return r
}

func TestRelease(t *testing.T) {
	r := build(t)
	for _, image := range images {
		t.Run(image, func(t *testing.T) {
			t.Run("archive", func(t *testing.T) { checkArchive(t, r, image) })
			t.Run("layout", func(t *testing.T) { checkLayout(t, r, image) })
			t.Run("bill of materials", func(t *testing.T) { checkBill(t, r, image) })
		})
	}
	t.Run("manifest", func(t *testing.T) { checkManifest(t, r) })
	t.Run("plugin", func(t *testing.T) { checkPlugin(t, r) })
	t.Run("chart", func(t *testing.T) { checkChart(t, r) })
	t.Run("checksums", func(t *testing.T) {
		check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", checksumsFile)
		check.Dir = r.dist
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// checkArchive checks what docker load reads: a valid image, whose only program is static and reports the version.
func checkArchive(t *testing.T, r release, name string) {
	image, err := tarball.ImageFromPath(r.file(name, "linux", runtime.GOARCH+".tar"), tag(t, name+":"+testVersion))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	files := contents(t, image)
	if len(files) != 2 || !x509.NewCertPool().AppendCertsFromPEM(files[authorityPath]) {
		t.Errorf("the image does not consist of the program and the certificates of authorities, but of %d files", len(files))
	}
	program := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(program, files[binaryPath], 0o700); err != nil {
		t.Fatal(err)
	}
	binary, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = binary.Close() }()
	if slices.ContainsFunc(binary.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Error("the program is not static, so it cannot run in this image")
	}
	out, err := exec.CommandContext(t.Context(), program, "--version").CombinedOutput()
	if want := name + " version " + testVersion + "\n"; err != nil || string(out) != want {
		t.Errorf("--version prints %q, %v; want %q", out, err, want)
	}
}

func tag(t *testing.T, reference string) *name.Tag {
	t.Helper()
	tag, err := name.NewTag(reference)
	if err != nil {
		t.Fatal(err)
	}
	return &tag
}

func contents(t *testing.T, image v1.Image) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	flat := mutate.Extract(image)
	defer flat.Close()
	for archive := tar.NewReader(flat); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

// checkLayout pushes the layout to a registry, and pulls it as a node does: by its digest, for a platform.
func checkLayout(t *testing.T, r release, image string) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://") + "/team/" + image
	reference, err := push(t.Context(), filepath.Join(r.dist, layouts, image), repository, testVersion)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := name.NewDigest(reference)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	pulled, err := remote.Image(*tag(t, repository+":"+testVersion), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
	if err != nil {
		t.Fatal(err)
	}
	config, err := pulled.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != user || !slices.Equal(config.Config.Entrypoint, []string{"/" + binaryPath}) ||
		config.Config.Labels["org.opencontainers.image.version"] != testVersion {
		t.Errorf("the image's configuration is %+v", config.Config)
	}
}

func checkBill(t *testing.T, r release, image string) {
	file, err := os.Open(r.file(image, "sbom.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var bill cdx.BOM
	if err := cdx.NewBOMDecoder(file, cdx.BOMFileFormatJSON).Decode(&bill); err != nil {
		t.Fatal(err)
	}
	if bill.Metadata.Component.Version != testVersion {
		t.Errorf("the bill of materials is of version %q", bill.Metadata.Component.Version)
	}
	at := slices.IndexFunc(*bill.Components, func(c cdx.Component) bool { return c.Name == "github.com/spf13/cobra" })
	if at < 0 || (*bill.Components)[at].Hashes == nil {
		t.Error("the bill of materials does not contain github.com/spf13/cobra with its hash, which both commands use")
	}
}

// checkManifest checks that install.yaml runs exactly the image of this release.
func checkManifest(t *testing.T, r release) {
	manifest, err := os.ReadFile(filepath.Join(r.dist, "install.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	index, err := readLayout(filepath.Join(r.dist, layouts, operatorImage))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`(?m)^\s+(?:- )?image: .*$`).FindAllString(string(manifest), -1)
	if want := "image: " + testRepository + "@" + digest.String(); len(got) != 1 || strings.TrimSpace(got[0]) != want {
		t.Errorf("install.yaml has %q; want %q", got, want)
	}
	crds, err := filepath.Glob(filepath.Join(r.root, "config", "crd", "bases", "*.yaml"))
	if err != nil || len(crds) == 0 {
		t.Fatalf("no CRDs: %v", err)
	}
	if got := strings.Count(string(manifest), "\nkind: CustomResourceDefinition\n"); got != len(crds) {
		t.Errorf("install.yaml has %d of %d CRDs", got, len(crds))
	}
}

// checkChart checks that the chart runs exactly the images of this release, and that Helm accepts it.
func checkChart(t *testing.T, r release) {
	packed, err := loader.Load(filepath.Join(r.dist, "smile-operator-"+strings.TrimPrefix(testVersion, "v")+".tgz"))
	if err != nil {
		t.Fatal(err)
	}
	if packed.Metadata.AppVersion != testVersion {
		t.Errorf("the application's version is %s", packed.Metadata.AppVersion)
	}
	values, err := chartutil.ToRenderValues(packed, map[string]any{"sandbox": map[string]any{"enabled": true}},
		common.ReleaseOptions{Name: "smile-operator", Namespace: "default"}, common.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Engine{}.RenderWithContext(t.Context(), packed, values)
	if err != nil {
		t.Fatal(err)
	}
	for file, image := range map[string]string{"deployment.yaml": operatorImage, "sandbox.yaml": "smile-sandbox"} {
		index, err := readLayout(filepath.Join(r.dist, layouts, image))
		if err != nil {
			t.Fatal(err)
		}
		digest, err := index.Digest()
		if err != nil {
			t.Fatal(err)
		}
		want := "image: " + beside(testRepository, image) + "@" + digest.String() + "\n"
		if !strings.Contains(files["smile-operator/templates/"+file], want) {
			t.Errorf("%s lacks %s", file, want)
		}
	}
}

// TestChartIsReproducible packs the chart twice, at different times of its files.
func TestChartIsReproducible(t *testing.T) {
	root := t.TempDir()
	place := filepath.Join(root, "config", "chart", operatorImage)
	if err := os.CopyFS(place, os.DirFS(filepath.Join("..", "..", "config", "chart", operatorImage))); err != nil {
		t.Fatal(err)
	}
	created := time.Unix(1_700_000_000, 0).UTC()
	images := map[string]v1.Hash{operatorImage: {Algorithm: "sha256", Hex: strings.Repeat("a", 64)}}
	var digests []string
	for age := range 2 {
		if err := filepath.WalkDir(place, func(path string, _ fs.DirEntry, err error) error {
			changed := created.Add(time.Duration(age+1) * time.Hour)
			return errors.Join(err, os.Chtimes(path, changed, changed))
		}); err != nil {
			t.Fatal(err)
		}
		r := release{root: root, version: testVersion, repository: testRepository, dist: t.TempDir()}
		if err := r.chart(images, created); err != nil {
			t.Fatal(err)
		}
		digest, err := writeChecksums(r.dist)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("packed twice, the chart has the digests %v", digests)
	}
	if _, err := withImages([]byte("image: {}"), testRepository, images); err == nil {
		t.Error("values without an image are accepted")
	}
}

// TestImagesAreReproducible builds the same image twice, from a small file in place of a command.
func TestImagesAreReproducible(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("the program"), 0o600); err != nil {
		t.Fatal(err)
	}
	created, err := release{root: "."}.commitTime(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var digests []string
	for range 2 {
		dist := t.TempDir()
		image, err := newImage(program, labels(operatorImage, testVersion), "amd64", created)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeArchive(filepath.Join(dist, "archive.tar"), operatorImage, testVersion, image); err != nil {
			t.Fatal(err)
		}
		if _, err := writeLayout(filepath.Join(dist, layouts, operatorImage), testVersion, []platformImage{{image, "amd64"}}); err != nil {
			t.Fatal(err)
		}
		digest, err := writeChecksums(dist)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("two builds have the digests %v", digests)
	}
}

// TestTheSameBinaryEverywhere checks that make build and the Dockerfile compile as the release does.
func TestTheSameBinaryEverywhere(t *testing.T) {
	flags := buildFlags("VERSION")
	want := strings.Join(flags[:len(flags)-1], " ") + ` -ldflags="` + strings.TrimPrefix(flags[len(flags)-1], "-ldflags=") + `"`
	for file, version := range map[string]string{"Makefile": "$(VERSION)", "Dockerfile": "${VERSION}"} {
		content, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		if command := strings.ReplaceAll(want, "VERSION", version); !bytes.Contains(content, []byte(command)) {
			t.Errorf("%s does not build with %s", file, command)
		}
	}
}

func TestVersions(t *testing.T) {
	for version, valid := range map[string]bool{
		"v0.1.0": true, "v1.20.3-rc.1": true, "0.1.0": false, "v1": false, "v1.2.3+meta": false, "v1.2.3 --x": false,
	} {
		if got := semanticVersion.MatchString(version); got != valid {
			t.Errorf("%q is valid: %t", version, got)
		}
	}
}

// TestWorkflow checks that the workflow pins each action by the hash of its commit, since a tag can be moved.
func TestWorkflow(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", ".github", "workflows", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	pinned := regexp.MustCompile(`uses: [\w./-]+@[0-9a-f]{40} # v\d`)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			if strings.Contains(line, "uses:") && !pinned.MatchString(line) {
				t.Errorf("%s: not pinned: %s", filepath.Base(file), strings.TrimSpace(line))
			}
		}
	}
}

func TestBesides(t *testing.T) {
	for repository, want := range map[string]string{
		"smile-operator": "smile-sandbox", testRepository: "registry.example.com/team/smile-sandbox",
	} {
		if got := beside(repository, "smile-sandbox"); got != want {
			t.Errorf("beside(%s) = %s", repository, got)
		}
	}
}
