package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/smile-operator/smile-operator/internal/audit"
)

// Permission is one verb on one resource.
type Permission struct {
	// Namespace that it is limited to; "" is the whole cluster.
	Namespace string
	Verb      string
	Group     string
	// Resource with its subresource.
	Resource string
	// Name of the object that it is limited to; "" is all.
	Name string
}

func (p Permission) String() string {
	scope := "everywhere"
	if p.Namespace != "" {
		scope = "in " + p.Namespace
	}
	if p.Name != "" {
		scope = "named " + p.Name + " " + scope
	}
	return fmt.Sprintf("%s %s.%s %s", p.Verb, p.Resource, p.Group, scope)
}

// Permissions is what Roles and ClusterRoles grant.
type Permissions map[Permission]bool

// ReadPermissions reads the Roles and ClusterRoles of a manifest. Wildcards and paths that are no resources are errors: no test
// could prove that they are needed.
func ReadPermissions(manifest []byte) (Permissions, error) {
	granted := Permissions{}
	for documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096); ; {
		var role rbacv1.ClusterRole // a Role has the same fields
		err := documents.Decode(&role)
		if errors.Is(err, io.EOF) {
			return granted, nil
		}
		if err != nil {
			return nil, err
		}
		if role.Kind != "Role" && role.Kind != "ClusterRole" {
			continue
		}
		for _, rule := range role.Rules {
			if err := granted.add(role.Namespace, rule); err != nil {
				return nil, fmt.Errorf("%s %s: %w", role.Kind, role.Name, err)
			}
		}
	}
}

func (p Permissions) add(namespace string, rule rbacv1.PolicyRule) error {
	if len(rule.NonResourceURLs) > 0 {
		return errors.New("a rule with paths")
	}
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	for _, verb := range rule.Verbs {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				if strings.Contains(verb+group+resource, "*") {
					return errors.New("a rule with a wildcard")
				}
				for _, name := range names {
					p[Permission{namespace, verb, group, resource, name}] = true
				}
			}
		}
	}
	return nil
}

// Compare holds what was granted against what was asked for: which permissions no successful request needed, and
// which requests were forbidden.
func (p Permissions) Compare(requests []audit.Request) (needless []Permission, forbidden []audit.Request) {
	unused := maps.Clone(p)
	for _, request := range requests {
		switch {
		case request.Resource == "":
		case request.Forbidden:
			forbidden = append(forbidden, request)
		default:
			delete(unused, p.cover(request))
		}
	}
	needless = slices.SortedFunc(maps.Keys(unused), func(a, b Permission) int { return strings.Compare(a.String(), b.String()) })
	return needless, forbidden
}

// cover is the permission that lets a request pass: the narrowest where there are several.
func (p Permissions) cover(request audit.Request) Permission {
	everywhere := Permission{"", request.Verb, request.Group, request.Resource, ""}
	for _, scope := range []Permission{{Namespace: request.Namespace, Name: request.Name}, {Name: request.Name}, {Namespace: request.Namespace}} {
		narrower := Permission{scope.Namespace, request.Verb, request.Group, request.Resource, scope.Name}
		if p[narrower] {
			return narrower
		}
	}
	return everywhere
}
