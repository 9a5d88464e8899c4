// Command chart writes the files of config/chart that follow from others: the values and their table in docs/chart.md from the
// schema of the values, and copies of the CustomResourceDefinitions, the policies, the operator's rules and the samples, because
// Helm reads no file outside of a chart.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// directory is that of the chart, in the repository.
var directory = filepath.Join("config", "chart", "smile-operator")

func main() {
	if err := generate(filepath.Join("..", "..")); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func generate(root string) error {
	chart := filepath.Join(root, directory)
	schema, err := os.ReadFile(filepath.Join(chart, "values.schema.json"))
	if err != nil {
		return err
	}
	values, err := readValues(schema)
	if err != nil {
		return fmt.Errorf("values.schema.json: %w", err)
	}
	if err := os.WriteFile(filepath.Join(chart, "values.yaml"), values.yaml(), 0o644); err != nil {
		return err
	}
	if err := writeTable(filepath.Join(root, "docs", "chart.md"), values); err != nil {
		return err
	}
	return copyFiles(root, filepath.Join(chart, "files"))
}

// copied maps directories among the files of the chart to what is copied into them.
var copied = map[string][]string{
	"crds":       {"config/crd/bases/*.yaml"},
	"policies":   {"config/policies/forbid_*.yaml"},
	"prometheus": {"config/prometheus/*.yaml"},
	"rbac":       {"config/rbac/role.yaml"},
	"sample":     {"config/samples/connection.yaml", "config/samples/user.yaml", "config/samples/accountsync.yaml"},
}

// copyFiles replaces the files of the chart.
func copyFiles(root, files string) error {
	if err := os.RemoveAll(files); err != nil {
		return err
	}
	for name, patterns := range copied {
		if err := os.MkdirAll(filepath.Join(files, name), 0o755); err != nil {
			return err
		}
		for _, pattern := range patterns {
			paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
			if err != nil {
				return err
			}
			if len(paths) == 0 {
				return fmt.Errorf("no file matches %s", pattern)
			}
			for _, path := range paths {
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(files, name, filepath.Base(path)), content, 0o644); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
