package output

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// alwaysAllowed are annotations that make Reloader restart workloads when an output changes.
var alwaysAllowed = []string{"reloader.stakater.com/*"}

var (
	annotationPattern = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/(\*|[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)|[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)$`)
	// reservedDomain matches keys that identify the owner of an object.
	reservedDomain = regexp.MustCompile(`^([a-z0-9.-]+\.)?(kubernetes\.io|k8s\.io|argoproj\.io|fluxcd\.io|helm\.sh|smile-operator\.io)/`)
)

// AnnotationPolicy decides which annotations a template may set on outputs. Other annotations could cause the data to be
// copied: tools that replicate Secrets into other namespaces are controlled by annotations. The zero value permits those of
// Reloader only.
type AnnotationPolicy struct{ patterns []string }

// NewAnnotationPolicy permits annotations in addition. A pattern is a key, such as example.com/name, or example.com/* for all
// keys of a domain. Anything else is an error, and so is a domain whose keys identify the owner of an object.
func NewAnnotationPolicy(patterns []string) (AnnotationPolicy, error) {
	for i, pattern := range patterns {
		reason := error(nil)
		switch {
		case !annotationPattern.MatchString(pattern):
			reason = errors.New("must be a key such as example.com/name, or example.com/* for all keys of a domain")
		case reservedDomain.MatchString(pattern):
			reason = errors.New("keys of this domain identify the owner of an object, and cannot be set")
		}
		if reason != nil {
			return AnnotationPolicy{}, fmt.Errorf("--allowed-output-annotations: entry %d: %w", i+1, reason)
		}
	}
	return AnnotationPolicy{patterns: slices.Clone(patterns)}, nil
}

// Allows reports whether a template may set the annotation with this key.
func (a AnnotationPolicy) Allows(key string) bool {
	matches := func(pattern string) bool {
		domain, all := strings.CutSuffix(pattern, "*")
		return pattern == key || all && strings.HasPrefix(key, domain)
	}
	return slices.ContainsFunc(alwaysAllowed, matches) || slices.ContainsFunc(a.patterns, matches)
}

// Apply returns the template without the annotations that are not allowed, and the keys of these, sorted.
func (a AnnotationPolicy) Apply(template *v1alpha1.OutputTemplate) (allowed *v1alpha1.OutputTemplate, dropped []string) {
	if template == nil || template.Metadata == nil {
		return template, nil
	}
	for key := range template.Metadata.Annotations {
		if !a.Allows(key) {
			dropped = append(dropped, key)
		}
	}
	if len(dropped) == 0 {
		return template, nil
	}
	slices.Sort(dropped)
	allowed = template.DeepCopy()
	maps.DeleteFunc(allowed.Metadata.Annotations, func(key string, _ v1alpha1.AnnotationValue) bool {
		return slices.Contains(dropped, key)
	})
	return allowed, dropped
}
