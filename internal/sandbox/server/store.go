package server

import (
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// tenant is the state of one key pair. mu guards it. The people and providers
// that it points to never change.
type tenant struct {
	pair KeyPair
	box  *Sandbox

	mu               sync.RWMutex
	users            collection[*user]
	accounts         collection[*account]
	tasks            collection[*task]
	archives         collection[*archive]
	webhooks         collection[*webhook]
	exports          collection[*export]
	invites          collection[*invite]
	consentTemplates collection[*consentTemplate]
	inviteTemplates  collection[*inviteTemplate]
	items            map[string]*item // those that exist, by id; see materialize
	queue            eventQueue
	scheduled        int // how many events were ever scheduled
	// next is the time of the next event in the queue, in Unix nanoseconds.
	next atomic.Int64
}

func newTenant(pair KeyPair) *tenant {
	t := &tenant{pair: pair}
	t.clear()
	return t
}

// clear deletes all state. The caller holds mu.
func (t *tenant) clear() {
	t.users = newCollection[*user]()
	t.accounts = newCollection[*account]()
	t.tasks = newCollection[*task]()
	t.archives = newCollection[*archive]()
	t.webhooks = newCollection[*webhook]()
	t.exports = newCollection[*export]()
	t.invites = newCollection[*invite]()
	t.consentTemplates = newCollection[*consentTemplate]()
	t.inviteTemplates = newCollection[*inviteTemplate]()
	t.items = map[string]*item{}
	t.queue = nil
	t.next.Store(never)
}

// collection keeps objects in the order of their creation. Nothing is removed
// from it, so places stay valid.
type collection[T any] struct {
	order []T
	byID  map[string]T
}

func newCollection[T any]() collection[T] {
	return collection[T]{byID: map[string]T{}}
}

func (c *collection[T]) add(id string, object T) {
	c.order = append(c.order, object)
	c.byID[id] = object
}

// after iterates over the objects after a place, with their places.
func (c *collection[T]) after(from place) iter.Seq2[place, T] {
	return func(yield func(place, T) bool) {
		for i := from.major; i < len(c.order); i++ {
			if !yield(place{major: i + 1}, c.order[i]) {
				return
			}
		}
	}
}

type user struct {
	id        string
	ordinal   int
	metadata  map[string]string
	createdAt time.Time
	accounts  []*account
	archives  []*archive
	invite    *invite // that created this user, nil if none did

	onlyToken string // the id of the only valid link token, "" if all are valid

	completed    bool      // the session
	sessionSince time.Time // when it was last reset
}

func (u *user) wire(b *quirks.Behavior) User {
	shown := User{
		ID: u.id, ExternalMetadata: u.metadata, CreatedAt: wire.Timestamp{Time: u.createdAt}, Providers: []string{},
		Session: u.session(),
	}
	if u.metadata == nil && b.NoMetadata != "null" {
		shown.ExternalMetadata = map[string]string{}
	}
	for _, a := range u.accounts {
		if a.status == Connected {
			shown.Providers = append(shown.Providers, a.provider.ID)
		}
	}
	return shown
}

type account struct {
	id        string
	ordinal   int // place among the tenant's accounts
	owner     *user
	provider  *fixtures.Provider
	person    *fixtures.Person // nil until a test person has logged in
	login     string           // as last entered
	createdAt time.Time

	status           ConnectionStatus
	errorCode        string
	errorMessage     string
	updatedAt        time.Time
	monitor          MonitorStatus
	monitorUpdatedAt time.Time
	monitorOff       bool // permanent
	attempt          int  // counts logins; events of an older one are ignored
	pending          *pendingLogin
	awaited          map[int]int // wrong codes so far, by the attempt that waits for a code
	connectedAt      time.Time   // time of the last login
	syncs            int         // monthly ones since then

	// refreshes are the times at which data arrived: first by linking, then by
	// each resync. While there are none, nothing is readable.
	refreshes    []time.Time
	materialized int                // how many of them have their items
	items        map[string][]*item // by data point path
}

// setStatus sets the status of the account. code is empty unless the status is
// Failed.
func (a *account) setStatus(status ConnectionStatus, code, message string, at time.Time) {
	a.status, a.errorCode, a.errorMessage, a.updatedAt = status, code, message, at
	a.updateMonitor(at)
}

// awaitCode has the current attempt wait for a code.
func (a *account) awaitCode(wrongCodes int) {
	if a.awaited == nil {
		a.awaited = map[int]int{}
	}
	a.awaited[a.attempt] = wrongCodes
}

// updateMonitor sets whether the account's data is monitored.
func (a *account) updateMonitor(at time.Time) {
	monitor := MonitorUnsupported
	switch {
	case a.monitorOff && a.provider.MonitorSupported && a.status != Disconnected:
		monitor = MonitorCustomerDisabled
	case a.status == Connected && a.provider.MonitorSupported:
		monitor = MonitorActive
	case a.status == Failed && a.monitor == MonitorActive:
		monitor = MonitorActionRequired
	}
	if monitor != a.monitor {
		a.monitor, a.monitorUpdatedAt = monitor, at
	}
}

func (a *account) wire() Account {
	shown := Account{
		ID: a.id, CreatedAt: wire.Timestamp{Time: a.createdAt}, ProviderID: a.provider.ID, UserID: a.owner.id,
		ConnectionStatus: a.status, MonitorStatus: a.monitor,
		Connection: Connection{Status: a.status, UpdatedAt: wire.Timestamp{Time: a.updatedAt}},
		Monitor:    Monitor{Status: a.monitor},
	}
	if a.errorCode != "" {
		shown.Connection.ErrorCode, shown.Connection.ErrorMessage = &a.errorCode, &a.errorMessage
	}
	if a.monitor != MonitorUnsupported {
		shown.Monitor.UpdatedAt = &wire.Timestamp{Time: a.monitorUpdatedAt}
	}
	return shown
}

func (a *account) reference(itemCreatedAt time.Time) reference {
	return reference{
		CreatedAt: wire.Timestamp{Time: a.createdAt}, ItemCreatedAt: wire.Timestamp{Time: itemCreatedAt},
		AccountID: a.id, SourceID: a.id, SourceType: "ACCOUNT", UserID: a.owner.id, ProviderID: a.provider.ID,
	}
}

// task fetches the data of an account or reads an archive.
type task struct {
	id         string
	ordinal    int
	kind       string
	account    *account // or
	archive    *archive
	startedAt  time.Time
	dueAt      time.Time // when it will be finished
	finishedAt time.Time // zero while it runs
	datapoints []string
	errorCode  string // why it failed
}

func (t *task) owner() *user {
	if t.archive != nil {
		return t.archive.owner
	}
	return t.account.owner
}

func (t *task) reference() reference {
	if t.archive != nil {
		return t.archive.reference(t.startedAt)
	}
	return t.account.reference(t.startedAt)
}

const (
	linkAccount     = "LINK_ACCOUNT"
	updateAccount   = "UPDATE_ACCOUNT"
	analyzeArchive  = "ANALYZE_ARCHIVE"
	classifyArchive = "CLASSIFY_ARCHIVE"
)

func (t *task) wire(b *quirks.Behavior) taskWire {
	shown := taskWire{
		ID: t.id, Type: t.kind, StartedAt: wire.Timestamp{Time: t.startedAt}, Status: "Started",
		Datapoints: b.Names(t.datapoints), Metadata: t.reference(),
	}
	if !t.finishedAt.IsZero() {
		shown.Status, shown.FinishedAt = "Finished", &wire.Timestamp{Time: t.finishedAt}
	}
	return shown
}
