package output

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/identity"
)

const (
	// LedgerInterval is the usual time between two writes of the ledger. What comes in between is written together.
	LedgerInterval = 100 * time.Millisecond
	// LedgerDays is how long an entry is kept by default, in days.
	LedgerDays = 400

	// ledgerTimeout bounds one write with its repetitions, and ledgerReading the reading of the whole ledger.
	ledgerTimeout = 10 * time.Second
	ledgerReading = 30 * time.Second
)

// LedgerConfig is what a ledger needs. All fields are required, except for Interval.
type LedgerConfig struct {
	// Live reads past the cache.
	Live client.Client
	// Namespace of the operator, where the ConfigMaps are.
	Namespace string
	// Key makes the digests.
	Key identity.Key
	// Today is the present time, and whether Smile's clock confirms it. While it does not, no entry is too old.
	Today func() (now time.Time, confirmed bool)
	// Days that an entry is kept; the day of the erasure counts as the first.
	Days int
	// Interval between two writes.
	Interval time.Duration
}

// Ledger is the erasure ledger: which accounts' data was erased because a person withdrew consent or asked for it, so
// that no backup brings it back. It keeps a keyed digest of each account's id, and the day, in ConfigMaps. Its memory
// holds all of it: about 40 bytes an entry.
type Ledger struct {
	config LedgerConfig
	// life is the context of the process. A write that many callers wait for does not end with the first of them.
	life context.Context

	storing sync.Mutex // guards store and reread
	store   ledgerStore
	reread  error // that the last reading ended with

	readings atomic.Int64 // that were begun to learn what other processes have written

	mu      sync.Mutex
	entries map[entry]day
	oldest  day // in entries
	loaded  bool
	span    span
	pending *ledgerWrite // the next write; nil when there is none
	writing bool
}

// ledgerWrite is a write that is to come, for all callers that wait for it.
type ledgerWrite struct {
	entries map[entry]bool
	done    chan struct{}
	err     error
}

// NewLedger makes a ledger that writes until life ends. It reads nothing before it is used.
func NewLedger(life context.Context, config LedgerConfig) *Ledger {
	return &Ledger{
		config: config, life: life, entries: map[entry]day{},
		store: ledgerStore{live: config.Live, namespace: config.Namespace},
	}
}

