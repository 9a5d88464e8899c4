package creation

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

func example() record {
	return record{
		term:    term{number: 7, holder: "pod-1_uid", acquired: noon.UnixMicro()},
		unnamed: noon.Add(-time.Minute),
		sent: map[subject]time.Time{
			subjectOf("b"): noon, subjectOf("a"): noon, subjectOf("c"): noon.Add(-time.Hour),
		},
	}
}

// The next version reads the log, and after a rollback the previous one does: the stored form must not change.
func TestTheFormOfTheLogNeverChanges(t *testing.T) {
	t.Parallel()
	const stored = "AQcJcG9kLTFfdWlkgMDizpaUpwaE7q7OBgOw0q7OBi59LAOpUHrikBw+I+gWADlZSgDKl4ESyhu9ygT9pJI="
	if got := example().encode(); got != stored {
		t.Errorf("encoded as\n%s, want\n%s", got, stored)
	}
	got, err := decode(stored)
	if diff := cmp.Diff(example(), got, cmp.AllowUnexported(record{}, term{})); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestTheLogIsDecodedAsItWasEncoded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Custom(func(t *rapid.T) time.Time {
			return timeOf(uint64(rapid.Uint32().Draw(t, "second")))
		})
		want := record{
			term: term{
				number: rapid.Int64Min(0).Draw(t, "number"), holder: rapid.String().Draw(t, "holder"),
				acquired: rapid.Int64().Draw(t, "acquired"),
			},
			unnamed: at.Draw(t, "unnamed"),
			sent: rapid.MapOfN(rapid.Custom(func(t *rapid.T) subject {
				return subjectOf(rapid.String().Draw(t, "subject"))
			}), at, 0, 20).Draw(t, "sent"),
		}
		got, err := decode(want.encode())
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(record{}, term{})); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

func TestAFullLogFitsIntoALease(t *testing.T) {
	t.Parallel()
	full := record{term: example().term, sent: map[subject]time.Time{}}
	for i := range mostEntries {
		full.sent[subjectOf(string(rune(i)))] = noon.Add(time.Duration(i) * time.Second)
	}
	if size := len(full.encode()); size > 64<<10 {
		t.Errorf("%d bytes", size)
	}
	got, err := decode(full.encode())
	if err != nil || len(got.sent) != mostEntries {
		t.Errorf("%d entries, %v", len(got.sent), err)
	}
}

func TestADamagedLogIsUnreadable(t *testing.T) {
	t.Parallel()
	raw, err := base64.StdEncoding.DecodeString(example().encode())
	if err != nil {
		t.Fatal(err)
	}
	unreadable := func(what string, raw []byte) {
		t.Helper()
		if _, err := decode(base64.StdEncoding.EncodeToString(raw)); err == nil {
			t.Errorf("%s is read", what)
		}
	}
	for i := range raw {
		unreadable("a shortened log", raw[:i])
		flipped := append([]byte(nil), raw...)
		flipped[i] ^= 1
		unreadable("a changed log", flipped)
	}
	if _, err := decode("%"); err == nil {
		t.Error("invalid base64 is accepted")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(example().encode())
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := decode(text); err == nil && got.encode() != text {
			if again, err := decode(got.encode()); err != nil || !cmp.Equal(got, again, cmp.AllowUnexported(record{}, term{})) {
				t.Errorf("%q became %v", text, again)
			}
		}
	})
}
