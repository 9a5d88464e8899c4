package output

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// shardBytes is the most that the keys and values of one ConfigMap of the ledger hold.
	shardBytes = 32 << 10
	// entryChars is the length of an entry: 72 bits of a keyed digest, in base64url. With a million entries, the chance
	// that another account's digest equals one of them is below one in 10^15.
	entryChars = 12
	// dayChars is the length of a day as a key of a ConfigMap.
	dayChars = len(time.DateOnly)
)

// day is a date in UTC, counted from 1970-01-01.
type day int32

const daySeconds = 24 * 60 * 60

// firstDay is before all others.
const firstDay day = math.MinInt32

func dayOf(at time.Time) day { return day(at.Unix() / daySeconds) }

func (d day) String() string { return time.Unix(int64(d)*daySeconds, 0).UTC().Format(time.DateOnly) }

// entry is an erased account: the first characters of its digest.
type entry [entryChars]byte

func entryOf(digest string) entry { return entry([]byte(digest)[:entryChars]) }

// shard is the content of a ConfigMap of the ledger, or what is to be added to one.
type shard map[day][]entry

var concatenated = regexp.MustCompile(`^([A-Za-z0-9_-]{12})+$`)

// parseShard reads a ConfigMap, in which each key is a day and each value its entries, one after the other. Anything
// else is an error: to ignore it could mean to lose entries.
func parseShard(stored *corev1.ConfigMap) (shard, error) {
	content := shard{}
	for key, text := range stored.Data {
		at, err := time.Parse(time.DateOnly, key)
		if err != nil || !concatenated.MatchString(text) {
			return nil, incomplete(stored.Name, fmt.Errorf("%q is not a day with its digests", key))
		}
		for chars := range slices.Chunk([]byte(text), entryChars) {
			content[dayOf(at)] = append(content[dayOf(at)], entry(chars))
		}
	}
	return content, nil
}

// data is the inverse of parseShard.
func (s shard) data() map[string]string {
	all := map[string]string{}
	for on, list := range s {
		var text strings.Builder
		for _, e := range list {
			text.Write(e[:])
		}
		all[on.String()] = text.String()
	}
	return all
}

func (s shard) clone() shard {
	copied := shard{}
	for on, list := range s {
		copied[on] = slices.Clone(list)
	}
	return copied
}

// size is how many bytes its keys and values have.
func (s shard) size() int {
	size := 0
	for _, list := range s {
		size += dayChars + len(list)*entryChars
	}
	return size
}

// count is how many entries it has.
func (s shard) count() int {
	n := 0
	for _, list := range s {
		n += len(list)
	}
	return n
}

// plus returns the entries of both.
func (s shard) plus(other shard) shard {
	both := s.clone()
	for on, list := range other {
		both[on] = append(both[on], list...)
	}
	return both
}

// take adds entries of another shard for as long as they fit, and returns the others.
func (s shard) take(more shard) (rest shard) {
	rest = shard{}
	for on, list := range more {
		room := shardBytes - s.size()
		if len(s[on]) == 0 {
			room -= dayChars
		}
		n := min(max(0, room/entryChars), len(list))
		if n > 0 {
			s[on] = append(s[on], list[:n]...)
		}
		if n < len(list) {
			rest[on] = list[n:]
		}
	}
	return rest
}

// without returns the entries that another shard does not have.
func (s shard) without(other shard) shard {
	missing := shard{}
	for on, list := range s {
		there := map[entry]bool{}
		for _, e := range other[on] {
			there[e] = true
		}
		for _, e := range list {
			if !there[e] {
				missing[on] = append(missing[on], e)
			}
		}
	}
	return missing
}

// dropBefore removes the days before a limit.
func (s shard) dropBefore(limit day) {
	for on := range s {
		if on < limit {
			delete(s, on)
		}
	}
}

// last is the newest day.
func (s shard) last() day {
	var newest day
	for on := range s {
		newest = max(newest, on)
	}
	return newest
}

// span is which shards exist: first to last, none if last is less than first. The head, shard 0, stores it, so that
// the loss of a shard is noticed.
type span struct{ first, last int }

func (s span) data() map[string]string {
	return map[string]string{"first": strconv.Itoa(s.first), "last": strconv.Itoa(s.last)}
}

func parseSpan(head *corev1.ConfigMap) (span, error) {
	first, err := strconv.Atoi(head.Data["first"])
	last, err2 := strconv.Atoi(head.Data["last"])
	if errors.Join(err, err2) != nil || first < 1 || last < first-1 {
		return span{}, incomplete(head.Name, errors.New(`"first" and "last" are not the numbers of the shards`))
	}
	return span{first, last}, nil
}
