package server

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
)

// restore reads the state from the disk.
func (s *Sandbox) restore() error {
	if s.disk == nil {
		return nil
	}
	var skipped time.Duration
	if err := s.disk.Meta(metaSkipped, &skipped); err != nil {
		return err
	}
	s.clock.Advance(skipped)
	for _, t := range s.tenants { // nothing may happen before everything is restored
		t.mu.Lock()
		defer t.mu.Unlock()
	}
	for _, key := range s.keys {
		if err := s.restoreTenant(s.tenants[key]); err != nil {
			return fmt.Errorf("the data of key %q: %w", key, err)
		}
	}
	return s.restoreDeliveries()
}

// restoreTenant reads the objects kind by kind, so that an object comes after
// those that it refers to. The caller holds mu.
func (s *Sandbox) restoreTenant(t *tenant) error {
	for _, step := range []struct {
		kind string
		read func(*tenant, []byte) error
	}{
		{kindUser, restoreUser},
		{kindWebhook, restoreWebhook},
		{kindConsentTemplate, restoreConsentTemplate},
		{kindInviteTemplate, restoreInviteTemplate},
		{kindInvite, restoreInvite},
		{kindAccount, restoreAccount},
		{kindArchive, restoreArchive},
		{kindTask, restoreTask},
		{kindExport, restoreExport},
	} {
		if err := s.disk.Each(t.pair.Key, step.kind, func(value []byte) error { return step.read(t, value) }); err != nil {
			return err
		}
	}
	return nil
}

var errDangling = errors.New("the object that it belongs to does not exist")

func restoreUser(t *tenant, text []byte) error {
	r, err := decodeRecord[userRecord](text)
	if err != nil {
		return err
	}
	t.users.add(r.ID, &user{
		id: r.ID, ordinal: len(t.users.order), metadata: r.Metadata, createdAt: r.CreatedAt,
		onlyToken: r.OnlyToken, completed: r.Completed, sessionSince: r.SessionSince,
	})
	return nil
}

func restoreAccount(t *tenant, text []byte) error {
	r, err := decodeRecord[accountRecord](text)
	if err != nil {
		return err
	}
	l, owner, p := t.box.linker, t.users.byID[r.Owner], fixtures.ProviderByID(r.Provider)
	if owner == nil || p == nil {
		return errDangling
	}
	a := &account{
		id: r.ID, ordinal: len(t.accounts.order), owner: owner, provider: p,
		person: fixtures.FindPerson(l.people, r.Person), login: r.Login,
		createdAt: r.CreatedAt, status: r.Status, errorCode: r.ErrorCode, errorMessage: r.ErrorMessage, updatedAt: r.UpdatedAt,
		monitor: r.Monitor, monitorUpdatedAt: r.MonitorUpdatedAt, monitorOff: r.MonitorOff, attempt: r.Attempt,
		connectedAt: r.ConnectedAt, syncs: r.Syncs, refreshes: r.Refreshes, items: map[string][]*item{},
		awaited: r.Awaited,
	}
	if r.Status == AwaitingMFA && r.Awaited == nil {
		a.awaitCode(0) // a file of an older version
	}
	t.accounts.add(a.id, a)
	owner.accounts = append(owner.accounts, a)
	if r.Materialized {
		l.materialize(t, a, "")
	}
	if r.Pending != nil {
		a.pending = &pendingLogin{outcome{r.Pending.Status, r.Pending.Code}, r.Pending.WrongCodes, r.Pending.Due}
		t.schedule(a.pending.due, loginSettled{l, a, a.attempt})
	}
	if !a.connectedAt.IsZero() && a.status != Disconnected {
		l.scheduleNext(t, a)
	}
	return nil
}

func restoreArchive(t *tenant, text []byte) error {
	r, err := decodeRecord[archiveRecord](text)
	if err != nil {
		return err
	}
	owner := t.users.byID[r.Owner]
	if owner == nil {
		return errDangling
	}
	a := &archive{
		id: r.ID, ordinal: len(t.archives.order), owner: owner, provider: r.Provider, fileType: r.FileType,
		createdAt: r.CreatedAt, files: r.Files, sample: r.Sample, status: r.Status,
		errorCode: r.ErrorCode, errorMessage: r.ErrorMessage, updatedAt: r.UpdatedAt, payslip: r.Payslip,
	}
	t.archives.add(a.id, a)
	owner.archives = append(owner.archives, a)
	t.schedule(a.createdAt.Add(t.box.linker.dataLife), archiveExpired{a})
	return nil
}

