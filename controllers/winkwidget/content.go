package winkwidget

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/linktoken"
	"github.com/smile-operator/smile-operator/internal/output"
)

// Keys of the ConfigMap.
const (
	keyDocument = "wink.json"
	keyPage     = "index.html"
	keyScript   = "wink.js"
)

// The example page and its script.
var (
	//go:embed files/index.html
	page []byte
	//go:embed files/wink.js
	script []byte
)

// document is wink.json: everything that a site needs besides a link token.
type document struct {
	ScriptURL  string                  `json:"scriptUrl"`
	APIHost    string                  `json:"apiHost"`
	Mode       string                  `json:"mode"`
	TemplateID string                  `json:"templateId,omitempty"`
	Options    *v1alpha1.WidgetOptions `json:"options,omitempty"`
}

// contentOf is what the ConfigMap of a widget holds. It depends on the spec and on the connection only.
func contentOf(widget *v1alpha1.SmileWinkWidget) (output.Content, error) {
	text, err := json.MarshalIndent(document{
		ScriptURL: widget.Status.ScriptURL, APIHost: widget.Status.APIHost, Mode: linktoken.ModeName(widget.Status.Mode),
		TemplateID: widget.Spec.TemplateID, Options: widget.Spec.Options,
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	return output.Content{keyDocument: append(text, '\n'), keyPage: page, keyScript: script}, nil
}

func keysOf(content output.Content) []string { return slices.Sorted(maps.Keys(content)) }
