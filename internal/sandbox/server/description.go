package server

import (
	_ "embed" // for the description
	"net/http"
	"slices"
)

//go:embed openapi.yaml
var description []byte

// Description is the OpenAPI 3.1 description of everything that the sandbox
// serves, as YAML.
func Description() []byte { return description }

// Operation is an operation of the Open API. Its path is relative to /v1, with
// variables in braces.
type Operation struct {
	Method, Path, ID string
}

// Emulated lists the operations of the Open API that the sandbox emulates.
func Emulated() []Operation {
	var emulated []Operation
	for _, o := range operations {
		if o.handle != nil {
			emulated = append(emulated, Operation{o.method, o.path, o.id})
		}
	}
	return emulated
}

// Operations lists the ids of the operations of the Open API and the Link API that the
// sandbox emulates. Faults can affect them.
func Operations() []string {
	var ids []string
	for _, o := range slices.Concat(operations, linkOperations) {
		if o.handle != nil {
			ids = append(ids, o.id)
		}
	}
	return ids
}

func serveDescription(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(description)
}
