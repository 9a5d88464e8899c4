// Package web is what the sandbox serves to browsers: the widget's script and the
// overview page.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

//go:embed page widget
var webFiles embed.FS

// widgetParts are the files of the widget in the order in which they are joined to
// one classic script, which is what host pages load.
var widgetParts = []string{
	"options.js", "dom.js", "api.js", "session.js", "pages_start.js", "pages_account.js",
	"pages_upload.js", "modal.js",
}

// widget is the script, which contains its style sheet as a string. Its parts see
// each other; the host page sees none of them.
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

// pageParts are the scripts of the overview page in their order.
var pageParts = []string{"core.js", "inspector.js", "lists.js", "start.js", "actions.js"}

// page is the overview page as one file, and pageScript is its script.
var (
	page = sync.OnceValue(func() []byte {
		text := bytes.Replace(webFile("page/page.html"), []byte("/*page.css*/"), webFile("page/page.css"), 1)
		return bytes.Replace(text, []byte("/*page.js*/"), pageScript(), 1)
	})
	pageScript = sync.OnceValue(func() []byte {
		var script bytes.Buffer
		for _, part := range pageParts {
			script.Write(webFile("page/" + part))
		}
		return script.Bytes()
	})
)

func webFile(name string) []byte {
	text, err := webFiles.ReadFile(name)
	if err != nil {
		panic("a file of the sandbox is missing: " + err.Error())
	}
	return text
}

// ServeWidget serves the widget to pages of any origin.
func ServeWidget(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	serveText(w, r, "text/javascript; charset=utf-8", widget())
}

// pagePolicy allows the overview page only its own script, the widget, and
// requests to the sandbox.
var pagePolicy = sync.OnceValue(func() string {
	sum := sha256.Sum256(pageScript())
	return "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
		"script-src 'self' 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
})

// ServePage serves the overview page.
func ServePage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", pagePolicy())
	w.Header().Set("Referrer-Policy", "no-referrer")
	serveText(w, r, "text/html; charset=utf-8", page())
}

func serveText(w http.ResponseWriter, r *http.Request, media string, text []byte) {
	sum := sha256.Sum256(text)
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}
