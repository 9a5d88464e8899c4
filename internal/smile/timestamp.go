package smile

import "time"

// layouts are the accepted forms of a point in time: RFC 3339, the same without a
// colon in the offset or without an offset (then UTC), and a day.
var layouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", time.DateOnly}

// timestamp reads a point in time. If it is absent, null or unreadable, it is the zero
// time, so that one bad date does not make a page of 150 entries unusable. If a time
// is required, the caller checks for zero.
type timestamp struct{ time.Time }

func (t *timestamp) UnmarshalJSON(data []byte) error {
	text, _ := asText(data)
	for _, layout := range layouts {
		if parsed, err := time.Parse(layout, text); err == nil {
			t.Time = parsed.UTC()
			return nil
		}
	}
	return nil
}

// pointer is nil for the zero time: the event has not happened yet.
func (t timestamp) pointer() *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t.Time
}
