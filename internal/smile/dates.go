package smile

import (
	"context"
	"net/http"
	"time"
)

// Dates collects the Date headers of responses: when Smile sent them, by its own clock. It is for calls that are made one after
// another.
type Dates struct {
	earliest time.Time
	missing  bool
}

// Earliest is the earliest of these times; zero if there was no call, or if a response had no Date.
func (d *Dates) Earliest() time.Time {
	if d.missing {
		return time.Time{}
	}
	return d.earliest
}

func (d *Dates) note(header http.Header) {
	at, err := http.ParseTime(header.Get("Date"))
	switch {
	case err != nil:
		d.missing = true
	case d.earliest.IsZero() || at.Before(d.earliest):
		d.earliest = at.UTC()
	}
}

type datesKey struct{}

// WithDates collects the times of the successful responses to the calls of a context.
func WithDates(ctx context.Context, dates *Dates) context.Context {
	return context.WithValue(ctx, datesKey{}, dates)
}

func noteDate(ctx context.Context, response *http.Response) {
	if dates, ok := ctx.Value(datesKey{}).(*Dates); ok {
		dates.note(response.Header)
	}
}
