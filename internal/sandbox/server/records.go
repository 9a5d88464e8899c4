package server

import (
	"encoding/json"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/disk"
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// object is a part of a tenant's state that can be stored: its kind, its place
// among those of the kind, and its content.
type object interface {
	kept() (kind string, ordinal int, record any)
}

// The kinds of objects, as they are named in the file.
const (
	kindUser            = "user"
	kindAccount         = "account"
	kindArchive         = "archive"
	kindTask            = "task"
	kindInvite          = "invite"
	kindExport          = "export"
	kindWebhook         = "webhook"
	kindConsentTemplate = "consentTemplate"
	kindInviteTemplate  = "inviteTemplate"
	kindDelivery        = "delivery"
)

// keep stores an object. It is written before the next response.
func (t *tenant) keep(o object) {
	if t.box.disk == nil {
		return
	}
	kind, ordinal, record := o.kept()
	t.box.disk.Put(disk.Key(t.pair.Key, kind, ordinal), wire.Encode(record))
}

type userRecord struct {
	ID           string            `json:"id"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	CreatedAt    time.Time         `json:"createdAt"`
	OnlyToken    string            `json:"onlyToken,omitempty"`
	Completed    bool              `json:"completed,omitempty"`
	SessionSince time.Time         `json:"sessionSince,omitzero"`
}

func (u *user) kept() (string, int, any) {
	return kindUser, u.ordinal, userRecord{u.id, u.metadata, u.createdAt, u.onlyToken, u.completed, u.sessionSince}
}

type accountRecord struct {
	ID               string           `json:"id"`
	Owner            string           `json:"owner"`
	Provider         string           `json:"provider"`
	Person           string           `json:"person,omitempty"` // the first login
	Login            string           `json:"login,omitempty"`
	CreatedAt        time.Time        `json:"createdAt"`
	Status           ConnectionStatus `json:"status"`
	ErrorCode        string           `json:"errorCode,omitempty"`
	ErrorMessage     string           `json:"errorMessage,omitempty"`
	UpdatedAt        time.Time        `json:"updatedAt"`
	Monitor          MonitorStatus    `json:"monitor"`
	MonitorUpdatedAt time.Time        `json:"monitorUpdatedAt,omitzero"`
	MonitorOff       bool             `json:"monitorOff,omitempty"`
	Attempt          int              `json:"attempt"`
	Pending          *pendingRecord   `json:"pending,omitempty"`
	Awaited          map[int]int      `json:"awaited,omitempty"`
	ConnectedAt      time.Time        `json:"connectedAt,omitzero"`
	Syncs            int              `json:"syncs,omitempty"`
	Refreshes        []time.Time      `json:"refreshes,omitempty"`
	Materialized     bool             `json:"harvested,omitempty"` // its items were read
}

type pendingRecord struct {
	Status     ConnectionStatus `json:"status"`
	Code       string           `json:"code,omitempty"`
	WrongCodes int              `json:"wrongCodes,omitempty"`
	Due        time.Time        `json:"due"`
}

func (a *account) kept() (string, int, any) {
	record := accountRecord{
		ID: a.id, Owner: a.owner.id, Provider: a.provider.ID, Login: a.login, CreatedAt: a.createdAt, Status: a.status,
		ErrorCode: a.errorCode, ErrorMessage: a.errorMessage, UpdatedAt: a.updatedAt,
		Monitor: a.monitor, MonitorUpdatedAt: a.monitorUpdatedAt, MonitorOff: a.monitorOff, Attempt: a.attempt,
		ConnectedAt: a.connectedAt, Syncs: a.syncs, Refreshes: a.refreshes, Materialized: a.materialized > 0, Awaited: a.awaited,
	}
	if a.person != nil {
		record.Person = a.person.Logins[0]
	}
	if a.pending != nil {
		record.Pending = &pendingRecord{a.pending.outcome.status, a.pending.outcome.code, a.pending.wrongCodes, a.pending.due}
	}
	return kindAccount, a.ordinal, record
}

type taskRecord struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`
	Account    string    `json:"account,omitempty"`
	Archive    string    `json:"archive,omitempty"`
	StartedAt  time.Time `json:"startedAt"`
	DueAt      time.Time `json:"dueAt,omitzero"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	Datapoints []string  `json:"datapoints,omitempty"`
	ErrorCode  string    `json:"errorCode,omitempty"`
}

func (t *task) kept() (string, int, any) {
	record := taskRecord{
		ID: t.id, Kind: t.kind, StartedAt: t.startedAt, DueAt: t.dueAt, FinishedAt: t.finishedAt,
		Datapoints: t.datapoints, ErrorCode: t.errorCode,
	}
	if t.archive != nil {
		record.Archive = t.archive.id
	} else {
		record.Account = t.account.id
	}
	return kindTask, t.ordinal, record
}

type archiveRecord struct {
	ID           string            `json:"id"`
	Owner        string            `json:"owner"`
	Provider     string            `json:"provider"`
	FileType     string            `json:"fileType,omitempty"`
	CreatedAt    time.Time         `json:"createdAt"`
	Files        []rawFile         `json:"files"`
	Sample       bool              `json:"sample,omitempty"`
	Status       string            `json:"status"`
	ErrorCode    string            `json:"errorCode,omitempty"`
	ErrorMessage string            `json:"errorMessage,omitempty"`
	UpdatedAt    time.Time         `json:"updatedAt"`
	Payslip      *fixtures.Payslip `json:"payslip,omitempty"`
}

func (a *archive) kept() (string, int, any) {
	return kindArchive, a.ordinal, archiveRecord{
		ID: a.id, Owner: a.owner.id, Provider: a.provider, FileType: a.fileType, CreatedAt: a.createdAt, Files: a.files,
		Sample: a.sample, Status: a.status, ErrorCode: a.errorCode, ErrorMessage: a.errorMessage,
		UpdatedAt: a.updatedAt, Payslip: a.payslip,
	}
}

type inviteRecord struct {
	ID        string        `json:"id"`
	Owner     string        `json:"owner"`
	Request   inviteRequest `json:"request"`
	Mail      Mail          `json:"mail"`
	CreatedAt time.Time     `json:"createdAt"`
	LinkedAt  time.Time     `json:"linkedAt,omitzero"`
	Log       []inviteLog   `json:"log"`
}

func (i *invite) kept() (string, int, any) {
	return kindInvite, i.ordinal, inviteRecord{i.id, i.owner.id, i.inviteRequest, i.mail, i.createdAt, i.linkedAt, i.log}
}

type exportRecord struct {
	ID        string    `json:"id"`
	Account   string    `json:"account"`
	Extension string    `json:"extension"`
	CreatedAt time.Time `json:"createdAt"`
	Content   []byte    `json:"content"`
}

func (e *export) kept() (string, int, any) {
	return kindExport, e.ordinal, exportRecord{e.id, e.account.id, e.extension, e.createdAt, e.content}
}

// registrationRecord is a registration with the request that made it.
type registrationRecord[T any] struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"createdAt"`
	Deleted   bool      `json:"deleted,omitempty"`
	Request   T         `json:"request"`
}

func recordOf[T any](r *registration, request T) registrationRecord[T] {
	return registrationRecord[T]{r.id, r.createdAt, r.deleted, request}
}

func (w *webhook) kept() (string, int, any) {
	return kindWebhook, w.ordinal, recordOf(&w.registration, w.WebhookRequest)
}

func (t *consentTemplate) kept() (string, int, any) {
	return kindConsentTemplate, t.ordinal, recordOf(&t.registration, t.consentTemplateRequest)
}

func (t *inviteTemplate) kept() (string, int, any) {
	return kindInviteTemplate, t.ordinal, recordOf(&t.registration, t.inviteTemplateRequest)
}

// deliveryRecord is the record of a delivery as an object of its tenant.
type deliveryRecord delivery.Record

func (r deliveryRecord) kept() (string, int, any) { return kindDelivery, r.Delivery.Seq, r }

// keepDelivery stores a delivery.
func (s *Sandbox) keepDelivery(r delivery.Record) {
	s.tenants[r.Delivery.Key].keep(deliveryRecord(r))
}

func decodeRecord[T any](text []byte) (T, error) {
	var record T
	err := json.Unmarshal(text, &record)
	return record, err
}
