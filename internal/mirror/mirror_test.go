package mirror

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/smile"
)

func TestOnlyUsersThatCarryAMarkerAreKept(t *testing.T) {
	t.Parallel()
	for marker, want := range map[string]bool{
		"v1.uid-george.digest": true, "v2.uid-george.digest": false, "v1.uid-george": false, "somebody": false, "": false,
	} {
		m := startMirror(t)
		got := m.Add(smile.User{ID: "u1", ExternalMetadata: map[string]string{v1alpha1.MetadataOwner: marker}})
		if got != want || (len(m.users) == 1) != want {
			t.Errorf("%q: %v, and %d kept", marker, got, len(m.users))
		}
	}
	if m := startMirror(t); m.Add(smile.User{ID: "u1"}) || len(m.users) > 0 {
		t.Error("a user without metadata is kept")
	}
}

func TestFindTellsOwnFromSame(t *testing.T) {
	t.Parallel()
	m, r := startMirror(t), newRemote()
	r.set("users",
		marked("young", "uid-george", "digest-george", 5), marked("b-old", "uid-george", "digest-before", 1),
		marked("a-old", "uid-george", "digest-george", 1), marked("twin", "uid-2", "digest-george", 3),
		marked("eldest-twin", "uid-3", "digest-george", 2), marked("other", "uid-4", "digest-ana", 0), user("stranger", "", 0),
	)
	found, err := m.Find(t.Context(), r.client(), george)
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
	if len(m.users) != 6 {
		t.Errorf("%d users are kept, want those that are ours", len(m.users))
	}
}

func TestAMarkerIsAskedForOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user string
		want identity.Marker
		ok   bool
	}{
		"ours":         {marked("u1", "uid-george", "digest-george", 0), george, true},
		"unmarked":     {user("u1", "", 0), identity.Marker{}, false},
		"another form": {user("u1", "v9.x.y", 0), identity.Marker{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, r := startMirror(t), newRemote()
			if _, _, err := m.Marker(t.Context(), r.client(), "u1"); !smile.IsNotFound(err) {
				t.Fatalf("before it exists: %v", err)
			}
			r.set("users/u1", c.user)
			for range 3 {
				got, ok, err := m.Marker(t.Context(), r.client(), "u1")
				if got != c.want || ok != c.ok || err != nil {
					t.Errorf("%v, %v, %v", got, ok, err)
				}
			}
			assertCalls(t, r, "users/u1", "users/u1")
		})
	}
}

func TestAMarkerSeenInAListingIsNotAskedFor(t *testing.T) {
	t.Parallel()
	m, r := startMirror(t), newRemote()
	r.set("users", marked("u1", "uid-george", "digest-george", 0))
	if _, err := m.Find(t.Context(), r.client(), george); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := m.Marker(t.Context(), r.client(), "u1"); got != george || !ok || err != nil {
		t.Errorf("%v, %v, %v", got, ok, err)
	}
	assertCalls(t, r, "users")
}

func TestASubjectIsReservedForOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := startMirror(t)
		began := time.Now()
		mine := Reservation{UID: "1", Since: began}
		assertHolder := func(step string, want, got Reservation) {
			t.Helper()
			if want != got {
				t.Errorf("%s: %v, want %v", step, got, want)
			}
		}
		assertHolder("the first", mine, m.Reserve("d", "1"))
		time.Sleep(time.Minute)
		assertHolder("the second", mine, m.Reserve("d", "2"))
		assertHolder("of another subject", Reservation{"2", time.Now()}, m.Reserve("e", "2"))
		if m.Renew("d", "2") || m.Renew("absent", "1") {
			t.Error("somebody renewed what is not theirs")
		}
		assertHolder("after that", mine, m.Reserve("d", "2"))
		if !m.Renew("d", "1") {
			t.Error("the holder cannot renew")
		}
		mine.Since = time.Now()
		assertHolder("renewed", mine, m.Reserve("d", "2"))
		m.Free("d", "2")
		assertHolder("freed by a stranger", mine, m.Reserve("d", "2"))
		m.Free("d", "1")
		if m.Renew("d", "1") {
			t.Error("renewed what is free")
		}
		assertHolder("freed by the holder", Reservation{"2", time.Now()}, m.Reserve("d", "2"))
	})
}

func TestARemoteUserIsClaimedByOne(t *testing.T) {
	t.Parallel()
	m := startMirror(t)
	first := Claim{Object: types.NamespacedName{Namespace: "shop", Name: "a"}, UID: "1"}
	second := Claim{Object: types.NamespacedName{Namespace: "shop", Name: "b"}, UID: "2"}
	reborn := Claim{Object: first.Object, UID: "3"}
	assertHolder := func(step string, want, got Claim) {
		t.Helper()
		if want != got {
			t.Errorf("%s: %v, want %v", step, got, want)
		}
	}
	assertHolder("the first", first, m.Claim("u1", first))
	assertHolder("the first again", first, m.Claim("u1", first))
	assertHolder("the second", first, m.Claim("u1", second))
	assertHolder("the same name, another object", first, m.Claim("u1", reborn))
	assertHolder("another user", second, m.Claim("u2", second))
	m.Unclaim("u1", second)
	m.Unclaim("u1", reborn)
	assertHolder("let go by others", first, m.Claim("u1", second))
	m.Unclaim("u1", first)
	assertHolder("let go", second, m.Claim("u1", second))
}
