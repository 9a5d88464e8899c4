package smile

import (
	"io"
	"sync/atomic"
)

const (
	// maxHeld bounds the bytes in memory of all responses, and of all listings whose callers keep every entry.
	maxHeld = 48 << 20
	// freelyRead is how much of a response is read in any case, because the outcome of a mutating call must not be lost.
	freelyRead = 64 << 10
)

// held is the memory that the whole process uses.
var held memory

type memory struct{ bytes atomic.Int64 }

// take reports whether so many more bytes may be held. If so, they must be returned by give.
func (m *memory) take(bytes int) bool {
	if m.bytes.Add(int64(bytes)) <= maxHeld {
		return true
	}
	m.give(bytes)
	return false
}

func (m *memory) give(bytes int) { m.bytes.Add(-int64(bytes)) }

// heldReader reads a body as long as memory permits. Close returns the memory.
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
