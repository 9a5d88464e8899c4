package server

import "testing"

func TestAnEndlessListing(t *testing.T) {
	for _, phase := range []string{phaseBefore, phaseAfter} {
		t.Run(phase, func(t *testing.T) {
			b := newBox(t, Options{})
			if err := b.Seed(SeedRequest{Users: 3, AccountsPerUser: 1}); err != nil {
				t.Fatal(err)
			}
			if err := b.SetFaults([]Fault{{Operation: "list-users", Count: -1, Phase: phase, Action: "endless"}}); err != nil {
				t.Fatal(err)
			}
			cursor, seen := "", map[string]bool{}
			for range 50 {
				p := b.list("/v1/users?size=7" + cursor)
				if len(p.Items) != 7 || p.NextCursor == nil || seen[*p.NextCursor] {
					t.Fatalf("%d items, and cursor %v after %d others", len(p.Items), p.NextCursor, len(seen))
				}
				seen[*p.NextCursor] = true
				cursor = "&cursor=" + *p.NextCursor
			}
			b.get("/v1/users?size=0").must(t, 400)
			if p := b.list("/v1/accounts"); len(p.Items) != 3 || p.NextCursor != nil {
				t.Errorf("another listing: %+v", p)
			}
		})
	}
}

// TestWhatCanBeEndless: also an empty listing, but only listings.
func TestWhatCanBeEndless(t *testing.T) {
	b := newBox(t, Options{})
	if err := b.SetFaults([]Fault{{Operation: "create-user", Action: "endless"}}); err == nil {
		t.Error("a call that lists nothing can be endless")
	}
	if err := b.SetFaults([]Fault{{Operation: anyCall, Count: -1, Phase: phaseAfter, Action: "endless"}}); err != nil {
		t.Fatal(err)
	}
	if p := b.list("/v1/users"); len(p.Items) != 0 || p.NextCursor == nil {
		t.Errorf("an empty listing: %+v", p)
	}
	b.newUser()
	if p := b.list("/v1/users"); len(p.Items) != defaultPageSize {
		t.Errorf("%d users on a page", len(p.Items))
	}
}
