package wink

import (
	"embed"
	"encoding/json"
	"maps"
	"sync"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

//go:embed assets
var assets embed.FS

func asset(name string) []byte {
	text, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic("a file of the hosted page is missing: " + err.Error())
	}
	return text
}

// The languages of the built-in texts.
const (
	english  = "en"
	filipino = "fil"
)

// ownTexts are the texts that are built into the page, by language and key.
var ownTexts = sync.OnceValue(func() map[string]map[string]string {
	var own map[string]map[string]string
	if err := json.Unmarshal(asset("texts.json"), &own); err != nil {
		panic("the texts of the hosted page: " + err.Error())
	}
	return own
})

// texts returns the texts of the page. Texts of the widget replace built-in ones. A text that a language lacks is in English.
func texts(messages []v1alpha1.PageMessages) map[string]map[string]string {
	all := map[string]map[string]string{}
	for language, own := range ownTexts() {
		all[language] = maps.Clone(own)
	}
	for _, given := range messages {
		if all[given.Language] == nil {
			all[given.Language] = map[string]string{}
		}
		for key, text := range given.Texts {
			if _, known := ownTexts()[english][key]; known {
				all[given.Language][key] = string(text)
			}
		}
	}
	return all
}
