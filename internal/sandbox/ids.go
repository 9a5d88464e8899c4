package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"
)

// idSource makes identifiers that look random and are not: the same seed gives
// the same ids in the same order. A sequence is never restarted, so no id is
// given twice in the life of a sandbox, whatever is reset or restarted.
type idSource struct {
	seed string
	// start tells the ids of one process from those of others with the same
	// state; "" without a disk.
	start string

	mu   sync.Mutex
	last map[string]uint64
}

func newIDSource(seed, start string) *idSource {
	return &idSource{seed: seed, start: start, last: map[string]uint64{}}
}

// next is the prefix and 32 hex digits.
func (s *idSource) next(prefix string) string {
	sum := s.bytes(prefix)
	return prefix + hex.EncodeToString(sum[:16])
}

// requestID is shaped like a version 4 UUID.
func (s *idSource) requestID() string {
	b := s.bytes("request")
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (s *idSource) bytes(sequence string) [sha256.Size]byte {
	s.mu.Lock()
	s.last[sequence]++
	n := s.last[sequence]
	s.mu.Unlock()
	return s.digest(sequence+s.start, string(binary.BigEndian.AppendUint64(nil, n)))
}

// derive is 32 hex digits that depend on the seed and the parts alone.
func (s *idSource) derive(parts ...string) string {
	sum := s.digest(parts...)
	return hex.EncodeToString(sum[:16])
}

func (s *idSource) digest(parts ...string) [sha256.Size]byte {
	text := append(make([]byte, 0, 128), s.seed...)
	for _, part := range parts {
		text = append(append(text, 0), part...)
	}
	return sha256.Sum256(text)
}
