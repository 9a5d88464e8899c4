package main

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

var noSleep = &analysis.Analyzer{
	Name:     "nosleep",
	Doc:      "reports time.Sleep, except in files that use testing/synctest, where the clock is a fake one",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      reportSleep,
}

func reportSleep(pass *analysis.Pass) (any, error) {
	fake := map[string]bool{}
	for _, file := range pass.Files {
		for _, imported := range file.Imports {
			if imported.Path.Value == `"testing/synctest"` {
				fake[pass.Fset.File(file.Pos()).Name()] = true
			}
		}
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	in.Preorder([]ast.Node{(*ast.SelectorExpr)(nil)}, func(node ast.Node) {
		used, ok := pass.TypesInfo.Uses[node.(*ast.SelectorExpr).Sel].(*types.Func)
		if ok && used.FullName() == "time.Sleep" && !fake[pass.Fset.File(node.Pos()).Name()] {
			pass.Reportf(node.Pos(), "inject a clock, or wait for what you wait for")
		}
	})
	return nil, nil
}
