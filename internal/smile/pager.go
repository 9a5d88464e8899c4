package smile

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/url"
	"strconv"
	"time"
)

const (
	// pageSize is the largest that the API gives.
	pageSize = 150
	// maxPages bounds a listing to 1.5 million entries.
	maxPages = 10_000
	// maxCursorLength bounds what is sent back in a URL.
	maxCursorLength = 2048
)

// page is the data of one answer of a listing. At the end the cursor is null,
// empty or absent.
type page struct {
	NextCursor string            `json:"nextCursor"`
	Items      []json.RawMessage `json:"items"`
}

// list walks through all pages of a listing. Nothing of a page is yielded before
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
		seen := map[string]bool{}
		for {
			cursor, entries, err := nextPage[W](ctx, c, what)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(entries, nil) || cursor == "" {
				return
			}
			if err := checkCursor(cursor, seen); err != nil {
				yield(nil, unusable(what.operation, err))
				return
			}
			query.Set("cursor", cursor)
		}
	}
}

func nextPage[W wire[T], T any](ctx context.Context, c *Client, what call) (string, []T, error) {
	received, err := receive[page](ctx, c, what)
	if err != nil {
		return "", nil, err
	}
	entries := make([]T, 0, len(received.Items))
	for _, item := range received.Items {
		value, err := decode[W](item)
		if err != nil {
			return "", nil, unusable(what.operation, err)
		}
		entry, err := translated(what.operation, value)
		if err != nil {
			return "", nil, err
		}
		entries = append(entries, entry)
	}
	return received.NextCursor, entries, nil
}

// checkCursor records a cursor, and refuses what would keep a listing from ending.
func checkCursor(cursor string, seen map[string]bool) error {
	switch {
	case len(cursor) > maxCursorLength:
		return ProblemBadCursor
	case seen[cursor]:
		return ProblemCursorLoop
	case len(seen) == maxPages-1:
		return ProblemTooManyPages
	}
	seen[cursor] = true
	return nil
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
