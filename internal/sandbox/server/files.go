package server

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

// maxFiles bounds the content of uploaded files that is kept in memory, in bytes.
const maxFiles = 64 << 20

// homed completes the URLs in a response: they start with the address at which
// the caller has reached the sandbox.
func homed(body []byte, r *http.Request) []byte {
	if !bytes.Contains(body, []byte(fixtures.Home)) {
		return body
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return bytes.ReplaceAll(body, []byte(fixtures.Home), []byte(scheme+"://"+r.Host))
}

func fileURL(owner *user, id string) string {
	return fixtures.Home + "/tenants/sandbox/users/" + owner.id + "/files/" + id
}

// serveLogo serves the logo of any provider or file type.
func serveLogo(w http.ResponseWriter, r *http.Request) {
	id, isPNG := strings.CutSuffix(chi.URLParam(r, "file"), ".png")
	if !isPNG {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "max-age=86400")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = w.Write(fixtures.Logo(id)) //nolint:gosec // a drawing, which contains nothing of the request
}

var mediaTypes = map[string]string{"PDF": "application/pdf", "PNG": "image/png", "JPG": "image/jpeg", "JPEG": "image/jpeg"}

// serveFile serves an uploaded file. Its URL is a secret, as at the vendor. The
// content of the sample survives a restart, that of other files does not.
func (s *Sandbox) serveFile(w http.ResponseWriter, r *http.Request) {
	file, sample, found := s.findFile(chi.URLParam(r, "user"), chi.URLParam(r, "id"))
	if !found {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	content, kept := s.files.Get(file.ID)
	if !kept && sample {
		content, kept = fixtures.SamplePayslip(), true
	}
	if !kept {
		http.Error(w, "the sandbox keeps files in memory, and has forgotten this one", http.StatusGone)
		return
	}
	w.Header().Set("Content-Type", mediaTypes[file.Format])
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(content)
}

// findFile finds a file of a user, unless its archive was revoked.
func (s *Sandbox) findFile(userID, id string) (file rawFile, sample, found bool) {
	for _, t := range s.tenants {
		t.mu.RLock()
		defer t.mu.RUnlock()
		u, ok := t.users.byID[userID]
		if !ok {
			continue
		}
		for _, a := range u.archives {
			for _, f := range a.files {
				if f.ID == id && a.status != revoked {
					return f, a.sample, true
				}
			}
		}
	}
	return rawFile{}, false, false
}
