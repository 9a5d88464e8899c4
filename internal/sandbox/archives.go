package sandbox

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// archive is a set of files that somebody has handed in. What was in the files
// is not kept.
type archive struct {
	id        string
	ordinal   int
	owner     *user
	provider  string // tenantProvided or userProvided
	fileType  string // "" if nobody said
	createdAt time.Time
	files     []rawFile
	sample    bool // whether it is the one payslip that can be read

	status       string
	errorCode    string
	errorMessage string
	updatedAt    time.Time
	payslip      *payslip // once it was read
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

// The providers of files: through the API, and through the widget.
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

// content is the file itself. That it is base64 was checked with the form.
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

// upload is the archive as the former API showed it.
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

// file takes files in and starts a task that reads them. Who is to own them may
// be nobody yet. The caller holds mu.
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
		a.sample = a.sample || sha256.Sum256(content) == samplePayslipSum
		a.files = append(a.files, newRawFile(ids.Next("f-"), owner, f, len(content), i, at))
	}
	t.archives.add(a.id, a)
	owner.archives = append(owner.archives, a)
	t.commit(a, archiveMoved(a, at)...)
	t.schedule(at.Add(t.box.linker.dataLife), archiveExpired{a})
	t.box.linker.read(t, taskKind, a, at)
	return a
}

func newRawFile(id string, owner *user, f fileRequest, size, index int, at time.Time) rawFile {
	name := f.Name
	if name == "" {
		name = "file-" + strconv.Itoa(index+1)
	}
	return rawFile{
		ID: id, CreatedAt: wire.Timestamp{Time: at}, Name: name, SubType: f.Subtype, Size: (size + 1023) / 1024, Format: f.Extension,
		URL: "https://file.smileapi.io/tenants/sandbox/users/" + owner.id + "/files/" + id,
	}
}

// read starts a task that reads an archive. The caller holds mu.
func (l *linker) read(t *tenant, kind string, a *archive, at time.Time) {
	begun := &task{id: l.ids.Next("task-"), ordinal: len(t.tasks.order), kind: kind, archive: a, startedAt: at, dueAt: at.Add(l.dataDelay)}
	t.tasks.add(begun.id, begun)
	t.commit(begun, taskStarted(begun, at))
	t.schedule(begun.dueAt, taskFinished{begun})
	t.settle(at)
}

// archiveRead ends the task that reads an archive: the sample is understood,
// everything else is not. The caller holds mu.
func (t *tenant) archiveRead(ended *task, at time.Time) {
	a := ended.archive
	switch {
	case a.status != started:
		ended.errorCode = "SYSTEM_ERROR"
	case a.sample:
		a.status, a.updatedAt, a.payslip = analyzed, at, samplePayslip()
		if a.fileType == "" {
			a.fileType = "PAYSLIP"
		}
		t.commit(a, archiveMoved(a, at)...)
	default:
		a.status, a.updatedAt = failed, at
		a.errorCode, a.errorMessage = "SYSTEM_ERROR", "The sandbox can read its sample payslip only."
		ended.errorCode = a.errorCode
		t.commit(a, archiveMoved(a, at)...)
	}
	t.commit(ended, t.taskEnded(ended, at))
}

// withdraw ends an archive for good. The caller holds mu.
func (t *tenant) withdraw(a *archive, at time.Time) {
	a.status, a.updatedAt, a.payslip = revoked, at, nil
	t.commit(a, archiveMoved(a, at)...)
}

// archiveMoved tells which state an archive came to.
func archiveMoved(a *archive, at time.Time) []occurrence {
	kind := map[string]string{started: "ARCHIVE_STARTED", analyzed: "ARCHIVE_ANALYZED", failed: "ARCHIVE_FAILED", revoked: "ARCHIVE_REVOKED"}[a.status]
	return []occurrence{{kind: kind, at: at, tell: func() details {
		told := details{"userId": a.owner.id, "archiveId": a.id}
		if a.status == failed {
			return told.and("errorCode", a.errorCode).and("errorMessage", a.errorMessage)
		}
		return told
	}}}
}
