package appapi

import (
	"encoding/json"
	"time"
)

// Bounds of how long a link is valid until it is opened.
const (
	ShortestLink = time.Minute
	UsualLink    = 10 * time.Minute
	LongestLink  = 24 * time.Hour
)

// readLinkBody reads the body of CreateLink: the fields widget and, perhaps, expiresIn.
func readLinkBody(call *Call, text []byte) error {
	var fields map[string]*string
	if json.Unmarshal(text, &fields) != nil || fields == nil {
		return NewProblem(ReasonInvalidBody)
	}
	for name := range fields {
		if name != "widget" && name != "expiresIn" {
			return NewProblem(ReasonInvalidBody)
		}
	}
	widget := fields["widget"]
	if widget == nil || !validName(*widget) {
		return &Problem{Reason: ReasonInvalidBody, Field: "widget"}
	}
	lasting, ok := linkSpan(fields["expiresIn"])
	if !ok {
		return &Problem{Reason: ReasonInvalidBody, Field: "expiresIn"}
	}
	call.Widget, call.ExpiresIn = *widget, lasting
	return nil
}

// linkSpan is how long a link is valid; nil means the usual time. It returns false if the text is no duration within the bounds.
func linkSpan(text *string) (time.Duration, bool) {
	if text == nil {
		return UsualLink, true
	}
	span, err := time.ParseDuration(*text)
	return span, err == nil && span >= ShortestLink && span <= LongestLink
}

func validName(name string) bool { return len(name) <= maxName && nameForm.MatchString(name) }
