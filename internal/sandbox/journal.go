package sandbox

import (
	"maps"
	"sync"
	"time"
)

// journalLimit is how many calls are remembered at least; older ones are
// forgotten in bulk.
const journalLimit = 250_000

// JournalEntry is one call to the Open API. It is written when the call was
// decided, before a delayed answer is sent.
type JournalEntry struct {
	// Seq counts from 1 without gaps.
	Seq int `json:"seq"`
	// Time is when the call came, on the sandbox clock.
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Query  string    `json:"query,omitempty"`
	// Operation is the vendor's operation id, empty for unknown paths and methods.
	Operation string `json:"operation"`
	// Status is what was sent, 0 when the connection was cut.
	Status int `json:"status"`
	// Source is the address of the caller.
	Source string `json:"source"`
	// Key is the API key, once it was accepted.
	Key string `json:"key,omitempty"`
	// UserID is whom the call created or named.
	UserID string `json:"userId,omitempty"`
	// Committed says whether the call changed state, whatever was sent.
	Committed bool `json:"committed"`
}

type journal struct {
	mu      sync.Mutex
	entries []JournalEntry
	last    int
}

func (j *journal) add(entry JournalEntry) (seq int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) >= 2*journalLimit {
		j.entries = append(make([]JournalEntry, 0, 2*journalLimit), j.entries[journalLimit:]...)
	}
	j.last++
	entry.Seq = j.last
	j.entries = append(j.entries, entry)
	return entry.Seq
}

// cut notes that nothing of an answer arrived.
func (j *journal) cut(seq int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if i := j.index(seq); i >= 0 && i < len(j.entries) {
		j.entries[i].Status = 0
	}
}

// since gives the entries with a greater sequence number.
func (j *journal) since(seq int) []JournalEntry {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := min(max(j.index(seq+1), 0), len(j.entries))
	return append([]JournalEntry{}, j.entries[from:]...)
}

// index is where an entry would be. The numbers of those remembered are
// consecutive and end with last.
func (j *journal) index(seq int) int { return seq - (j.last - len(j.entries) + 1) }

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries, j.last = nil, 0
}

// requests counts calls by operation and status sent.
type requests struct {
	mu     sync.Mutex
	counts map[string]map[int]int
}

func (r *requests) count(operation string, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts[operation] == nil {
		r.counts[operation] = map[int]int{}
	}
	r.counts[operation][status]++
}

func (r *requests) snapshot() map[string]map[int]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]map[int]int{}
	for operation, counts := range r.counts {
		all[operation] = maps.Clone(counts)
	}
	return all
}

func (r *requests) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts = map[string]map[int]int{}
}
