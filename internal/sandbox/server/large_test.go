package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) { u.t.Error("the body was read"); return 0, io.EOF }

func TestLargeUploadIsRefusedUnread(t *testing.T) {
	b := newBox(t, Options{})
	r := httptest.NewRequest(http.MethodPost, "/v1/archives", unread{t})
	r.ContentLength = 80 << 20
	r.SetBasicAuth("sandbox-key", "sandbox-secret")
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || w.Header().Get("Connection") != "close" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}
