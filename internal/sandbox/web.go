package sandbox

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"sync"
	"time"
)

//go:embed web
var webFiles embed.FS

// widgetParts are the files of the widget in the order in which they are put
// together. It is one classic script, because host pages load one.
var widgetParts = []string{"options.js", "dom.js", "api.js", "session.js", "pages_start.js", "pages_account.js", "modal.js"}

// widget is the script, with its style sheet as a string inside. Its parts see
// each other, and the host page sees none of them.
var widget = sync.OnceValue(func() []byte {
	var script bytes.Buffer
	script.WriteString("(() => {\n\"use strict\";\nconst STYLES = ")
	script.Write(encode(string(webFile("widget/widget.css"))))
	script.WriteString(";\n")
	for _, part := range widgetParts {
		script.Write(webFile("widget/" + part))
	}
	script.WriteString("})();\n")
	return script.Bytes()
})

func webFile(name string) []byte {
	text, err := webFiles.ReadFile("web/" + name)
	if err != nil {
		panic("the sandbox lacks a file of its own: " + err.Error())
	}
	return text
}

// serveWidget gives the widget to any page, whatever its origin.
func serveWidget(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	serveText(w, r, "text/javascript; charset=utf-8", widget())
}

func serveText(w http.ResponseWriter, r *http.Request, media string, text []byte) {
	sum := sha256.Sum256(text)
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}
