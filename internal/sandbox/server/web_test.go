package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// fetch requests a page that is not part of an API.
func (b *box) fetch(path string, edits ...edit) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Host = "127.0.0.1"
	for _, e := range edits {
		e(r)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

func TestTheWidgetIsOneScriptForAnyOrigin(t *testing.T) {
	b := newBox(t, Options{})
	v2 := b.fetch("/v2/smile.v2.js")
	if v2.Code != http.StatusOK || !strings.HasPrefix(v2.Header().Get("Content-Type"), "text/javascript") {
		t.Fatalf("status %d, type %s", v2.Code, v2.Header().Get("Content-Type"))
	}
	if got := v2.Header().Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("allowed origin is %q", got)
	}
	if b.fetch("/v1/smile.v1.js").Body.String() != v2.Body.String() {
		t.Error("version 1 is another script")
	}
	if got := b.fetch("/v2/smile.v2.js", with("If-None-Match", v2.Header().Get("ETag"))); got.Code != http.StatusNotModified {
		t.Errorf("known, it is answered with %d", got.Code)
	}
	if got := len(b.Journal(0)); got != 0 {
		t.Errorf("%d calls in the journal", got)
	}
}
