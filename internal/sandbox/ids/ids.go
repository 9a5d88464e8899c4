// Package ids makes the sandbox's identifiers and signatures from a seed.
package ids

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"sync"
)

// Source makes identifiers that look random: the same seed gives the same ids in
// the same order. A sequence is never restarted, so a sandbox never issues an id
// twice, even after a reset or a restart.
type Source struct {
	seed string
	// start makes the ids of one process differ from those of earlier ones with
	// the same state; "" without a disk.
	start string

	mu   sync.Mutex
	last map[string]uint64
}

// New makes a source. start names the process among those that share the seed.
func New(seed, start string) *Source {
	return &Source{seed: seed, start: start, last: map[string]uint64{}}
}

// Next returns the prefix and 32 hex digits.
func (s *Source) Next(prefix string) string {
	sum := s.bytes(prefix)
	return prefix + hex.EncodeToString(sum[:16])
}

// RequestID is shaped like a version 4 UUID.
func (s *Source) RequestID() string {
	b := s.bytes("request")
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (s *Source) bytes(sequence string) [sha256.Size]byte {
	s.mu.Lock()
	s.last[sequence]++
	n := s.last[sequence]
	s.mu.Unlock()
	return s.Digest(sequence+s.start, string(binary.BigEndian.AppendUint64(nil, n)))
}

// Derive returns 32 hex digits that depend only on the seed and the parts.
func (s *Source) Derive(parts ...string) string {
	sum := s.Digest(parts...)
	return hex.EncodeToString(sum[:16])
}

// Digest is a keyed hash of the parts: its key is the seed.
func (s *Source) Digest(parts ...string) [sha256.Size]byte {
	text := append(make([]byte, 0, 128), s.seed...)
	for _, part := range parts {
		text = append(append(text, 0), part...)
	}
	return sha256.Sum256(text)
}

// Sign returns the signature of a link token's body.
func (s *Source) Sign(body string) string {
	signature := s.Digest("token", body)
	return base64.RawURLEncoding.EncodeToString(signature[:])
}
