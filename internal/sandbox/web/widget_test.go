package web

import (
	"strings"
	"testing"
)

func TestTheWidgetHasAllItsParts(t *testing.T) {
	for _, part := range widgetParts {
		if !strings.Contains(string(widget()), string(webFile("widget/"+part))) {
			t.Errorf("%s is missing", part)
		}
	}
}

// TestTheWidgetNeedsNothingFromElsewhere: the widget must not depend on the
// host page's policies, nor load anything from elsewhere.
func TestTheWidgetNeedsNothingFromElsewhere(t *testing.T) {
	script := string(widget())
	for _, banned := range []string{"innerHTML", "eval(", "localStorage", "sessionStorage", "document.cookie", "indexedDB", "import "} {
		if strings.Contains(script, banned) {
			t.Errorf("the widget uses %s", banned)
		}
	}
	for rest := script; ; {
		_, after, found := strings.Cut(rest, "://")
		if !found {
			break
		}
		if !strings.HasPrefix(after, "www.w3.org/2000/svg") {
			t.Errorf("the widget names an address: %.40s", after)
		}
		rest = after
	}
}