// Record enters accounts and returns when all of them are stored. Accounts that were entered today need no write.
func (l *Ledger) Record(ctx context.Context, accountIDs ...string) error {
	if err := l.load(); err != nil {
		return err
	}
	write := l.join(accountIDs)
	if write == nil {
		return nil
	}
	select {
	case <-write.done:
		return write.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Contains reports whether an account was added within the days that entries are kept. It returns an error if the ledger
// cannot be read completely, because then the account may be in the missing part. Before it reports false, it reads the stored
// ledger again: the previous leader may have added the account last, or the ledger was restored meanwhile.
func (l *Ledger) Contains(_ context.Context, accountID string) (bool, error) {
	if err := l.load(); err != nil {
		return false, err
	}
	if l.knows(accountID) {
		return true, nil
	}
	if err := l.readAgain(); err != nil {
		return false, err
	}
	return l.knows(accountID), nil
}

func (l *Ledger) knows(accountID string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	on, found := l.entries[l.entry(accountID)]
	return found && on >= l.limit()
}

// readAgain reads what other processes have written. Callers that wait for a reading to end share the next one.
func (l *Ledger) readAgain() error {
	begun := l.readings.Load()
	l.storing.Lock()
	defer l.storing.Unlock()
	if l.readings.Load() > begun {
		return l.reread
	}
	l.readings.Add(1)
	ctx, cancel := context.WithTimeout(l.life, ledgerReading)
	defer cancel()
	current := l.store // a pending write still replaces the version that was read before, so that no entry is lost unnoticed
	_, l.reread = current.refresh(ctx, l.learn)
	return l.reread
}

func (l *Ledger) entry(accountID string) entry { return entryOf(l.config.Key.Erased(accountID)) }

func (l *Ledger) today() day {
	now, _ := l.config.Today()
	return dayOf(now)
}

// limit is the oldest day that is kept. A clock that was set forward would end all entries, and data whose consent was
// withdrawn could come back.
func (l *Ledger) limit() day {
	now, confirmed := l.config.Today()
	if !confirmed {
		return firstDay
	}
	return dayOf(now) - day(l.config.Days) + 1
}

// load reads the ledger once. After a failure the next caller reads it again.
func (l *Ledger) load() error {
	l.mu.Lock()
	loaded := l.loaded
	l.mu.Unlock()
	if loaded {
		return nil
	}
	l.storing.Lock()
	defer l.storing.Unlock()
	ctx, cancel := context.WithTimeout(l.life, ledgerReading)
	defer cancel()
	err := l.store.load(ctx, l.learn)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded, l.span = err == nil, l.store.span
	return err
}

// learn keeps what is stored.
func (l *Ledger) learn(stored shard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for on, list := range stored {
		for _, e := range list {
			l.entries[e] = max(l.entries[e], on)
		}
	}
}

// join adds accounts to the next write; nil if there is nothing to write.
func (l *Ledger) join(accountIDs []string) *ledgerWrite {
	l.mu.Lock()
	defer l.mu.Unlock()
	var added []entry
	for _, id := range accountIDs {
		if e := l.entry(id); l.entries[e] < l.today() {
			added = append(added, e)
		}
	}
	if len(added) == 0 {
		return nil
	}
	if l.pending == nil {
		l.pending = &ledgerWrite{entries: map[entry]bool{}, done: make(chan struct{})}
	}
	for _, e := range added {
		l.pending.entries[e] = true
	}
	if !l.writing {
		l.writing = true
		go l.serve()
	}
	return l.pending
}

// serve writes for as long as there is something to write, and no more often than once in an interval.
func (l *Ledger) serve() {
	for {
		l.mu.Lock()
		write := l.pending
		l.pending = nil
		if write == nil {
			l.writing = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		write.err = l.write(write.entries)
		close(write.done)
		select {
		case <-time.After(l.config.Interval):
		case <-l.life.Done():
		}
	}
}

func (l *Ledger) write(entries map[entry]bool) error {
	ctx, cancel := context.WithTimeout(l.life, ledgerTimeout)
	defer cancel()
	l.storing.Lock()
	defer l.storing.Unlock()
	added, limit := l.unknown(entries), l.limit()
	if err := l.store.append(ctx, added, limit, l.learn); err != nil {
		return err
	}
	l.learn(added)
	// What is too old counts no more, so a failure to remove it may wait for the next write.
	_ = l.store.expire(ctx, limit)
	l.forget(limit)
	return nil
}

// unknown are the entries that were not stored today, as what to store.
func (l *Ledger) unknown(entries map[entry]bool) shard {
	l.mu.Lock()
	defer l.mu.Unlock()
	today, added := l.today(), shard{}
	for e := range entries {
		if l.entries[e] < today {
			added[today] = append(added[today], e)
		}
	}
	return added
}

// forget removes from memory what is older than a limit.
func (l *Ledger) forget(limit day) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.span = l.store.span
	if l.oldest == limit {
		return
	}
	l.oldest = limit
	maps.DeleteFunc(l.entries, func(_ entry, on day) bool { return on < limit })
}

var (
	ledgerEntriesDesc = prometheus.NewDesc("smile_operator_erasure_ledger_entries",
		"Accounts in the erasure ledger. Absent until the ledger was read.", nil, nil)
	ledgerShardsDesc = prometheus.NewDesc("smile_operator_erasure_ledger_shards",
		"ConfigMaps of the erasure ledger, without its head. Absent until the ledger was read.", nil, nil)
)

// Describe implements prometheus.Collector.
func (l *Ledger) Describe(descs chan<- *prometheus.Desc) {
	descs <- ledgerEntriesDesc
	descs <- ledgerShardsDesc
}

// Collect implements prometheus.Collector.
func (l *Ledger) Collect(collected chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.loaded {
		return
	}
	collected <- prometheus.MustNewConstMetric(ledgerEntriesDesc, prometheus.GaugeValue, float64(len(l.entries)))
	collected <- prometheus.MustNewConstMetric(ledgerShardsDesc, prometheus.GaugeValue, float64(l.span.last-l.span.first+1))
}
