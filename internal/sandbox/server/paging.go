package server

import (
	"encoding/base64"
	"encoding/binary"
	"iter"
	"net/url"
	"strconv"

	"github.com/smile-operator/smile-operator/internal/sandbox/ids"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
)

const (
	defaultPageSize = 10
	maxPageSize     = 150
)

// place is a position in a listing. Simple lists use major. Lists of items use
// major for the account and minor for its items.
type place struct{ major, minor int }

const cursorMACSize = 8

// cursor encodes a place for one listing: operation, tenant and filters. No
// other listing accepts it.
func (p place) cursor(ids *ids.Source, listing string) string {
	text := binary.AppendUvarint(nil, uint64(p.major))
	text = binary.AppendUvarint(text, uint64(p.minor))
	return base64.RawURLEncoding.EncodeToString(append(text, cursorMAC(ids, listing, text)...))
}

func cursorMAC(ids *ids.Source, listing string, text []byte) []byte {
	sum := ids.Digest("cursor", listing, string(text))
	return sum[:cursorMACSize]
}

// readCursor is the inverse of cursor. It accepts only exactly what cursor has
// returned for that listing.
func readCursor(ids *ids.Source, listing, cursor string) (place, bool) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return place{}, false
	}
	major, n := binary.Uvarint(text)
	minor, m := binary.Uvarint(text[max(n, 0):])
	if n <= 0 || m <= 0 {
		return place{}, false
	}
	at := place{int(major), int(minor)}
	return at, at.cursor(ids, listing) == cursor
}

// paging is the part of a query that every list has.
type paging struct {
	size    int
	from    place
	listing string
}

// listing identifies the listing of a cursor.
func listing(operation, key string, filters url.Values) string {
	return operation + "\n" + key + "\n" + filters.Encode()
}

func readPaging(c *call) (paging, *validate.Problem) {
	p := paging{size: defaultPageSize, listing: listing(c.op.id, c.tenant.pair.Key, c.filters)}
	if text, given := validate.First(c.query, "size"); given {
		size, err := strconv.Atoi(text)
		if err != nil || size < 1 || size > maxPageSize {
			return paging{}, validate.Wrong("size", "must be a whole number from 1 to "+strconv.Itoa(maxPageSize))
		}
		p.size = size
	}
	if text, given := validate.First(c.query, "cursor"); given && text != "" {
		from, ok := readCursor(c.box.ids, p.listing, text)
		if !ok {
			return paging{}, validate.Wrong("cursor", "must be the nextCursor of the same listing with the same filters")
		}
		p.from = from
	}
	return p, nil
}

// paginate answers with the next page of the wanted rows. It reads one row
// ahead, so a cursor always leads to more rows.
func paginate[T any](c *call, rows iter.Seq2[place, T], wanted func(T) bool, wire func(T) any) reply {
	answer := page{Items: []any{}}
	var last place
	for at, row := range rows {
		if !wanted(row) {
			continue
		}
		if len(answer.Items) == c.paging.size {
			cursor := last.cursor(c.box.ids, c.paging.listing)
			answer.NextCursor = &cursor
			break
		}
		answer.Items = append(answer.Items, wire(row))
		last = at
	}
	return ok(answer)
}
