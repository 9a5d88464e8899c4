package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// writeBill writes a software bill of materials in the format CycloneDX. It lists the modules that the linker recorded in the
// binaries of a command, so it names exactly what is in them.
func writeBill(path, name, version string, created time.Time, binaries []*buildinfo.BuildInfo) error {
	found := map[string]cdx.Component{}
	for _, binary := range binaries {
		found["std"] = component("std", strings.TrimPrefix(binary.GoVersion, "go"), "")
		for _, module := range binary.Deps {
			used := replaced(module)
			found[used.Path] = component(used.Path, used.Version, used.Sum)
		}
	}
	var components []cdx.Component
	for _, path := range slices.Sorted(maps.Keys(found)) {
		components = append(components, found[path])
	}
	root := component("github.com/smile-operator/smile-operator/cmd/"+name, version, "")
	root.Type = cdx.ComponentTypeApplication
	root.Licenses = &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}

	bill := cdx.NewBOM()
	bill.Metadata = &cdx.Metadata{Timestamp: created.Format(time.RFC3339), Component: &root}
	bill.Components = &components
	bill.Dependencies = &[]cdx.Dependency{{Ref: root.BOMRef, Dependencies: references(components)}}
	bill.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, identity(components, root)).URN()

	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := cdx.NewBOMEncoder(file, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bill); err != nil {
		return err
	}
	return file.Close()
}

func replaced(module *debug.Module) *debug.Module {
	if module.Replace != nil {
		return module.Replace
	}
	return module
}

// component describes a Go module. Its sum is that of go.sum: h1: and a SHA-256 hash of the module's files.
func component(path, version, sum string) cdx.Component {
	url := "pkg:golang/" + path + "@" + version
	made := cdx.Component{
		BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: url, Scope: cdx.ScopeRequired,
	}
	if hash, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:")); err == nil && len(hash) == sha256.Size {
		made.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(hash)}}
	}
	return made
}

func references(components []cdx.Component) *[]string {
	var all []string
	for _, c := range components {
		all = append(all, c.BOMRef)
	}
	return &all
}

// identity is equal for equal contents, so that the serial number is as reproducible as the rest.
func identity(components []cdx.Component, root cdx.Component) []byte {
	return []byte(root.BOMRef + "\n" + strings.Join(*references(components), "\n"))
}
