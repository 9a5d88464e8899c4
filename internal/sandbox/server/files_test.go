package server

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// path returns the path of a URL, which must be at the address that the caller used.
func (b *box) path(url string) string {
	b.t.Helper()
	path, here := strings.CutPrefix(url, "http://127.0.0.1")
	if !here {
		b.t.Fatalf("the URL %s is elsewhere", url)
	}
	return path
}

func TestLogos(t *testing.T) {
	b := newBox(t, Options{})
	_, token := b.newcomer()
	seen := map[string]string{}
	for list, edits := range map[string][]edit{"/v1/providers?size=150": nil, "/v1/fileTypes?size=150": nil, "/v1/link/providers": {bearer(token)}} {
		for _, row := range decode[rows](t, b.get(list, edits...).must(t, 200).Data).Items {
			url := decode[struct{ LogoURL string }](t, row).LogoURL
			got := b.fetch(b.path(url))
			if got.Code != http.StatusOK || got.Header().Get("Content-Type") != "image/png" {
				t.Fatalf("%s: status %d, type %s", url, got.Code, got.Header().Get("Content-Type"))
			}
			if _, err := png.Decode(bytes.NewReader(got.Body.Bytes())); err != nil {
				t.Errorf("%s: %v", url, err)
			}
			if other, twice := seen[got.Body.String()]; twice && other != url {
				t.Errorf("%s and %s are the same", url, other)
			}
			seen[got.Body.String()] = url
		}
	}
	if got := b.fetch(fixtures.LogoPath + "x.svg").Code; got != http.StatusNotFound {
		t.Errorf("another type: status %d", got)
	}
}

func TestFilesCanBeRead(t *testing.T) {
	options := Options{Data: t.TempDir()}
	b := newBox(t, options)
	userID := b.newUser()
	upload := func(content []byte) (id, path string) {
		body := wire.Encode(map[string]any{"userId": userID, "rawFiles": []map[string]string{{
			"fileContent": base64.StdEncoding.EncodeToString(content), "fileExtensionType": "PDF",
		}}})
		made := decode[archiveWire](t, b.call(http.MethodPost, "/v1/archives", string(body)).must(t, 200).Data)
		return made.ID, b.path(made.RawFiles[0].URL)
	}
	sample, samplePath := upload(fixtures.SamplePayslip())
	_, otherPath := upload([]byte("%PDF another"))
	if got := b.fetch(otherPath); got.Code != 200 || got.Body.String() != "%PDF another" || got.Header().Get("Content-Type") != "application/pdf" {
		t.Errorf("status %d, %s", got.Code, got.Body)
	}
	options.Now, options.Seed = b.wall.now, "test"
	b = reopened(t, b, options)
	if got := b.fetch(samplePath); got.Code != 200 || !bytes.Equal(got.Body.Bytes(), fixtures.SamplePayslip()) {
		t.Errorf("the sample after a restart: status %d", got.Code)
	}
	if got := b.fetch(otherPath).Code; got != http.StatusGone {
		t.Errorf("another file after a restart: status %d", got)
	}
	b.call(http.MethodDelete, "/v1/archives/"+sample, "").must(t, 200)
	for _, gone := range []string{samplePath, strings.Replace(otherPath, userID, "nobody", 1)} {
		if got := b.fetch(gone).Code; got != http.StatusNotFound {
			t.Errorf("%s: status %d", gone, got)
		}
	}
}
