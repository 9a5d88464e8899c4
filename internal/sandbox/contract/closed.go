package contract

import "github.com/getkin/kin-openapi/openapi3"

// Closed forbids the properties that a description does not list. It is for a
// description that claims to be complete. It does not change schemas that
// combine others.
func Closed(spec *openapi3.T) error {
	if spec.Components == nil {
		return nil
	}
	for _, ref := range spec.Components.Schemas {
		seal(ref)
	}
	return nil
}

func seal(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Ref != "" || ref.Value == nil {
		return
	}
	s := ref.Value
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		no := false
		s.AdditionalProperties.Has = &no
	}
	for _, property := range s.Properties {
		seal(property)
	}
	seal(s.Items)
	for _, alternative := range s.AnyOf {
		seal(alternative)
	}
}