func restoreTask(t *tenant, text []byte) error {
	r, err := decodeRecord[taskRecord](text)
	if err != nil {
		return err
	}
	restored := &task{
		id: r.ID, ordinal: len(t.tasks.order), kind: r.Kind, account: t.accounts.byID[r.Account], archive: t.archives.byID[r.Archive],
		startedAt: r.StartedAt, dueAt: r.DueAt, finishedAt: r.FinishedAt, datapoints: r.Datapoints, errorCode: r.ErrorCode,
	}
	if restored.account == nil && restored.archive == nil {
		return errDangling
	}
	t.tasks.add(r.ID, restored)
	if restored.finishedAt.IsZero() {
		t.schedule(restored.dueAt, taskFinished{restored})
	}
	return nil
}

func restoreInvite(t *tenant, text []byte) error {
	r, err := decodeRecord[inviteRecord](text)
	if err != nil {
		return err
	}
	owner := t.users.byID[r.Owner]
	if owner == nil || len(r.Log) == 0 {
		return errDangling
	}
	owner.invite = &invite{
		inviteRequest: r.Request, id: r.ID, ordinal: len(t.invites.order), owner: owner, mail: r.Mail,
		createdAt: r.CreatedAt, linkedAt: r.LinkedAt, log: r.Log,
	}
	t.invites.add(r.ID, owner.invite)
	return nil
}

func restoreExport(t *tenant, text []byte) error {
	r, err := decodeRecord[exportRecord](text)
	if err != nil {
		return err
	}
	a := t.accounts.byID[r.Account]
	if a == nil {
		return errDangling
	}
	t.exports.add(r.ID, &export{r.ID, len(t.exports.order), a, r.Extension, r.CreatedAt, r.Content})
	return nil
}

// restoreRegistration restores an object that has a registration.
func restoreRegistration[T registered, R any](t *tenant, of registry[T], text []byte, build func(R) T) error {
	r, err := decodeRecord[registrationRecord[R]](text)
	if err != nil {
		return err
	}
	made, all := build(r.Request), of(t)
	entry := made.entry()
	entry.id, entry.ordinal, entry.createdAt = r.ID, len(all.order), r.CreatedAt
	if r.Deleted {
		entry.markDeleted()
	}
	all.add(r.ID, made)
	return nil
}

func restoreWebhook(t *tenant, text []byte) error {
	return restoreRegistration(t, webhooks, text, func(r WebhookRequest) *webhook { return &webhook{WebhookRequest: r} })
}

func restoreConsentTemplate(t *tenant, text []byte) error {
	return restoreRegistration(t, consentTemplates, text, func(r consentTemplateRequest) *consentTemplate {
		return &consentTemplate{consentTemplateRequest: r}
	})
}

func restoreInviteTemplate(t *tenant, text []byte) error {
	return restoreRegistration(t, inviteTemplates, text, func(r inviteTemplateRequest) *inviteTemplate {
		return &inviteTemplate{inviteTemplateRequest: r}
	})
}

// restoreDeliveries restores the deliveries of all tenants in their order, and
// continues those that had not ended.
func (s *Sandbox) restoreDeliveries() error {
	var kept []delivery.Record
	for _, key := range s.keys {
		err := s.disk.Each(key, kindDelivery, func(text []byte) error {
			r, err := decodeRecord[delivery.Record](text)
			kept = append(kept, r)
			return err
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(kept, func(a, b delivery.Record) int { return a.Delivery.Seq - b.Delivery.Seq })
	for _, r := range kept {
		var hook *webhook
		if t := s.tenants[r.Delivery.Key]; t != nil {
			hook = t.webhooks.byID[r.Delivery.WebhookID]
		}
		if hook == nil {
			return errDangling
		}
		s.deliveries.Resume(hook.target(), r)
	}
	return nil
}
