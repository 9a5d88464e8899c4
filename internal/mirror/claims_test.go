package mirror

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestARemoteUserIsClaimedByOneObject(t *testing.T) {
	t.Parallel()
	m, _ := startMirror(t)
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
	assertHolder("released by others", first, m.Claim("u1", second))
	m.Unclaim("u1", first)
	assertHolder("released", second, m.Claim("u1", second))
}
