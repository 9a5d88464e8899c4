package main

import (
	"go/ast"
	"go/types"
	"regexp"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

var onlyOutputWrites = &analysis.Analyzer{
	Name: "onlyoutputwrites",
	Doc: "reports calls that write a Secret or a ConfigMap outside internal/output, " +
		"whose ownership guard and erasure they would bypass; reading is permitted, and so are tests and what is only run by hand",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

var (
	exempt = regexp.MustCompile(`/(internal/output|internal/controlplane|internal/testenv|internal/e2e|hack)(/|$)`)
	writes = regexp.MustCompile(`^(Create|Update|Patch|Apply|Delete|DeleteAllOf|DeleteCollection|CreateOrUpdate|CreateOrPatch)$`)
	// guarded matches the types to be written, the configurations to be applied,
	// and the typed clients that need no object to delete one.
	guarded = regexp.MustCompile(`^\*?k8s\.io/(api/core/v1\.(Secret|ConfigMap)` +
		`|client-go/applyconfigurations/core/v1\.(Secret|ConfigMap)ApplyConfiguration` +
		`|client-go/kubernetes/typed/core/v1\.(Secret|ConfigMap)Interface)$`)
)

func run(pass *analysis.Pass) (any, error) {
	if exempt.MatchString(pass.Pkg.Path()) {
		return nil, nil
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	in.Preorder([]ast.Node{(*ast.CallExpr)(nil)}, func(node ast.Node) {
		call := node.(*ast.CallExpr)
		if strings.HasSuffix(pass.Fset.File(call.Pos()).Name(), "_test.go") {
			return
		}
		if written := writtenType(pass.TypesInfo, call); written != "" {
			pass.Reportf(call.Pos(), "only internal/output writes Secrets and ConfigMaps: this writes %s", written)
		}
	})
	return nil, nil
}

// writtenType is the guarded type that a call writes, or empty.
func writtenType(info *types.Info, call *ast.CallExpr) string {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !writes.MatchString(method.Sel.Name) {
		return ""
	}
	for _, part := range append([]ast.Expr{method.X}, call.Args...) {
		of := info.TypeOf(part)
		if of != nil && guarded.MatchString(of.String()) {
			return of.String()
		}
	}
	return ""
}
