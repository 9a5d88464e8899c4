package server

import (
	"net/http"
	"testing"
	"time"
)

func TestTheDateOfAResponseFollowsTheClock(t *testing.T) {
	b := newBox(t, Options{})
	shown := func() time.Time {
		t.Helper()
		date, err := http.ParseTime(b.get("/v1/users").header.Get("Date"))
		if err != nil {
			t.Fatal(err)
		}
		return date
	}
	if date := shown(); !date.Equal(b.wall.now()) {
		t.Errorf("%s, want %s", date, b.wall.now())
	}
	if err := b.Advance(744 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if date := shown(); !date.Equal(b.wall.now().Add(744 * time.Hour)) {
		t.Errorf("%s after the clock was moved", date)
	}
}
