// Package traffic observes and limits the calls to the sandbox's API: the journal,
// counts, the rate limit and the peak rate.
package traffic

import (
	"maps"
	"strings"
	"sync"
	"time"
)

// journalLimit is how many calls are remembered at least. Older ones are forgotten
// in bulk.
const journalLimit = 250_000

// maxText bounds what is remembered of the path and of the query of a call, in bytes.
const maxText = 1 << 10

// Entry is one call to the Open API. It is written when the response is known,
// before a delayed response is sent.
type Entry struct {
	// Seq counts from 1 without gaps.
	Seq int `json:"seq"`
	// Time is when the call came, on the sandbox clock.
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Query  string    `json:"query,omitempty"`
	// Operation is the vendor's operation id, empty for unknown paths and methods.
	Operation string `json:"operation"`
	// Status is the status that was sent, 0 if the connection was cut.
	Status int `json:"status"`
	// Source is the address of the caller.
	Source string `json:"source"`
	// Key is the API key, once it was accepted.
	Key string `json:"key,omitempty"`
	// UserID is the user that the call created or named.
	UserID string `json:"userId,omitempty"`
	// Committed reports whether the call changed state, whatever the response was.
	Committed bool `json:"committed"`
}

// Journal is the list of calls. The zero value is empty.
type Journal struct {
	mu      sync.Mutex
	entries []Entry
	last    int
}

// Add appends an entry and returns its number.
func (j *Journal) Add(entry Entry) (seq int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) >= 2*journalLimit {
		j.entries = append(make([]Entry, 0, 2*journalLimit), j.entries[journalLimit:]...)
	}
	j.last++
	entry.Seq = j.last
	entry.Path, entry.Query = start(entry.Path), start(entry.Query)
	j.entries = append(j.entries, entry)
	return entry.Seq
}

// start is the start of a text. A copy, so that the rest is not kept in memory.
func start(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// Cut records that nothing of the response arrived.
func (j *Journal) Cut(seq int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if i := j.index(seq); i >= 0 && i < len(j.entries) {
		j.entries[i].Status = 0
	}
}

// Get returns an entry, if it is still remembered.
func (j *Journal) Get(seq int) (Entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := j.index(seq)
	if i < 0 || i >= len(j.entries) {
		return Entry{}, false
	}
	return j.entries[i], true
}

// Since returns the entries with a greater sequence number.
func (j *Journal) Since(seq int) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := min(max(j.index(seq+1), 0), len(j.entries))
	return append([]Entry{}, j.entries[from:]...)
}

// index is where the entry would be. The numbers of the remembered entries are
// consecutive and end with last.
func (j *Journal) index(seq int) int { return seq - (j.last - len(j.entries) + 1) }

// Reset empties the journal.
func (j *Journal) Reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries, j.last = nil, 0
}

// Counts counts calls by operation and by the status that was sent.
type Counts struct {
	mu     sync.Mutex
	counts map[string]map[int]int
}

// NewCounts makes empty counts.
func NewCounts() *Counts { return &Counts{counts: map[string]map[int]int{}} }

// Count adds a call.
func (r *Counts) Count(operation string, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts[operation] == nil {
		r.counts[operation] = map[int]int{}
	}
	r.counts[operation][status]++
}

// Snapshot returns a copy, by operation and status.
func (r *Counts) Snapshot() map[string]map[int]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]map[int]int{}
	for operation, counts := range r.counts {
		all[operation] = maps.Clone(counts)
	}
	return all
}

// Reset sets all counts to 0.
func (r *Counts) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts = map[string]map[int]int{}
}
