package sandbox

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

//go:embed web
var webFiles embed.FS

// widgetParts are the files of the widget in the order in which they are put
// together. It is one classic script, because host pages load one.
var widgetParts = []string{"options.js", "dom.js", "api.js", "session.js", "pages_start.js", "pages_account.js", "pages_upload.js", "modal.js"}

// widget is the script, with its style sheet as a string inside. Its parts see
// each other, and the host page sees none of them.
var widget = sync.OnceValue(func() []byte {
	var script bytes.Buffer
	script.WriteString("(() => {\n\"use strict\";\nconst STYLES = ")
	script.Write(wire.Encode(string(webFile("widget/widget.css"))))
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

// pagePolicy lets the page run its own script and no other but the widget, and
// talk to the sandbox alone.
var pagePolicy = sync.OnceValue(func() string {
	_, rest, _ := strings.Cut(string(webFile("page.html")), "<script>")
	script, _, _ := strings.Cut(rest, "</script>")
	sum := sha256.Sum256([]byte(script))
	return "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
		"script-src 'self' 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
})

// servePage gives the page for people.
func servePage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", pagePolicy())
	w.Header().Set("Referrer-Policy", "no-referrer")
	serveText(w, r, "text/html; charset=utf-8", webFile("page.html"))
}

func serveText(w http.ResponseWriter, r *http.Request, media string, text []byte) {
	sum := sha256.Sum256(text)
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}
