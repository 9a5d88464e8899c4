package contract

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Relaxation is a point at which a description is stricter than its own
// examples, and what to allow instead.
type Relaxation struct {
	// Field is a schema or a property of it: Account, Account.monitor.status.
	Field string
	// How is what is allowed instead.
	How Liberty
	// Reason is why the description is wrong.
	Reason string
	// Value is what Extended adds.
	Value string
}

// String describes what is allowed, and why.
func (r Relaxation) String() string {
	if r.Value != "" {
		return fmt.Sprintf("%s by %s: %s", r.How, r.Value, r.Reason)
	}
	return fmt.Sprintf("%s: %s", r.How, r.Reason)
}

// Liberty is what a relaxation allows.
type Liberty string

const (
	// Optional allows a property to be absent.
	Optional Liberty = "optional"
	// Nullable allows a value to be null.
	Nullable Liberty = "nullable"
	// Extended adds a value to an enumeration.
	Extended Liberty = "extended"
)

const (
	lacking   = "required, but examples lack it"
	undefined = "required, but not among the properties"
	nullShown = "examples show null"
	noPayload = "the documentation shows null for a webhook without includePayload"
	nullEnum  = "null is among the values of the enumeration, but not allowed"
	nullData  = "the documentation has null for what a provider does not know"
)

// Relaxations are the points at which the vendor's description of API version 1
// contradicts its own examples or the documentation, for accounts and their
// data. A relaxation of a schema or property that a description does not have
// has no effect.
var Relaxations = slices.Concat([]Relaxation{
	{Field: "Provider.monitorSupported", How: Optional, Reason: lacking},
	{Field: "User.providers", How: Optional, Reason: lacking},
	{Field: "ObjectReferenceMetadata.itemCreatedAt", How: Optional, Reason: lacking},
	{Field: "EincomePayload.amount", How: Optional, Reason: lacking + " where baseAmount is"},
	{Field: "EincomePayload.baseAmount", How: Optional, Reason: lacking + " where amount is"},
	{Field: "Eincome.amount", How: Optional, Reason: lacking + " where baseAmount is"},
	{Field: "Eincome.baseAmount", How: Optional, Reason: lacking + " where amount is"},
	{Field: "Account.monitor.status", How: Optional, Reason: "required, but an example misspells it"},
	{Field: "ArchiveCreateRequest.files", How: Optional, Reason: undefined},
	{Field: "TaskFinishedEventData.data", How: Optional, Reason: undefined},

	{Field: "TaskFinishedEventData.errorCode", How: Nullable, Reason: nullShown + " for success"},
	{Field: "TaskFinishedEventData.payload", How: Nullable, Reason: noPayload},
	{Field: "AccountSyncTaskFinishedEvent.data.payload", How: Nullable, Reason: noPayload},

	{Field: "ObjectNextCursor", How: Nullable, Reason: nullShown + " at the end of a list"},
	{Field: "RefDateTime", How: Nullable, Reason: nullShown + " for what has not happened yet"},
	{Field: "UserSession.channelId", How: Nullable, Reason: nullShown + " for the default channel"},
	{Field: "FileTypeId", How: Nullable, Reason: nullShown},
	{Field: "FileSubtype", How: Nullable, Reason: nullShown},
	{Field: "ArchiveClassification", How: Nullable, Reason: nullShown},
	{Field: "ArchiveAnalysis", How: Nullable, Reason: nullShown},
	{Field: "RefGender", How: Nullable, Reason: nullEnum},
	{Field: "RefMaritalStatus", How: Nullable, Reason: nullEnum},

	{
		Field: "ObjectMetadataRefCode", How: Extended, Value: "UNSUPPORTED_TYPE",
		Reason: "the documentation lists it, and status 415 has no other",
	},
}, maybeNull("ContributionPayload", "referenceId"), maybeNull("AccountPayload", "identity", "rating", "insight"),
	maybeNull("AllDatapointPayload", "identity", "rating", "documents", "incomes", "transactions", "employments", "contributions",
		"liabilities", "eincomes", "links", "insight"))

func maybeNull(schema string, properties ...string) []Relaxation {
	relaxations := make([]Relaxation, len(properties))
	for i, property := range properties {
		relaxations[i] = Relaxation{Field: schema + "." + property, How: Nullable, Reason: nullData}
	}
	return relaxations
}

// Relaxed applies relaxations.
func Relaxed(relaxations []Relaxation) Change {
	return func(spec *openapi3.T) error {
		for _, r := range relaxations {
			if err := r.apply(spec); err != nil {
				return fmt.Errorf("relaxation of %s: %w", r.Field, err)
			}
		}
		return nil
	}
}

func (r Relaxation) apply(spec *openapi3.T) error {
	if spec.Components == nil {
		return nil
	}
	owner, name, found := lookUp(spec, strings.Split(r.Field, "."))
	if !found {
		return nil
	}
	switch r.How {
	case Optional:
		owner.Required = slices.DeleteFunc(owner.Required, func(required string) bool { return required == name })
	case Nullable:
		allowNull(owner, name, spec.IsOpenAPI31OrLater())
	case Extended:
		if ref := owner.Properties[name]; ref != nil {
			ref.Value.Enum = append(ref.Value.Enum, r.Value)
		}
	default:
		return fmt.Errorf("%q is no liberty", r.How)
	}
	return nil
}

// lookUp follows properties from a component. It returns the schema that has
// the last property, or for a component one that has all components.
func lookUp(spec *openapi3.T, names []string) (owner *openapi3.Schema, name string, found bool) {
	at := &openapi3.Schema{Properties: spec.Components.Schemas}
	for _, name := range names[:len(names)-1] {
		next := at.Properties[name]
		if next == nil || next.Value == nil {
			return nil, "", false
		}
		at = next.Value
	}
	name = names[len(names)-1]
	last := at.Properties[name]
	return at, name, slices.Contains(at.Required, name) || last != nil && last.Value != nil
}

// allowNull allows null for a component or a property. A changed component
// affects all references to it. A property that refers to a component becomes a
// choice between the component and null.
func allowNull(owner *openapi3.Schema, name string, modern bool) {
	ref := owner.Properties[name]
	if ref == nil {
		return
	}
	if ref.Ref != "" {
		owner.Properties[name] = &openapi3.SchemaRef{Value: orNull(ref, modern)}
		return
	}
	s := ref.Value
	if len(s.AllOf)+len(s.OneOf)+len(s.AnyOf) > 0 {
		same := *s
		*s = *orNull(&openapi3.SchemaRef{Value: &same}, modern)
		return
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, nil) {
		s.Enum = append(s.Enum, nil)
	}
	if modern {
		allowNullType(s)
		return
	}
	s.Nullable = true
}

func orNull(ref *openapi3.SchemaRef, modern bool) *openapi3.Schema {
	return &openapi3.Schema{AnyOf: openapi3.SchemaRefs{ref, {Value: onlyNull(modern)}}, Nullable: !modern}
}

func allowNullType(s *openapi3.Schema) {
	if s.Type != nil && !s.Type.Includes(openapi3.TypeNull) {
		types := append(slices.Clone(*s.Type), openapi3.TypeNull)
		s.Type = &types
	}
}

func onlyNull(modern bool) *openapi3.Schema {
	if modern {
		return &openapi3.Schema{Type: &openapi3.Types{openapi3.TypeNull}}
	}
	return &openapi3.Schema{Enum: []any{nil}, Nullable: true}
}
