package server

import (
	"bytes"
	"crypto/md5" //nolint:gosec // the API sends an MD5, nothing is secured by it
	"encoding/csv"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// export is an account's data as a file.
type export struct {
	id        string
	ordinal   int
	account   *account
	extension string
	createdAt time.Time
	content   []byte
}

type exportWire struct {
	ID          string         `json:"id"`
	AccountID   string         `json:"accountId"`
	Extension   string         `json:"exportExtensionType"`
	CreatedAt   wire.Timestamp `json:"createdAt"`
	DownloadURL string         `json:"downloadUrl"`
	MD5         string         `json:"md5"`
}

type exportRequest struct {
	Extension string `json:"exportExtensionType"`
}

var exportForm = validate.Form{validate.Required("exportExtensionType", validate.Text(1, 8, validate.OneOf("PDF", "CSV")))}

func generateExport(c *call) reply {
	req, wrong := validate.ReadForm[exportRequest](c.body, exportForm)
	if wrong != nil {
		return badRequest(wrong)
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	a, found := c.tenant.accounts.byID[c.id()]
	if !found || a.status == Disconnected {
		return missing()
	}
	made := &export{
		id: c.box.ids.Next("export-"), ordinal: len(c.tenant.exports.order), account: a, extension: req.Extension,
		createdAt: c.now, content: c.tenant.exportFile(a, req.Extension),
	}
	c.tenant.exports.add(made.id, made)
	c.tenant.commit(made)
	c.userID, c.committed = a.owner.id, true
	sum := md5.Sum(made.content) //nolint:gosec // as above
	return ok(exportWire{
		ID: made.id, AccountID: a.id, Extension: made.extension, CreatedAt: wire.Timestamp{Time: made.createdAt},
		DownloadURL: origin(c.request) + "/_sandbox/exports/" + made.id, MD5: hex.EncodeToString(sum[:]),
	})
}

// origin is the URL by which the caller has reached the sandbox, without a
// path.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// exportFile is all data of an account, one row per item. The caller holds mu
// for writing.
func (t *tenant) exportFile(a *account, extension string) []byte {
	rows := [][]string{{"datapoint", "item"}}
	for _, d := range fixtures.Datapoints {
		for _, i := range t.box.linker.materialize(t, a, d.Path) {
			rows = append(rows, []string{d.Name, string(i.payload)})
		}
	}
	if extension == "CSV" {
		var file bytes.Buffer
		_ = csv.NewWriter(&file).WriteAll(rows)
		return file.Bytes()
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = strings.Map(printable, row[0]+": "+row[1])
	}
	return fixtures.PDF(lines)
}

// printable removes what a line of a PDF cannot contain unescaped.
func printable(r rune) rune {
	if r < ' ' || r > '~' || strings.ContainsRune(`()\`, r) {
		return -1
	}
	return r
}

// serveExport serves the file while the account has data.
func (s *Sandbox) serveExport(w http.ResponseWriter, r *http.Request) {
	for _, t := range s.tenants {
		t.catchUp(s.clock.Now())
		t.mu.RLock()
		made, ok := t.exports.byID[chi.URLParam(r, "id")]
		alive := ok && made.account.status != Disconnected && len(made.account.refreshes) > 0
		t.mu.RUnlock()
		if alive {
			w.Header().Set("Content-Type", map[string]string{"PDF": "application/pdf", "CSV": "text/csv; charset=utf-8"}[made.extension])
			_, _ = w.Write(made.content)
			return
		}
	}
	answering(func(*http.Request) (any, error) { return nil, notFound("export", chi.URLParam(r, "id")) })(w, r)
}

// disableMonitor stops the continuous synchronization of an account
// permanently.
func disableMonitor(c *call) reply {
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	a, ok := c.tenant.accounts.byID[c.id()]
	if !ok || a.status == Disconnected {
		return missing()
	}
	a.monitorOff = true
	a.updateMonitor(c.now)
	c.tenant.commit(a)
	c.userID, c.committed = a.owner.id, true
	return done()
}
