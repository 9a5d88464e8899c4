package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// checksumsFile is in the format of sha256sum --check.
const checksumsFile = "checksums.txt"

// writeChecksums lists all files of a release, in the order of their names, and returns the digest of the list.
func writeChecksums(dist string) (digest string, err error) {
	root, err := os.OpenRoot(dist)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	var list strings.Builder
	err = fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path == checksumsFile {
			return err
		}
		content, err := root.ReadFile(path)
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(content), path)
		return err
	})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(list.String()))
	return "sha256:" + hex.EncodeToString(sum[:]), root.WriteFile(checksumsFile, []byte(list.String()), 0o644)
}
