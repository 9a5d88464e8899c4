package mirror

import (
	"testing"
	"time"
)

func TestAnEarlierDayThatIsRequestedDuringAPollIsKept(t *testing.T) {
	t.Parallel()
	first, last := time.Date(2000, 1, 3, 0, 0, 0, 0, time.UTC), time.Date(2000, 1, 20, 12, 0, 0, 0, time.UTC)
	var b backlog
	b.resume(last)
	from := b.tasksFrom()
	b.resume(first)
	b.tasksRead(from, oldest{at: last})
	if got := b.tasksFrom(); !got.Equal(first) {
		t.Errorf("the next poll lists from %v, want %v", got, first)
	}
	b.tasksRead(first, oldest{at: last})
	if got, want := b.tasksFrom(), dayBefore(last); !got.Equal(want) {
		t.Errorf("after that poll, the next lists from %v, want %v", got, want)
	}
}
