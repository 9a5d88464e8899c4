package testenv

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/smile-operator/smile-operator/internal/controlplane"
)

// Reasons are the reasons that the API declares, read from its source.
var Reasons = sync.OnceValues(func() ([]string, error) {
	root, err := controlplane.ModuleRoot()
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "api", "v1alpha1", "conditions.go"), nil, 0)
	if err != nil {
		return nil, err
	}
	var reasons []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		var reason string
		reason, err = strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		reasons = append(reasons, reason)
		return err == nil
	})
	return reasons, err
})
