package output_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/internal/output"
)

func TestTheLossOfTheIdentitySecretIsShown(t *testing.T) {
	t.Parallel()
	kube := newCluster(t)
	key, err := output.Identity(t.Context(), kube, system)
	if err != nil {
		t.Fatal(err)
	}
	var refuse error
	reads := 0
	counting := interceptor.NewClient(kube.WithWatch, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, name client.ObjectKey, obj client.Object, options ...client.GetOption) error {
			reads++
			if refuse != nil {
				return refuse
			}
			return c.Get(ctx, name, obj, options...)
		},
	})
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	check := output.NewIdentityCheck(counting, system.Namespace, key, clock)
	expect := func(when, want string) {
		t.Helper()
		clock.Step(10 * time.Second)
		if want != "" {
			want = `# HELP smile_operator_identity_secret_intact 1 if the identity Secret holds the key that this process uses; ` +
				"0 if the Secret is missing or holds another key. Absent if it cannot be read.\n" +
				"# TYPE smile_operator_identity_secret_intact gauge\nsmile_operator_identity_secret_intact " + want + "\n"
		}
		if err := testutil.CollectAndCompare(check, strings.NewReader(want)); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	expect("stored", "1")
	refuse = errors.New("the API server is away")
	expect("unreadable", "")
	refuse = nil
	stored := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace, Name: output.IdentitySecret}}
	if err := kube.Get(t.Context(), client.ObjectKeyFromObject(stored), stored); err != nil {
		t.Fatal(err)
	}
	saved := stored.DeepCopy()
	stored.Data["key"] = []byte(strings.Repeat("x", 32))
	if err := kube.Update(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	expect("another key", "0")
	if err := kube.Delete(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	expect("deleted", "0")
	saved.ResourceVersion = ""
	if err := kube.Create(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	expect("restored", "1")
	before := reads
	clock.Step(9 * time.Second)
	testutil.CollectAndCount(check)
	if reads != before {
		t.Error("it was read again within 10 s")
	}
}
