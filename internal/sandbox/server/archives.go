package server

import (
	"cmp"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// archive is a set of uploaded files. The content of the files is in the sandbox's
// ring of files.
type archive struct {
	id        string
	ordinal   int
	owner     *user
	provider  string // tenantProvided or userProvided
	fileType  string // "" if unknown
	createdAt time.Time
	files     []rawFile
	sample    bool // one of the files is the sample payslip

	status       string
	errorCode    string
	errorMessage string
	updatedAt    time.Time
	payslip      *fixtures.Payslip // nil until it was read
}

// The states of an archive.
const (
	started  = "STARTED"
	analyzed = "ANALYZED"
	failed   = "ERROR"
	revoked  = "REVOKED"
)

// Limits on the files of an archive.
const (
	maxFile = 15 << 20 // bytes
	// maxArchiveBody is room for three of the largest files.
	maxArchiveBody = 64 << 20
)

// The providers of files: the tenant through the API, or the user through the
// widget.
const (
	tenantProvided = "tenant-provided"
	userProvided   = "user-provided"
)

type rawFile struct {
	ID        string         `json:"id"`
	CreatedAt wire.Timestamp `json:"createdAt"`
	Name      string         `json:"name"`
	SubType   *string        `json:"subType"`
	Size      int            `json:"size"` // kilobytes
	Format    string         `json:"format"`
	URL       string         `json:"url"`
}

type archiveRequest struct {
	UserID   string        `json:"userId,omitempty"`
	FileType string        `json:"fileType,omitempty"`
	RawFiles []fileRequest `json:"rawFiles"`

	provider string // default tenantProvided
}

type fileRequest struct {
	Content   string  `json:"fileContent"`
	Extension string  `json:"fileExtensionType"`
	Subtype   *string `json:"fileSubtype,omitempty"`
	Name      string  `json:"fileName,omitempty"`
}

// content is the file itself. The form has checked the base64.
func (f fileRequest) content() []byte {
	content, _ := base64.StdEncoding.DecodeString(f.Content)
	return content
}

func (a *archive) wire() archiveWire {
	shown := archiveWire{uploadWire: a.upload()}
	if a.payslip != nil && a.status == analyzed {
		shown.Classification = &classification{"PAYSLIP"}
		shown.Analysis = a.payslip
		shown.Extraction = &extraction{"PAYSLIP", a.payslip}
		shown.Validation = passed("PAYSLIP")
	}
	return shown
}

// upload is the archive as the older API shows it.
func (a *archive) upload() uploadWire {
	shown := uploadWire{
		ID: a.id, CreatedAt: wire.Timestamp{Time: a.createdAt}, ProviderID: a.provider, UserID: a.owner.id,
		State:    archiveState{Status: a.status, UpdatedAt: wire.Timestamp{Time: a.updatedAt}},
		RawFiles: append([]rawFile{}, a.files...),
	}
	if a.fileType != "" {
		shown.Type = &a.fileType
	}
	if a.errorCode != "" {
		shown.State.ErrorCode, shown.State.ErrorMessage = &a.errorCode, &a.errorMessage
	}
	return shown
}

func (a *archive) reference(itemCreatedAt time.Time) reference {
	return reference{
		CreatedAt: wire.Timestamp{Time: a.createdAt}, ItemCreatedAt: wire.Timestamp{Time: itemCreatedAt},
		SourceID: a.id, SourceType: "ARCHIVE", UserID: a.owner.id, ProviderID: a.provider,
	}
}

// file stores files and starts a task that reads them. If owner is nil, it
// creates a user. The caller holds mu.
func (t *tenant) file(owner *user, wanted archiveRequest, taskKind string, at time.Time) *archive {
	ids := t.box.ids
	if owner == nil {
		owner = t.addUser(ids, nil, at)
	}
	a := &archive{
		id: ids.Next("u-"), ordinal: len(t.archives.order), owner: owner, fileType: wanted.FileType,
		provider: cmp.Or(wanted.provider, tenantProvided), createdAt: at, status: started, updatedAt: at,
	}
	for i, f := range wanted.RawFiles {
		content := f.content()
		a.sample = a.sample || fixtures.IsSample(content)
		file := newRawFile(ids.Next("f-"), owner, f, len(content), i, at)
		a.files = append(a.files, file)
		t.box.files.Put(file.ID, content, len(content))
	}
	t.archives.add(a.id, a)
	owner.archives = append(owner.archives, a)
	t.commit(a, archiveStatusEvents(a, at)...)
	t.schedule(at.Add(t.box.linker.dataLife), archiveExpired{a})
	t.box.linker.startTask(t, &task{kind: taskKind, archive: a}, at)
	t.settle(at)
	return a
}

func newRawFile(id string, owner *user, f fileRequest, size, index int, at time.Time) rawFile {
	name := f.Name
	if name == "" {
		name = "file-" + strconv.Itoa(index+1)
	}
	return rawFile{
		ID: id, CreatedAt: wire.Timestamp{Time: at}, Name: name, SubType: f.Subtype, Size: (size + 1023) / 1024, Format: f.Extension,
		URL: fileURL(owner, id),
	}
}

// archiveRead ends the task that reads an archive. Only the sample can be read.
// The caller holds mu.
func (t *tenant) archiveRead(ended *task, at time.Time) {
	a := ended.archive
	switch {
	case a.status != started:
		ended.errorCode = "SYSTEM_ERROR"
	case a.sample:
		a.status, a.updatedAt, a.payslip = analyzed, at, fixtures.SampleContents()
		if a.fileType == "" {
			a.fileType = "PAYSLIP"
		}
		t.commit(a, archiveStatusEvents(a, at)...)
	default:
		a.status, a.updatedAt = failed, at
		a.errorCode, a.errorMessage = "SYSTEM_ERROR", "The sandbox can read its sample payslip only."
		ended.errorCode = a.errorCode
		t.commit(a, archiveStatusEvents(a, at)...)
	}
	t.commit(ended, t.taskEndEvent(ended, at))
}

// revokeArchive revokes an archive. This is final. The caller holds mu.
func (t *tenant) revokeArchive(a *archive, at time.Time) {
	a.status, a.updatedAt, a.payslip = revoked, at, nil
	for _, f := range a.files {
		t.box.files.Drop(f.ID)
	}
	t.commit(a, archiveStatusEvents(a, at)...)
}

// archiveStatusEvents returns the events about the new status of an archive.
func archiveStatusEvents(a *archive, at time.Time) []occurrence {
	kind := map[string]string{
		started: "ARCHIVE_STARTED", analyzed: "ARCHIVE_ANALYZED", failed: "ARCHIVE_FAILED",
		revoked: "ARCHIVE_REVOKED",
	}[a.status]
	return []occurrence{{kind: kind, at: at, data: func() details {
		data := details{"userId": a.owner.id, "archiveId": a.id}
		if a.status == failed {
			return data.with("errorCode", a.errorCode).with("errorMessage", a.errorMessage)
		}
		return data
	}}}
}
