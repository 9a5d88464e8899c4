package sandbox

import (
	"encoding/json"
	"time"
)

// prediction is what was read from a payslip, and how well names and numbers
// belong together: a score up to 100, null where a number is unknown.
type prediction struct {
	payslip
	Match    matchResult `json:"matchResult"`
	Metadata reference   `json:"metadata"`
}

type matchResult struct {
	Identification *int `json:"employeeNameAndIdentificationNumberMatchScore,omitempty"`
	SSNumber       *int `json:"employeeNameAndSsNumberMatchScore,omitempty"`
}

func (a *archive) prediction() prediction {
	shown := prediction{payslip: *a.payslip, Metadata: a.reference(a.updatedAt)}
	if a.payslip.SSNumber != nil {
		shown.Match.SSNumber = ptr(100)
	}
	return shown
}

func (a *archive) isPredicted() bool { return a.status == analyzed && a.payslip != nil }

type payslipUpload struct {
	UserID string `json:"userId"`
	fileRequest
}

var payslipUploadForm = form{
	{"userId", true, aText(1, maxIDLength)},
	{"fileContent", true, aFile},
	{"fileExtensionType", true, aText(1, 8, oneOf(fileFormats...))},
}

func uploadPayslip(c *call) reply {
	req, wrong := readForm[payslipUpload](c.body, payslipUploadForm)
	if wrong != nil {
		return wrong.reply()
	}
	return c.file(archiveRequest{UserID: req.UserID, FileType: "PAYSLIP", RawFiles: []fileRequest{req.fileRequest}}, analyzeArchive)
}

func queryPrediction(c *call) reply {
	if c.filter("archiveId") == "" {
		return (&problem{"archiveId", identifier("")}).reply()
	}
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	a, known := c.tenant.archives.byID[c.filter("archiveId")]
	if !known || !a.isPredicted() {
		return missing()
	}
	c.userID = a.owner.id
	return ok(a.prediction())
}

func listPredictions(c *call) reply {
	start, end := c.filter("startDate"), c.filter("endDate")
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	return paginate(c, c.tenant.archives.after(c.paging.from),
		func(a *archive) bool { return a.isPredicted() && c.during(a.createdAt, start, end) },
		func(a *archive) any { return a.prediction() })
}

type manualResult struct {
	ArchiveID string   `json:"archiveId"`
	ValidFile bool     `json:"validFile"`
	Data      *payslip `json:"data"`
}

var manualResultForm = form{
	{"archiveId", true, aText(1, maxIDLength)},
	{"validFile", true, aBool},
	{"checkedFields", false, aList(0, aText(1, 64))},
	{"data", false, aForm(form{
		{"startDate", false, aText(1, 10, date)},
		{"endDate", false, aText(1, 10, date)},
		{"payDate", false, aText(1, 10, date)},
		{"currency", false, aText(3, 3)},
		{"grossAmount", false, aNumber},
		{"netAmount", false, aNumber},
		{"employerName", false, aText(0, 200)},
		{"employeeName", false, aText(0, 200)},
		{"ssNumber", false, aText(0, 64)},
		{"philHealthNumber", false, aText(0, 64)},
		{"taxNumber", false, aText(0, 64)},
		{"pagIbigNumber", false, aText(0, 64)},
	})},
}

// sendManualResult lets a person correct what was read.
func sendManualResult(c *call) reply {
	req, wrong := readForm[manualResult](c.body, manualResultForm)
	if wrong != nil {
		return wrong.reply()
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	a, known := c.tenant.archives.byID[req.ArchiveID]
	if !known || a.status == revoked {
		return missing()
	}
	c.tenant.correct(a, req, c.now)
	c.userID, c.committed = a.owner.id, true
	return done()
}

// correct puts a person's reading of a payslip in the place of the sandbox's.
// The caller holds mu.
func (t *tenant) correct(a *archive, by manualResult, at time.Time) {
	a.updatedAt = at
	if by.ValidFile {
		a.status, a.errorCode, a.errorMessage, a.payslip = analyzed, "", "", by.Data
	} else {
		a.status, a.errorCode, a.errorMessage, a.payslip = failed, "INVALID_FIELD_FORMAT", "A person found the file invalid.", nil
	}
	t.commit(a, archiveMoved(a, at)...)
}

func aNumber(raw json.RawMessage) *problem {
	var value *json.Number
	if err := json.Unmarshal(raw, &value); err != nil || value == nil || len(raw) > 0 && raw[0] == '"' {
		return &problem{"", "must be a number"}
	}
	return nil
}
