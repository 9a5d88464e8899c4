package traffic

import "testing"

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
