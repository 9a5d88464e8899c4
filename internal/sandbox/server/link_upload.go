package server

import (
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
)

// uploadOperations is the part of the Link API for documents.
func uploadOperations() []*operation {
	return []*operation{
		{method: "GET", path: "/link/fileTypes", id: "link-list-file-types", handle: forUser(listLinkFileTypes)},
		{
			method: "POST", path: "/link/archives", id: "link-create-archive", handle: forUser(createLinkArchive),
			maxBody: maxArchiveBody,
		},
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

// linkArchiveForm is an archive of the session's user, with a type.
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
	a, ok := c.tenant.archives.byID[c.id()]
	switch {
	case !ok || a.status == revoked:
		return missing()
	case a.owner != u:
		return belongsToAnother("archive")
	}
	c.tenant.revokeArchive(a, c.now)
	c.committed = true
	return done()
}

// uploads are the user's archives that were not revoked.
func (u *user) uploads() []archiveWire {
	shown := []archiveWire{}
	for _, a := range u.archives {
		if a.status != revoked {
			shown = append(shown, a.wire())
		}
	}
	return shown
}
