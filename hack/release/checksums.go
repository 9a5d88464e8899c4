package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checksumsFile is in the format of sha256sum --check.
const checksumsFile = "checksums.txt"

// writeChecksums lists all files of a release, in the order of their names, and returns the digest of the list.
func writeChecksums(dist string) (digest string, err error) {
	var list strings.Builder
	err = filepath.WalkDir(dist, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == checksumsFile {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dist, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(content), filepath.ToSlash(relative))
		return nil
	})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(list.String()))
	return "sha256:" + hex.EncodeToString(sum[:]), os.WriteFile(filepath.Join(dist, checksumsFile), []byte(list.String()), 0o644)
}
