package server

import "time"

// live starts what time does to a connected account: its data is fetched again
// every month if it is monitored, and ends one day. The caller holds mu.
func (l *linker) live(t *tenant, a *account, at time.Time) {
	a.connectedAt, a.syncs = at, 0
	l.plan(t, a)
}

// plan schedules what comes next in an account's life. The caller holds mu.
func (l *linker) plan(t *tenant, a *account) {
	t.schedule(l.dataEnds(t, a), dataExpired{l, a, a.attempt})
	if a.monitor == MonitorActive && t.box.behaviour.DataSync != "off" {
		t.schedule(monthsLater(a.connectedAt, a.syncs+1), monthlySync{l, a, a.attempt})
	}
}

// dataEnds is when the data of an account expires as things stand.
func (l *linker) dataEnds(t *tenant, a *account) time.Time {
	from := a.connectedAt
	if n := len(a.refreshes); n > 0 && a.monitor == MonitorActive && t.box.behaviour.MonitoredData == "kept" {
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
	e.linker.begin(t, updateAccount, a, at)
	t.commit(a)
}

// monthsLater is the same day of a later month, or that month's last.
func monthsLater(at time.Time, n int) time.Time {
	later := at.AddDate(0, n, 0)
	if later.Day() != at.Day() {
		later = later.AddDate(0, 0, -later.Day())
	}
	return later
}

// dataExpired ends the data of an account, unless a refresh has lengthened its
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
	switch t.box.behaviour.ExpiredAccount {
	case "connected":
		t.forget(a)
		t.commit(a)
	case "silent":
		t.forget(a)
		a.become(Disconnected, "", "", at)
		t.commit(a)
	default:
		t.revoke(a, at)
	}
}

// archiveExpired ends what is known of an archive.
type archiveExpired struct{ archive *archive }

func (e archiveExpired) happen(t *tenant, at time.Time) {
	if e.archive.status != revoked {
		t.withdraw(e.archive, at)
	}
}
