package contract

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

// Operation is an operation of a description. Path has its variables in braces
// and starts with the path of the description's server.
type Operation struct {
	Method, Path, ID string
}

// Key identifies the calls that the operation answers. It does not depend on
// the names of path variables.
func (o Operation) Key() string {
	segments := strings.Split(o.Path, "/")
	for i, segment := range segments {
		if isVariable(segment) {
			segments[i] = "{}"
		}
	}
	return o.Method + " " + strings.Join(segments, "/")
}

func isVariable(segment string) bool {
	return strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}")
}

// Document is an OpenAPI description for checks. It is safe for concurrent use.
type Document struct {
	spec   *openapi3.T
	routes []*route
}

// route recognizes and checks the calls of an operation.
type route struct {
	Operation
	segments []string
	literals int
	plan     *routers.Route
}

// Change modifies a description after it was read.
type Change func(*openapi3.T) error

// Read reads a description in YAML or JSON and applies changes. References must
// be internal. It returns an error if the description is not valid. Examples
// that contradict their schemas are allowed.
func Read(text []byte, changes ...Change) (*Document, error) {
	loader := openapi3.NewLoader()
	spec, err := loader.LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("the description cannot be read: %w", err)
	}
	if err := spec.Validate(context.Background(), openapi3.DisableExamplesValidation(),
		openapi3.AllowExtraSiblingFields("description")); err != nil {
		return nil, fmt.Errorf("the description is not valid: %w", err)
	}
	for _, change := range changes {
		if err := change(spec); err != nil {
			return nil, err
		}
	}
	prefix, err := basePath(spec)
	if err != nil {
		return nil, err
	}
	d := &Document{spec: spec}
	for path, item := range spec.Paths.Map() {
		for method, operation := range item.Operations() {
			d.routes = append(d.routes, newRoute(spec, prefix+path, method, item, operation))
		}
	}
	slices.SortFunc(d.routes, func(a, b *route) int {
		return cmp.Or(cmp.Compare(b.literals, a.literals), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return d, nil
}

// basePath is the path of the first server, without a slash at its end.
func basePath(spec *openapi3.T) (string, error) {
	if len(spec.Servers) == 0 {
		return "", nil
	}
	server, err := url.Parse(spec.Servers[0].URL)
	if err != nil {
		return "", fmt.Errorf("the URL of the first server: %w", err)
	}
	return strings.TrimSuffix(server.Path, "/"), nil
}

func newRoute(spec *openapi3.T, path, method string, item *openapi3.PathItem, operation *openapi3.Operation) *route {
	r := &route{
		Operation: Operation{Method: method, Path: path, ID: operation.OperationID},
		segments:  strings.Split(path, "/"),
		plan:      &routers.Route{Spec: spec, Path: path, PathItem: item, Method: method, Operation: operation},
	}
	for _, segment := range r.segments {
		if !isVariable(segment) {
			r.literals++
		}
	}
	return r
}

// Operations lists what the description has, by path and method.
func (d *Document) Operations() []Operation {
	all := make([]Operation, len(d.routes))
	for i, r := range d.routes {
		all[i] = r.Operation
	}
	slices.SortFunc(all, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return all
}

// find gives the operation that a call goes to, and its path variables. Of
// several it is the one with the most literal segments.
func (d *Document) find(method string, path *url.URL) (*route, map[string]string) {
	segments := strings.Split(path.EscapedPath(), "/")
	for _, r := range d.routes {
		if r.Method != method || len(r.segments) != len(segments) {
			continue
		}
		if variables, matches := match(r.segments, segments); matches {
			return r, variables
		}
	}
	return nil, nil
}

func match(pattern, segments []string) (map[string]string, bool) {
	variables := map[string]string{}
	for i, wanted := range pattern {
		value, err := url.PathUnescape(segments[i])
		switch {
		case err != nil:
			return nil, false
		case isVariable(wanted) && value != "":
			variables[strings.Trim(wanted, "{}")] = value
		case wanted != value:
			return nil, false
		}
	}
	return variables, true
}
