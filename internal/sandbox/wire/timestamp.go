package wire

import "time"

// Timestamp is an instant as the API writes it: UTC, in whole seconds.
type Timestamp struct{ time.Time }

const timestampLayout = "2006-01-02T15:04:05Z"

// MarshalJSON writes yyyy-MM-ddTHH:mm:ssZ.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"` + timestampLayout + `"`)), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Timestamp) UnmarshalJSON(text []byte) error {
	parsed, err := time.Parse(`"`+timestampLayout+`"`, string(text))
	t.Time = parsed
	return err
}

// Day is the UTC calendar day of an instant, yyyy-MM-dd.
func Day(at time.Time) string { return at.UTC().Format(time.DateOnly) }
