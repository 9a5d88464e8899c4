package creation

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"slices"
	"time"
)

const (
	// mostEntries bounds the log: 48 KiB as it is stored.
	mostEntries = 4096
	// recordVersion is the first byte of an encoded record.
	recordVersion = 1
	checksumSize  = 4
)

// subject is what the log keeps of a subject: 8 bytes of a hash of its digest. Two subjects that share them wait for each other.
type subject [8]byte

func subjectOf(key string) subject {
	sum := sha256.Sum256([]byte(key))
	return subject(sum[:len(subject{})])
}

// record is the content of the log.
type record struct {
	term term
	// unnamed is when the last call that did not fit into the log was sent; zero if none may still be open.
	unnamed time.Time
	// sent is when the last call for each subject was named, shortly before it was sent.
	sent map[subject]time.Time
}

// term identifies the leader that wrote the log.
type term struct {
	// number counts the leaders, as the leader Lease does.
	number int64
	// holder is the leader's own name.
	holder string
	// acquired is when it became the leader, in microseconds of Unix time, as the leader Lease shows it. It is an identifier, and
	// compared for equality only.
	acquired int64
}

var errUnreadable = errors.New("the creation log is unreadable")

// encode returns the record as it is stored in the annotation, in base64: the version, the term, the time of unnamed calls, the
// number of entries, the entries in the order of their times, and a CRC-32 (IEEE, big endian) of all this. An entry is the
// seconds since the entry before it, and the subject. Numbers are varints. Times are seconds of Unix time, 0 for none.
func (r record) encode() string {
	out := []byte{recordVersion}
	out = binary.AppendUvarint(out, uint64(r.term.number))
	out = binary.AppendUvarint(out, uint64(len(r.term.holder)))
	out = append(out, r.term.holder...)
	out = binary.AppendVarint(out, r.term.acquired)
	out = binary.AppendUvarint(out, unixOf(r.unnamed))
	out = binary.AppendUvarint(out, uint64(len(r.sent)))
	last := uint64(0)
	for _, of := range slices.SortedFunc(maps.Keys(r.sent), r.byTime) {
		at := unixOf(r.sent[of])
		out = binary.AppendUvarint(out, at-last)
		out = append(out, of[:]...)
		last = at
	}
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out)))
}

func (r record) byTime(a, b subject) int {
	return cmp.Or(cmp.Compare(unixOf(r.sent[a]), unixOf(r.sent[b])), slices.Compare(a[:], b[:]))
}

// decode reads a record. A text that encode cannot have written is unreadable.
func decode(text string) (record, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) < 1+checksumSize || raw[0] != recordVersion {
		return record{}, errUnreadable
	}
	body, sum := raw[:len(raw)-checksumSize], raw[len(raw)-checksumSize:]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(sum) {
		return record{}, errUnreadable
	}
	in := reader{rest: body[1:]}
	r := record{sent: map[subject]time.Time{}}
	r.term.number = int64(in.uvarint())
	r.term.holder = string(in.take(in.uvarint()))
	r.term.acquired = in.varint()
	r.unnamed = timeOf(in.uvarint())
	last := uint64(0)
	for range min(in.uvarint(), mostEntries+1) {
		last += in.uvarint()
		r.sent[subject(in.take(uint64(len(subject{}))))] = timeOf(last)
	}
	if in.failed || len(in.rest) > 0 {
		return record{}, errUnreadable
	}
	return r, nil
}

// reader reads the parts of an encoded record in order, and remembers whether one was missing.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) uvarint() uint64 {
	value, n := binary.Uvarint(r.rest)
	r.skip(n)
	return value
}

func (r *reader) varint() int64 {
	value, n := binary.Varint(r.rest)
	r.skip(n)
	return value
}

func (r *reader) skip(n int) {
	if n <= 0 {
		r.failed, r.rest = true, nil
		return
	}
	r.rest = r.rest[n:]
}

// take returns n bytes; if there are fewer, bytes of value 0.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.failed, r.rest = true, nil
		return make([]byte, min(n, uint64(len(subject{}))))
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func unixOf(at time.Time) uint64 {
	if at.IsZero() {
		return 0
	}
	return uint64(max(at.Unix(), 0))
}

func timeOf(unix uint64) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(int64(unix), 0).UTC()
}
