package main

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	user          = "65532:65532"
	binaryPath    = "binary"
	authorityPath = "etc/ssl/certs/ca-certificates.crt"
)

// platformImage is an image for one architecture.
type platformImage struct {
	v1.Image
	arch string
}

// newImage puts a static binary and the certificates of public authorities on an empty base, as the Dockerfile does.
func newImage(binary string, labels map[string]string, arch string, created time.Time) (v1.Image, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	authorities, err := newLayer(authorityPath, authorities(), 0o644, created)
	if err != nil {
		return nil, err
	}
	program, err := newLayer(binaryPath, content, 0o755, created)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), authorities, program)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = "linux", arch, v1.Time{Time: created}
	file.Config = v1.Config{User: user, Entrypoint: []string{"/" + binaryPath}, Labels: labels}
	for i := range file.History {
		file.History[i].Created = file.Created
	}
	image, err = mutate.ConfigFile(image, file)
	if err != nil {
		return nil, err
	}
	return mutate.ConfigMediaType(image, types.OCIConfigJSON), nil
}

// newLayer contains one file and the directories that lead to it. They belong to root, so that the process cannot change them.
func newLayer(path string, content []byte, mode int64, created time.Time) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for i, letter := range path {
		if letter != '/' {
			continue
		}
		dir := tar.Header{Typeflag: tar.TypeDir, Name: path[:i+1], Mode: 0o755, ModTime: created}
		if err := w.WriteHeader(&dir); err != nil {
			return nil, err
		}
	}
	file := tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: mode, Size: int64(len(content)), ModTime: created}
	if err := w.WriteHeader(&file); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}

func labels(name, version string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":    name,
		"org.opencontainers.image.version":  version,
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.source":   "https://github.com/smile-operator/smile-operator",
	}
}

// writeArchive writes what docker load reads.
func writeArchive(path, repository, version string, image v1.Image) error {
	tag, err := name.NewTag(repository + ":" + version)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(path, tag, image)
}

// writeLayout writes an OCI layout with one index of all architectures, and returns the digest of that index.
func writeLayout(path, version string, built []platformImage) (v1.Hash, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, image := range built {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image.Image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: image.arch}},
		})
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return v1.Hash{}, err
	}
	written, err := layout.Write(path, empty.Index)
	if err != nil {
		return v1.Hash{}, err
	}
	tag := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version})
	if err := written.AppendIndex(index, tag); err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}

// readLayout returns the only index of a layout.
func readLayout(path string) (v1.ImageIndex, error) {
	all, err := layout.ImageIndexFromPath(path)
	if err != nil {
		return nil, err
	}
	manifest, err := all.IndexManifest()
	if err != nil {
		return nil, err
	}
	return all.ImageIndex(manifest.Manifests[0].Digest)
}

// push pushes the index of a layout under a tag, and returns its reference with the digest.
func push(ctx context.Context, path, repository, version string) (string, error) {
	tag, err := name.NewTag(repository + ":" + version)
	if err != nil {
		return "", err
	}
	index, err := readLayout(path)
	if err != nil {
		return "", err
	}
	digest, err := index.Digest()
	if err != nil {
		return "", err
	}
	err = remote.WriteIndex(tag, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	return tag.Context().Digest(digest.String()).Name(), err
}
