package mirror

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
)

// Two connections use the two names of the vendor's sandbox. A user of one cannot be claimed by an object of the other.
func TestAliasesOfAHostShareAMirror(t *testing.T) {
	t.Parallel()
	key, _ := identity.NewKey()
	registry := registryWith(t, key)
	set := NewSet(t.Context(), Config{Clock: clock.RealClock{}})
	mirrorAt := func(name, endpoint string) *Mirror {
		conn, err := registry.Refresh(t.Context(), &v1alpha1.SmileConnection{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name)},
			Spec: v1alpha1.SmileConnectionSpec{
				Mode: v1alpha1.ModeSandbox, Endpoint: endpoint, CredentialsSecretRef: v1alpha1.CredentialsSecretReference{Name: "keys"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return set.For(conn)
	}
	named, alias := mirrorAt("named", "https://sandbox.smileapi.io/v1"), mirrorAt("alias", "https://open-sandbox.smileapi.io/v1")
	if named.shared != alias.shared {
		t.Error("an alias has a mirror of its own")
	}
	first := Claim{Object: types.NamespacedName{Namespace: "shop", Name: "george"}, UID: "1"}
	named.Claim("u1", first)
	if holder := alias.Claim("u1", Claim{UID: "2"}); holder != first {
		t.Errorf("%v has the person of %v", holder, first)
	}
	if other := mirrorAt("live", "https://open.smileapi.io/v1"); other.shared == named.shared {
		t.Error("the other environment shares the mirror")
	}
}
