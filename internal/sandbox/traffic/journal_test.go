package traffic

import (
	"strings"
	"testing"
)

// TestJournalCutsLongPaths: a caller cannot fill the memory with paths and queries.
func TestJournalCutsLongPaths(t *testing.T) {
	var j Journal
	seq := j.Add(Entry{Path: "/" + strings.Repeat("é", maxText), Query: strings.Repeat("q", maxText)})
	got, _ := j.Get(seq)
	if want := "/" + strings.Repeat("é", maxText/2-1) + "…"; got.Path != want || len(got.Query) != maxText {
		t.Errorf("%d bytes of the path, %d of the query", len(got.Path), len(got.Query))
	}
}

func TestJournalForgetsTheOldest(t *testing.T) {
	var j Journal
	for range 2*journalLimit + 3 {
		j.Add(Entry{Status: 200})
	}
	last := 2*journalLimit + 3
	if got := j.Since(0); len(got) != journalLimit+3 || got[0].Seq != journalLimit+1 || got[len(got)-1].Seq != last {
		t.Errorf("%d entries from %d", len(got), got[0].Seq)
	}
	j.Cut(last)
	j.Cut(1) // long forgotten
	if got := j.Since(last - 2); got[0].Status != 200 || got[1].Status != 0 {
		t.Errorf("got %+v", got)
	}
}
