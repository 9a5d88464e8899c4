package smile

import (
	"io"
	"sync/atomic"
)

const (
	// maxHeld bounds the bytes in memory of all responses, and of all listings whose callers keep every entry.
	maxHeld = 48 << 20
	// maxResponses bounds the bytes of the responses alone. While a response is read and decoded, it uses several times its size.
	maxResponses = 8 << 20
	// freelyRead is how much of a response is read in any case, because the outcome of a mutating call must not be lost.
	freelyRead = 64 << 10
)

// held is the memory that the whole process uses, and responses the part of it that is for responses.
var held, responses = memory{most: maxHeld}, memory{most: maxResponses}

type memory struct {
	most  int64
	bytes atomic.Int64
}

// take reports whether so many more bytes may be held. If so, they must be returned by give.
func (m *memory) take(bytes int) bool {
	if m.bytes.Add(int64(bytes)) <= m.most {
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
	if r.read += n; r.read-r.taken > freelyRead && !r.take(r.read-r.taken) {
		return 0, ProblemNoRoom
	}
	return n, err
}

func (r *heldReader) take(more int) bool {
	if !responses.take(more) {
		return false
	}
	if !held.take(more) {
		responses.give(more)
		return false
	}
	r.taken += more
	return true
}

// Close implements io.Closer.
func (r *heldReader) Close() error {
	responses.give(r.taken)
	held.give(r.taken)
	r.taken = 0
	return nil
}
