package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smile-operator/smile-operator/internal/audit"
)

const roles = `---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all}
rules:
- {apiGroups: [""], resources: [secrets, configmaps], verbs: [get]}
- {apiGroups: [smile-operator.io], resources: [smileusers/status], verbs: [patch]}
- {apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], resourceNames: [one], verbs: [get]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: somebody}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: own, namespace: home}
rules:
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, update]}
- {apiGroups: [""], resources: [secrets], verbs: [get]}
`

func TestPermissionsOfAManifest(t *testing.T) {
	t.Parallel()
	granted, err := ReadPermissions([]byte(roles))
	if err != nil {
		t.Fatal(err)
	}
	want := Permissions{
		{"", "get", "", "secrets", ""}:                                          true,
		{"", "get", "", "configmaps", ""}:                                       true,
		{"", "patch", "smile-operator.io", "smileusers/status", ""}:             true,
		{"home", "get", "coordination.k8s.io", "leases", ""}:                    true,
		{"home", "update", "coordination.k8s.io", "leases", ""}:                 true,
		{"home", "get", "", "secrets", ""}:                                      true,
		{"", "get", "apiextensions.k8s.io", "customresourcedefinitions", "one"}: true,
	}
	if diff := cmp.Diff(want, granted); diff != "" {
		t.Error(diff)
	}
}

func TestPermissionsThatNoTestCanProveAreErrors(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]string{
		"verb":     `{apiGroups: [""], resources: [secrets], verbs: ["*"]}`,
		"resource": `{apiGroups: [""], resources: ["*"], verbs: [get]}`,
		"group":    `{apiGroups: ["*"], resources: [secrets], verbs: [get]}`,
		"path":     `{nonResourceURLs: [/metrics], verbs: [get]}`,
	} {
		manifest := "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\nrules:\n- " + rule + "\n"
		if granted, err := ReadPermissions([]byte(manifest)); err == nil {
			t.Errorf("%s: got %v", name, granted)
		}
	}
}

func TestPermissionsAgainstRequests(t *testing.T) {
	t.Parallel()
	granted, err := ReadPermissions([]byte(roles))
	if err != nil {
		t.Fatal(err)
	}
	refused := audit.Request{Verb: "list", Resource: "secrets", Namespace: "n", Code: 403, Forbidden: true}
	needless, forbidden := granted.Compare([]audit.Request{
		{Verb: "get", Resource: "secrets", Namespace: "home", Code: 404},
		{Verb: "get", Resource: "configmaps", Namespace: "n", Code: 200},
		{Verb: "patch", Group: "smile-operator.io", Resource: "smileusers/status", Namespace: "n", Code: 409},
		{Verb: "patch", Group: "smile-operator.io", Resource: "smileusers", Namespace: "n", Code: 403},
		{Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Namespace: "elsewhere", Code: 200},
		{Verb: "get", Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions", Name: "one", Code: 200},
		{Verb: "get", Code: 200},
		refused,
	})
	var names []string
	for _, permission := range needless {
		names = append(names, permission.String())
	}
	want := []string{
		"get leases.coordination.k8s.io in home", "get secrets. everywhere", "update leases.coordination.k8s.io in home",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("needless:\n%s", diff)
	}
	if diff := cmp.Diff([]audit.Request{refused}, forbidden); diff != "" {
		t.Errorf("forbidden:\n%s", diff)
	}
	if got := strings.Count(refused.String(), "secrets"); got != 1 {
		t.Errorf("a request reads %q", refused)
	}
}
