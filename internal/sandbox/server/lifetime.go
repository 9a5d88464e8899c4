package server

import "time"

// scheduleLife schedules the life of a connected account: the expiry of its
// data, and the monthly synchronization if it is monitored. The caller holds
// mu.
func (l *linker) scheduleLife(t *tenant, a *account, at time.Time) {
	a.connectedAt, a.syncs = at, 0
	l.scheduleNext(t, a)
}

// scheduleNext schedules the next events of an account's life. The caller holds
// mu.
func (l *linker) scheduleNext(t *tenant, a *account) {
	t.schedule(l.dataEnds(t, a), dataExpired{l, a, a.attempt})
	l.scheduleTrouble(t, a)
	if a.monitor == MonitorActive && t.box.behavior.DataSync != "off" {
		t.schedule(monthsLater(a.connectedAt, a.syncs+1), monthlySync{l, a, a.attempt})
	}
}

// dataEnds is when the data of an account expires if it is not refreshed.
func (l *linker) dataEnds(t *tenant, a *account) time.Time {
	from := a.connectedAt
	if n := len(a.refreshes); n > 0 && a.monitor == MonitorActive && t.box.behavior.MonitoredData == "kept" {
		from = a.refreshes[n-1]
	}
	return from.Add(l.dataLife)
}

// monthlySync fetches the data of a monitored account again.
type monthlySync struct {
	linker  *linker
	account *account
	attempt int
}

func (e monthlySync) happen(t *tenant, at time.Time) {
	a := e.account
	if a.attempt != e.attempt || a.monitor != MonitorActive {
		return
	}
	a.syncs++
	t.schedule(monthsLater(a.connectedAt, a.syncs+1), e)
	e.linker.startTask(t, &task{kind: updateAccount, account: a}, at)
	t.commit(a)
}

// monthsLater is the same day of a later month, or that month's last day.
func monthsLater(at time.Time, n int) time.Time {
	later := at.AddDate(0, n, 0)
	if later.Day() != at.Day() {
		later = later.AddDate(0, 0, -later.Day())
	}
	return later
}

// dataExpired deletes the data of an account unless a refresh has extended its
// life.
type dataExpired struct {
	linker  *linker
	account *account
	attempt int
}

func (e dataExpired) happen(t *tenant, at time.Time) {
	a := e.account
	if a.attempt != e.attempt || a.status == Disconnected {
		return
	}
	if ends := e.linker.dataEnds(t, a); ends.After(at) {
		t.schedule(ends, e)
		return
	}
	switch t.box.behavior.ExpiredAccount {
	case "connected":
		t.dropData(a)
		t.commit(a)
	case "silent":
		t.dropData(a)
		a.setStatus(Disconnected, "", "", at)
		t.commit(a)
	default:
		t.revokeAccount(a, at)
	}
}

// archiveExpired revokes an archive.
type archiveExpired struct{ archive *archive }

func (e archiveExpired) happen(t *tenant, at time.Time) {
	if e.archive.status != revoked {
		t.revokeArchive(e.archive, at)
	}
}
