package smile

import (
	"io"
	"sync/atomic"
)

const (
	// maxHeld bounds the bytes of all answers, and of all listings whose callers keep every entry, that are in memory at once.
	maxHeld = 48 << 20
	// freelyRead is how much of an answer is read in any case: the outcome of a mutating call must not be lost.
	freelyRead = 64 << 10
)

// held counts for the whole process.
var held memory

type memory struct{ bytes atomic.Int64 }

// take reports whether so many bytes more may be held; if so, give returns them.
func (m *memory) take(bytes int) bool {
	if m.bytes.Add(int64(bytes)) <= maxHeld {
		return true
	}
	m.give(bytes)
	return false
}

func (m *memory) give(bytes int) { m.bytes.Add(-int64(bytes)) }

// heldReader reads a body while there is room for it. Close gives the room back.
type heldReader struct {
	io.Reader
	read, taken int
}

// Read implements io.Reader.
func (r *heldReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if r.read += n; r.read-r.taken > freelyRead {
		more := r.read - r.taken
		if !held.take(more) {
			return 0, ProblemNoRoom
		}
		r.taken += more
	}
	return n, err
}

// Close implements io.Closer.
func (r *heldReader) Close() error {
	held.give(r.taken)
	r.taken = 0
	return nil
}
