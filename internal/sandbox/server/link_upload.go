package server

import (
	"net/http"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
)

// uploadOperations is the part of the Link API that takes documents in.
func uploadOperations() []*operation {
	return []*operation{
		{method: "GET", path: "/link/fileTypes", id: "link-list-file-types", handle: forUser(listLinkFileTypes)},
		{method: "POST", path: "/link/archives", id: "link-create-archive", handle: forUser(createLinkArchive), maxBody: maxArchiveBody},
		{method: "DELETE", path: "/link/archives/{id}", id: "link-delete-archive", handle: forUser(deleteLinkArchive)},
	}
}

func listLinkFileTypes(*call, *user) reply {
	items := make([]any, 0, len(fixtures.FileTypes))
	for _, f := range fixtures.FileTypes {
		if f.Active && f.Enabled {
			items = append(items, f)
		}
	}
	return ok(page{Items: items})
}

// linkArchiveForm is an archive whose owner is known and whose type is chosen.
var linkArchiveForm = validate.Form{
	validate.Required("fileType", validate.Text(1, 64, validate.OneOf(fixtures.ArchiveTypes()...))),
	validate.Required("rawFiles", validate.List(1, validate.Object(rawFileForm))),
}

func createLinkArchive(c *call, u *user) reply {
	wanted, wrong := validate.ReadForm[archiveRequest](c.body, linkArchiveForm)
	if wrong != nil {
		return badRequest(wrong)
	}
	wanted.provider = userProvided
	c.committed = true
	return ok(c.tenant.file(u, wanted, analyzeArchive, c.now).wire())
}

func deleteLinkArchive(c *call, u *user) reply {
	a, known := c.tenant.archives.byID[c.id()]
	switch {
	case !known || a.status == revoked:
		return missing()
	case a.owner != u:
		return refuse(http.StatusForbidden, "The archive belongs to another user.")
	}
	c.tenant.withdraw(a, c.now)
	c.committed = true
	return done()
}

// uploads is the archives of a user that were not revoked.
func (u *user) uploads() []archiveWire {
	shown := []archiveWire{}
	for _, a := range u.archives {
		if a.status != revoked {
			shown = append(shown, a.wire())
		}
	}
	return shown
}
