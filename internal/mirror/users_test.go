package mirror

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
)

func TestOnlyUsersThatCarryAMarkerAreKept(t *testing.T) {
	t.Parallel()
	for marker, want := range map[string]bool{
		"v1.uid-george.digest": true, "v2.uid-george.digest": false, "v1.uid-george": false, "somebody": false, "": false,
	} {
		m, _ := startMirror(t)
		got := m.Add(smile.User{ID: "u1", ExternalMetadata: map[string]string{v1alpha1.MetadataOwner: marker}})
		if got != want || (len(m.users.byID) == 1) != want {
			t.Errorf("%q: %v, and %d kept", marker, got, len(m.users.byID))
		}
	}
	if m, _ := startMirror(t); m.Add(smile.User{ID: "u1"}) || len(m.users.byID) > 0 {
		t.Error("a user without metadata is kept")
	}
}

func TestFindSeparatesOwnFromSame(t *testing.T) {
	t.Parallel()
	m, r := startMirror(t)
	r.set("users",
		marked("young", "uid-george", "digest-george", 5), marked("b-old", "uid-george", "digest-before", 1),
		marked("a-old", "uid-george", "digest-george", 1), marked("twin", "uid-2", "digest-george", 3),
		marked("eldest-twin", "uid-3", "digest-george", 2), marked("other", "uid-4", "digest-ana", 0), user("stranger", "", 0),
	)
	found, err := m.Find(t.Context(), george, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	ids := func(users []User) (ids []string) {
		for _, user := range users {
			ids = append(ids, user.ID)
		}
		return ids
	}
	want := [][]string{{"a-old", "b-old", "young"}, {"eldest-twin", "twin"}}
	if diff := cmp.Diff(want, [][]string{ids(found.Own), ids(found.Same)}); diff != "" {
		t.Errorf("the oldest first, own and same apart:\n%s", diff)
	}
	if len(m.users.byID) != 6 {
		t.Errorf("%d users are kept, want those that are ours", len(m.users.byID))
	}
}

func TestAMarkerIsReadOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user string
		want Mark
	}{
		"ours":         {marked("u1", "uid-george", "digest-george", 0), markOf(george)},
		"unmarked":     {user("u1", "", 0), Mark{}},
		"another form": {user("u1", "v9.x.y", 0), Mark{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, r := startMirror(t)
			if _, err := m.Marker(t.Context(), "u1"); !smile.IsNotFound(err) {
				t.Fatalf("before it exists: %v", err)
			}
			r.set("users/u1", c.user)
			for range 3 {
				if got, err := m.Marker(t.Context(), "u1"); got != c.want || err != nil {
					t.Errorf("%v, %v", got, err)
				}
			}
			assertCalls(t, r, "users/u1", "users/u1")
		})
	}
}

func TestAMarkerSeenInAListingIsNotRead(t *testing.T) {
	t.Parallel()
	m, r := startMirror(t)
	r.set("users", marked("u1", "uid-george", "digest-george", 0))
	if _, err := m.Find(t.Context(), george, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Marker(t.Context(), "u1"); got != markOf(george) || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	assertCalls(t, r, "users")
}

func TestAMarkMatchesOnlyItsOwnerAndSubject(t *testing.T) {
	t.Parallel()
	mark := markOf(george)
	if !mark.Of("uid-george") || !mark.Same("digest-george") {
		t.Error("the marker does not match its own object")
	}
	if mark.Of("uid-ana") || mark.Same("digest-ana") || mark.Of("") || mark.Same("") {
		t.Error("the marker matches other objects")
	}
	if (Mark{}).Of("") || (Mark{}).Same("") {
		t.Error("a user without a marker matches")
	}
}

// After any sequence of marks and unmarks, exactly the marked users are found.
func TestUsersAreFoundByTheirMarks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, want := newUsers(), map[string]Mark{}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			id := rapid.SampledFrom([]string{"u1", "u2", "u3", "u4"}).Draw(t, "user")
			mark := Mark{owner: nameOf(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "owner")), subject: nameOf(rapid.SampledFrom([]string{"c", "d"}).Draw(t, "subject"))}
			if rapid.Bool().Draw(t, "unmark") {
				m.unmark(m.get(id))
				delete(want, id)
				continue
			}
			m.mark(m.get(id), mark)
			want[id] = mark
		}
		owned, same := map[string]Mark{}, map[string]Mark{}
		for owner, p := range m.owned {
			for ; p != nil; p = p.nextOwned {
				owned[p.id] = Mark{owner: owner, subject: p.subject}
			}
		}
		for subject, p := range m.subject {
			for ; p != nil; p = p.nextSame {
				same[p.id] = Mark{owner: p.owner, subject: subject}
			}
		}
		if !maps.Equal(owned, want) || !maps.Equal(same, want) {
			t.Fatalf("found by owner %v, by subject %v, want %v", owned, same, want)
		}
	})
}
