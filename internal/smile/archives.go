package smile

import (
	"context"
	"iter"
	"net/url"
)

// ArchiveStatus is how far the analysis of an archive is. The set is open.
type ArchiveStatus string

// The archive statuses that are documented.
const (
	ArchiveStarted     ArchiveStatus = "STARTED"
	ArchiveAnalyzed    ArchiveStatus = "ANALYZED"
	ArchiveUnsupported ArchiveStatus = "UNSUPPORTED"
	ArchiveError       ArchiveStatus = "ERROR"
	ArchiveRevoked     ArchiveStatus = "REVOKED"
)

// Archive is a set of documents that a user has uploaded. Nothing of its contents
// is kept.
type Archive struct {
	ID     string
	UserID string
	Status ArchiveStatus
}

type archiveWire struct {
	ID     string `json:"id"`
	UserID string `json:"userId"`
	State  struct {
		Status enum `json:"status"`
	} `json:"state"`
}

func (w archiveWire) domain() (Archive, error) {
	archive := Archive{ID: w.ID, UserID: w.UserID, Status: ArchiveStatus(w.State.Status)}
	if w.UserID != "" && !validID(w.UserID) {
		return archive, ProblemBadID
	}
	return archive, checkID(w.ID)
}

// ArchiveFilter narrows a listing of archives to those of a user.
type ArchiveFilter struct{ UserID string }

// Archives lists archives.
func (c *Client) Archives(ctx context.Context, by ArchiveFilter) iter.Seq2[Archive, error] {
	return listOf[archiveWire](ctx, c, call{
		operation: opListArchives,
		path:      []string{"archives"},
		query:     url.Values(filter{}.text("userId", by.UserID)),
		bounds:    ofOwner(owner{userID: by.UserID}),
	}, owner{userID: by.UserID}, func(a Archive) Source { return Source{UserID: a.UserID} })
}

// RevokeArchive deletes an archive and its data at Smile, irrevocably.
func (m *Mutator) RevokeArchive(ctx context.Context, id string) error {
	return m.deleteByID(ctx, opDeleteArchive, "archives", id)
}
