package testenv_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// What the files of etcd and its snapshots hold of a person: of a ConfigMap the fields that were named and nothing else; of Secrets and
// of our objects, where the API server encrypts them, nothing that can be read.
func TestWhatIsReadableAtRest(t *testing.T) {
	w := testenv.New(t, testenv.Config{})
	op, conn := w.Operator(), testenv.Connection(testenv.ConnectionName)
	user := testenv.User(testenv.UserName, func(u *v1alpha1.SmileUser) {
		u.Spec.Subject, u.Spec.ExternalMetadata = "SeededSubject", map[string]v1alpha1.MetadataValue{"seeded": "SeededMetadata"}
	})
	other := testenv.User("other") // whose id at Smile is not in the seal of a ConfigMap
	w.Create(conn, user, other, testenv.Keys(testenv.KeysName, testenv.One))
	op.Run(conn, user, other)
	w.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
	secret := testenv.Sync("whole", testenv.UserName)
	chosen := testenv.Sync("chosen", testenv.UserName, func(sync *v1alpha1.SmileAccountSync) {
		sync.Spec.Datapoints = []v1alpha1.Datapoint{
			{Type: "IDENTITIES", Fields: []v1alpha1.FieldPath{"lastName", "addresses[0].city"}}, {Type: "EMPLOYMENTS", Fields: []v1alpha1.FieldPath{"employer"}},
		}
		sync.Spec.Output = &v1alpha1.SyncOutput{ConfigMap: &v1alpha1.OutputReference{Name: "chosen-data"}}
	})
	w.Create(secret, chosen)
	w.Pass(time.Second)
	for _, sync := range []*v1alpha1.SmileAccountSync{secret, chosen} {
		w.Annotate(sync, v1alpha1.AnnotationRequestedAt, "now")
		op.Run(sync)
	}
	whole, ok := w.Secret(testenv.DataName)
	if !ok || !strings.Contains(string(whole.Data["identities.json"]), testenv.Canary) {
		t.Fatal("the Secret holds no data of the person")
	}
	fields := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "chosen-data"}}
	w.Get(fields)

	planted := w.Smile.Canaries()
	open := fields.Data["identities.json"] + fields.Data["employments.json"]
	seeded := []string{testenv.One.Key, testenv.One.Secret, "SeededSubject", "SeededMetadata", other.Status.UserID}
	readable, expected := w.AtRest(slices.Concat(planted, seeded, []string{fields.Name})), 0
	for _, value := range seeded {
		if readable[value] {
			t.Errorf("%s is readable", value)
		}
	}
	for _, canary := range planted {
		chosen := strings.Contains(open, canary)
		if readable[canary] != chosen {
			t.Errorf("%s is readable: %v; it was chosen: %v", canary, readable[canary], chosen)
		}
		if chosen {
			expected++
		}
	}
	if expected < 3 || expected > len(planted)/2 {
		t.Errorf("%d of %d values were chosen: the test proves nothing", expected, len(planted))
	}
	if !readable[fields.Name] {
		t.Error("the files are not those of etcd")
	}
}
