package smile

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"iter"
	"maps"
	"net/url"
	"strconv"
	"time"
)

// ListingLag is how long a listing may lag behind a creation: one that begins later shows every user and webhook that a call
// before it has created.
const ListingLag = 2 * time.Minute

const (
	// pageSize is the largest that the API permits.
	pageSize = 150
	// maxKept is how many bytes of entries are kept: more than an output can hold.
	maxKept = 16 << 20
	// maxCursorLength bounds a cursor, which is sent back in a URL.
	maxCursorLength = 2048
)

// bounds end a listing that does not end by itself.
type bounds struct {
	pages int
	// bytes bounds the size of all entries; 0 is no bound, for callers that do not keep them.
	bytes int
}

var (
	// ofTenant is for listings of a whole tenant, whose entries are not kept: 1.5 million entries.
	ofTenant = bounds{pages: 10_000}
	// ofOne is for listings whose caller keeps all entries, such as those of a user: 15,000 entries.
	ofOne = bounds{pages: 100, bytes: maxKept}
)

// ofOwner are the bounds of a listing that may be narrowed to an owner.
func ofOwner(whose owner) bounds {
	if whose == (owner{}) {
		return ofTenant
	}
	return ofOne
}

// page is the data of one answer of a listing. At the end the cursor is null,
// empty or absent.
type page struct {
	NextCursor string            `json:"nextCursor"`
	Items      []json.RawMessage `json:"items"`
}

// list yields the entries of all pages of a listing. Nothing of a page is yielded before
// all of it has been read; an error ends the sequence.
func list[W wire[T], T any](ctx context.Context, c *Client, what call) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for entries, err := range pages[W](ctx, c, what) {
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, entry := range entries {
				if !yield(entry, nil) {
					return
				}
			}
		}
	}
}

func pages[W wire[T], T any](ctx context.Context, c *Client, what call) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		query := maps.Clone(what.query)
		query.Set("size", strconv.Itoa(pageSize))
		what.query = query
		extent := extent{bounds: what.bounds, seen: map[uint64]bool{}}
		defer extent.end()
		for {
			cursor, bytes, entries, err := nextPage[W](ctx, c, what)
			if err != nil {
				yield(nil, err)
				return
			}
			if err := extent.grow(bytes); err != nil {
				yield(nil, unusable(what.operation, err))
				return
			}
			if !yield(entries, nil) || cursor == "" {
				return
			}
			if err := extent.advance(cursor); err != nil {
				yield(nil, unusable(what.operation, err))
				return
			}
			query.Set("cursor", cursor)
		}
	}
}

func nextPage[W wire[T], T any](ctx context.Context, c *Client, what call) (cursor string, bytes int, entries []T, err error) {
	received, err := receive[page](ctx, c, what)
	if err != nil {
		return "", 0, nil, err
	}
	entries = make([]T, 0, len(received.Items))
	for _, item := range received.Items {
		bytes += len(item)
		value, err := decode[W](item)
		if err != nil {
			return "", 0, nil, unusable(what.operation, err)
		}
		entry, err := translated(what.operation, value)
		if err != nil {
			return "", 0, nil, err
		}
		entries = append(entries, entry)
	}
	return received.NextCursor, bytes, entries, nil
}

// extent is how far a listing has come.
type extent struct {
	bounds
	read int
	// seen are hashes of the cursors.
	seen map[uint64]bool
}

// grow counts the entries of a page. It returns a Problem if they are too many to be kept.
func (e *extent) grow(bytes int) error {
	switch {
	case e.bytes == 0:
		return nil
	case e.read+bytes > e.bytes:
		return ProblemTooMuchData
	case !held.take(bytes):
		return ProblemNoRoom
	}
	e.read += bytes
	return nil
}

// end returns the memory of the entries.
func (e *extent) end() { held.give(e.read) }

// advance records a cursor. It refuses one that would make the listing endless.
func (e *extent) advance(cursor string) error {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(cursor))
	switch sum := hash.Sum64(); {
	case len(cursor) > maxCursorLength:
		return ProblemBadCursor
	case e.seen[sum]:
		return ProblemCursorLoop
	case len(e.seen) == e.pages-1:
		return ProblemTooManyPages
	default:
		e.seen[sum] = true
		return nil
	}
}

// filter collects the query parameters of a listing; what is empty is left out.
type filter url.Values

func (f filter) text(name, value string) filter {
	if value != "" {
		f[name] = []string{value}
	}
	return f
}

func (f filter) day(name string, value time.Time) filter {
	if value.IsZero() {
		return f
	}
	return f.text(name, value.UTC().Format(time.DateOnly))
}

func (f filter) flag(name string, value *bool) filter {
	if value == nil {
		return f
	}
	return f.text(name, strconv.FormatBool(*value))
}

// failing is the sequence of one error.
func failing[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		yield(zero, err)
	}
}
