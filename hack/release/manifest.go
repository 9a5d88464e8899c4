package main

import (
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// manifest writes install.yaml: config/default with the image of this release, named by its digest.
func (r release) manifest(operator v1.Hash) error {
	base, err := filepath.Abs(filepath.Join(r.root, "config", "default"))
	if err != nil {
		return err
	}
	overlay, err := os.MkdirTemp(filepath.Join(r.root, "config"), ".release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(overlay) }()
	full, err := filepath.Abs(overlay)
	if err != nil {
		return err
	}
	relative, err := filepath.Rel(full, base)
	if err != nil {
		return err
	}
	kustomization, err := yaml.Marshal(types.Kustomization{
		TypeMeta:  types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind},
		Resources: []string{relative},
		Images:    []types.Image{{Name: operatorImage, NewName: r.repository, Digest: operator.String()}},
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(full, "kustomization.yaml"), kustomization, 0o600); err != nil {
		return err
	}
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), full)
	if err != nil {
		return err
	}
	out, err := objects.AsYaml()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dist, "install.yaml"), out, 0o644)
}
