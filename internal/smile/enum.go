package smile

// Unrecognized replaces a value of an open set that does not have the required form:
// 1 to 64 letters, digits and '_'. Other unknown values are kept as they are.
const Unrecognized = "UNRECOGNIZED"

const maxEnumLength = 64

// enum reads a value of one of the API's open sets. Null and absent are empty.
type enum string

func (e *enum) UnmarshalJSON(data []byte) error {
	if isNull(data) {
		return nil
	}
	text, ok := asText(data)
	if !ok || len(text) > maxEnumLength {
		text = Unrecognized
	}
	for _, c := range []byte(text) {
		if !isAlphanumeric(c) && c != '_' {
			text = Unrecognized
		}
	}
	*e = enum(text)
	return nil
}

// enums converts a list of values.
func enums[E ~string](values []enum) []E {
	if values == nil {
		return nil
	}
	converted := make([]E, len(values))
	for i, value := range values {
		converted[i] = E(value)
	}
	return converted
}
