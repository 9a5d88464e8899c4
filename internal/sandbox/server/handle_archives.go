package server

import (
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
)

var (
	fileFormats  = []string{"PDF", "PNG", "JPG", "JPEG"}
	fileSubtypes = []string{
		"PAYSLIP", "PERSONAL_INFORMATION", "EMPLOYMENT_INFORMATION", "TAX_PAYMENT",
		"COMPANY_ID_FRONT", "COMPANY_ID_BACK", "CARD_FRONT", "CARD_BACK",
	}

	rawFileForm = validate.Form{
		validate.Required("fileContent", validate.Base64(maxFile)),
		validate.Required("fileExtensionType", validate.Text(1, 8, validate.OneOf(fileFormats...))),
		validate.Optional("fileSubtype", validate.Text(1, 64, validate.OneOf(fileSubtypes...))),
		validate.Optional("fileName", validate.Text(1, 200)),
	}
	classifyForm = validate.Form{
		validate.Optional("userId", validate.Text(1, validate.MaxIDLength)),
		validate.Required("rawFiles", validate.List(1, validate.Object(rawFileForm))),
	}
	archiveForm = append(validate.Form{
		validate.Optional("fileType", validate.Text(1, 64, validate.OneOf(fixtures.ArchiveTypes()...))),
	}, classifyForm...)
)

// createArchive handles the two operations that differ in form and task.
func createArchive(wanted validate.Form, taskKind string) func(*call) reply {
	return func(c *call) reply {
		req, wrong := validate.ReadForm[archiveRequest](c.body, wanted)
		if wrong != nil {
			return badRequest(wrong)
		}
		return c.file(req, taskKind)
	}
}

// file stores the files of a request. Without a user id it creates a user.
func (c *call) file(req archiveRequest, taskKind string) reply {
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	owner, found := c.tenant.users.byID[req.UserID]
	if req.UserID != "" && !found {
		return missing()
	}
	a := c.tenant.file(owner, req, taskKind, c.now)
	c.userID, c.committed = a.owner.id, true
	return ok(a.wire())
}

// listArchives lists archives as one of the two APIs shows them.
func listArchives(wire func(*archive) any) func(*call) reply {
	return func(c *call) reply {
		c.userID = c.filter("userId")
		start, end := c.filter("startDate"), c.filter("endDate")
		wanted := func(a *archive) bool {
			return matches(a.owner.id, c.userID) && matches(a.fileType, c.filter("fileType")) && c.during(a.createdAt, start, end)
		}
		c.tenant.mu.RLock()
		defer c.tenant.mu.RUnlock()
		return paginate(c, c.tenant.archives.after(c.paging.from), wanted, wire)
	}
}

func getArchive(wire func(*archive) any) func(*call) reply {
	return func(c *call) reply {
		c.tenant.mu.RLock()
		defer c.tenant.mu.RUnlock()
		a, found := c.tenant.archives.byID[c.id()]
		if !found {
			return missing()
		}
		c.userID = a.owner.id
		return ok(wire(a))
	}
}

func deleteArchive(c *call) reply {
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	a, ok := c.tenant.archives.byID[c.id()]
	if !ok || a.status == revoked {
		return c.deletedAlready(ok)
	}
	c.tenant.revokeArchive(a, c.now)
	c.userID, c.committed = a.owner.id, true
	return done()
}

func asArchive(a *archive) any { return a.wire() }
func asUpload(a *archive) any  { return a.upload() }
