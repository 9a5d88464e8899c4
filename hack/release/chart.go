package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/chart/v2/util"
)

// chart writes the chart with the version of this release, and with its images, named by their digests, as defaults.
func (r release) chart(digests map[string]v1.Hash, created time.Time) error {
	chart, err := loader.Load(filepath.Join(r.root, "config", "chart", operatorImage))
	if err != nil {
		return err
	}
	chart.Metadata.Version, chart.Metadata.AppVersion = strings.TrimPrefix(r.version, "v"), r.version
	// The times of the files are those of the working copy, which differ each time.
	chart.ModTime, chart.SchemaModTime = created, created
	for _, files := range [][]*common.File{chart.Raw, chart.Templates, chart.Files} {
		for _, file := range files {
			file.ModTime = created
			if file.Name != util.ValuesfileName {
				continue
			}
			if file.Data, err = withImages(file.Data, r.repository, digests); err != nil {
				return err
			}
		}
	}
	_, err = util.Save(chart, r.dist)
	return err
}

// withImages sets repository and digest of the images in the text of values.yaml, which so keeps its comments.
func withImages(values []byte, repository string, digests map[string]v1.Hash) ([]byte, error) {
	for name, digest := range digests {
		place := regexp.MustCompile(`(?s)(\n *repository: )"` + regexp.QuoteMeta(name) + `"(\n.*?\n *digest: )""`)
		if !place.Match(values) {
			return nil, fmt.Errorf("values.yaml has no place for the image %s", name)
		}
		values = place.ReplaceAll(values, fmt.Appendf(nil, `${1}"%s"${2}"%s"`, beside(repository, name), digest))
	}
	return bytes.TrimSpace(values), nil
}
