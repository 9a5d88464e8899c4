package contract

import "github.com/getkin/kin-openapi/openapi3"

// Closed forbids what a description does not mention: properties of objects
// that list some. It is for a description that claims to be complete. Objects
// made by combining schemas are left as they are.
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
