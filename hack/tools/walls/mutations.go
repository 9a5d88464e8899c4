package main

import (
	"go/ast"
	"go/types"
	"regexp"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

var onlyConnectionMutates = &analysis.Analyzer{
	Name: "onlyconnectionmutates",
	Doc: "reports uses of smile.Mutator and of what makes or sends its calls outside internal/connection, " +
		"whose fence and revoke limits they would bypass; tests of internal/smile are exempt",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      reportMutations,
}

var (
	mayMutate = regexp.MustCompile(`/internal/(connection|smile|smile/transport)(_test)?( \[.*\])?$`)
	// mutators are the type with all calls that change something at Smile, its constructor and its methods, the constructor of
	// what sends calls with credentials, and what exempts a call from its fence.
	mutators = regexp.MustCompile(`/internal/smile(\.NewMutator|\.Mutator|\.Mutator\)\..*|/transport\.(New|OnStandby))$`)
)

func reportMutations(pass *analysis.Pass) (any, error) {
	if mayMutate.MatchString(pass.Pkg.Path()) {
		return nil, nil
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	in.Preorder([]ast.Node{(*ast.Ident)(nil)}, func(node ast.Node) {
		if used := pass.TypesInfo.Uses[node.(*ast.Ident)]; used != nil && mutators.MatchString(nameOf(used)) {
			pass.Reportf(node.Pos(), "only internal/connection changes something at Smile: call its methods")
		}
	})
	return nil, nil
}

// nameOf is the full name of a function, a method or a type; empty for anything else.
func nameOf(used types.Object) string {
	switch used := used.(type) {
	case *types.Func:
		return used.FullName()
	case *types.TypeName:
		if used.Pkg() != nil {
			return used.Pkg().Path() + "." + used.Name()
		}
	}
	return ""
}
