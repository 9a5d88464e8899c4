package server

import (
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
)

// prediction is what was read from a payslip, with scores up to 100 for how
// well name and numbers match. The score of an unknown number is absent.
type prediction struct {
	fixtures.Payslip
	Match    matchResult `json:"matchResult"`
	Metadata reference   `json:"metadata"`
}

type matchResult struct {
	Identification *int `json:"employeeNameAndIdentificationNumberMatchScore,omitempty"`
	SSNumber       *int `json:"employeeNameAndSsNumberMatchScore,omitempty"`
}

func (a *archive) prediction() prediction {
	shown := prediction{Payslip: *a.payslip, Metadata: a.reference(a.updatedAt)}
	if a.payslip.SSNumber != nil {
		shown.Match.SSNumber = new(100)
	}
	return shown
}

func (a *archive) isPredicted() bool { return a.status == analyzed && a.payslip != nil }

type payslipUpload struct {
	UserID string `json:"userId"`
	fileRequest
}

var payslipUploadForm = validate.Form{
	validate.Required("userId", validate.Text(1, validate.MaxIDLength)),
	validate.Required("fileContent", validate.Base64(maxFile)),
	validate.Required("fileExtensionType", validate.Text(1, 8, validate.OneOf(fileFormats...))),
}

func uploadPayslip(c *call) reply {
	req, wrong := validate.ReadForm[payslipUpload](c.body, payslipUploadForm)
	if wrong != nil {
		return badRequest(wrong)
	}
	return c.file(archiveRequest{UserID: req.UserID, FileType: "PAYSLIP", RawFiles: []fileRequest{req.fileRequest}}, analyzeArchive)
}

func queryPrediction(c *call) reply {
	if c.filter("archiveId") == "" {
		return badRequest(validate.Wrong("archiveId", validate.ID("")))
	}
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	a, found := c.tenant.archives.byID[c.filter("archiveId")]
	if !found || !a.isPredicted() {
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
	ArchiveID string            `json:"archiveId"`
	ValidFile bool              `json:"validFile"`
	Data      *fixtures.Payslip `json:"data"`
}

var manualResultForm = validate.Form{
	validate.Required("archiveId", validate.Text(1, validate.MaxIDLength)),
	validate.Required("validFile", validate.Bool),
	validate.Optional("checkedFields", validate.List(0, validate.Text(1, 64))),
	validate.Optional("data", validate.Object(validate.Form{
		validate.Optional("startDate", validate.Text(1, 10, validate.Date)),
		validate.Optional("endDate", validate.Text(1, 10, validate.Date)),
		validate.Optional("payDate", validate.Text(1, 10, validate.Date)),
		validate.Optional("currency", validate.Text(3, 3)),
		validate.Optional("grossAmount", validate.Number),
		validate.Optional("netAmount", validate.Number),
		validate.Optional("employerName", validate.Text(0, 200)),
		validate.Optional("employeeName", validate.Text(0, 200)),
		validate.Optional("ssNumber", validate.Text(0, 64)),
		validate.Optional("philHealthNumber", validate.Text(0, 64)),
		validate.Optional("taxNumber", validate.Text(0, 64)),
		validate.Optional("pagIbigNumber", validate.Text(0, 64)),
	})),
}

// sendManualResult lets a reviewer correct what was read.
func sendManualResult(c *call) reply {
	req, wrong := validate.ReadForm[manualResult](c.body, manualResultForm)
	if wrong != nil {
		return badRequest(wrong)
	}
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	a, ok := c.tenant.archives.byID[req.ArchiveID]
	if !ok || a.status == revoked {
		return missing()
	}
	c.tenant.correct(a, req, c.now)
	c.userID, c.committed = a.owner.id, true
	return done()
}

// correct replaces the sandbox's reading of a payslip by a reviewer's. The
// caller holds mu.
func (t *tenant) correct(a *archive, by manualResult, at time.Time) {
	a.updatedAt = at
	if by.ValidFile {
		a.status, a.errorCode, a.errorMessage, a.payslip = analyzed, "", "", by.Data
	} else {
		a.status, a.errorCode, a.errorMessage, a.payslip = failed, "INVALID_FIELD_FORMAT", "A person found the file invalid.", nil
	}
	t.commit(a, archiveStatusEvents(a, at)...)
}
