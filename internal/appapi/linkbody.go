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
	call.Widget, call.ExpiresIn = *widget, UsualLink
	if given := fields["expiresIn"]; given != nil {
		wanted, err := time.ParseDuration(*given)
		if err != nil || wanted < ShortestLink || wanted > LongestLink {
			return &Problem{Reason: ReasonInvalidBody, Field: "expiresIn"}
		}
		call.ExpiresIn = wanted
	}
	return nil
}

func validName(name string) bool { return len(name) <= maxName && nameForm.MatchString(name) }
