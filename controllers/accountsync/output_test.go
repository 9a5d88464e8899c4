package accountsync_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// intoConfigMap writes selected fields into a ConfigMap.
func intoConfigMap(sync *v1alpha1.SmileAccountSync) {
	sync.Spec.Datapoints = []v1alpha1.Datapoint{
		{Type: "EMPLOYMENTS", Fields: []v1alpha1.FieldPath{"employer", "startDate"}},
		{Type: "IDENTITIES", Fields: []v1alpha1.FieldPath{"countryResidence", "addresses[].country", "addresses[].latitude"}},
	}
	sync.Spec.Output = &v1alpha1.SyncOutput{ConfigMap: &v1alpha1.OutputReference{Name: testenv.DataName}}
}

var _ = Describe("The output of a SmileAccountSync", func() {
	configMap := func(s *scene) *corev1.ConfigMap {
		GinkgoHelper()
		found := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: testenv.DataName}}
		Expect(s.Exists(found)).To(BeTrue())
		return found
	}

	It("may be a ConfigMap with exactly the named fields", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"}, intoConfigMap)
		written := configMap(s)
		Expect(metav1.IsControlledBy(written, sync)).To(BeTrue())
		Expect(written.BinaryData).To(BeEmpty())
		Expect(written.Data).To(HaveLen(3))
		for _, item := range items([]byte(written.Data["employments.json"])) {
			Expect(item).To(And(HaveLen(4), HaveKey("employer"), HaveKey("startDate"),
				HaveKeyWithValue("accountId", linked[0].ID), HaveKeyWithValue("providerId", "sss_ph")))
		}
		identity := items([]byte(written.Data["identities.json"]))[0]
		Expect(identity).To(And(HaveLen(4), HaveKeyWithValue("countryResidence", "PH")))
		Expect(identity["addresses"]).To(HaveLen(1))
		Expect(identity["addresses"].([]any)[0]).To(And(HaveLen(2), HaveKeyWithValue("country", "PH")))
		Expect(strings.Join([]string{written.Data["identities.json"], written.Data["employments.json"]}, "")).NotTo(ContainSubstring("George"))
		s.op.Quiet(sync)
	})

	It("is restored when somebody edits or deletes it", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		before := s.data()

		s.Change(before, func() { before.Data["identities.json"] = []byte("[]"); delete(before.Data, "index.json") })
		s.op.Live(interval, s.user, sync)
		restored := s.data()
		Expect(items(restored.Data["identities.json"])).To(HaveLen(1))
		Expect(restored.Data).To(HaveLen(3))

		s.Delete(restored)
		s.op.Live(interval, s.user, sync)
		Expect(s.data().Data).To(Equal(restored.Data))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.op.Quiet(sync)
	})

	It("is restored even if somebody made it immutable", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		frozen, yes := s.data(), true
		s.Change(frozen, func() { frozen.Immutable = &yes })
		_, err := s.Smile.Disconnect(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.op.Live(interval, s.user, sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
	})

	It("moves with its name and kind, and leaves nothing behind", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		content := s.data().Data
		s.Change(sync, func() { sync.Spec.Output.Secret.Name = "elsewhere" })
		s.op.Run(sync)
		_, ok := s.Secret(testenv.DataName)
		Expect(ok).To(BeFalse())
		moved, ok := s.Secret("elsewhere")
		Expect(ok).To(BeTrue())
		Expect(moved.Data).To(Equal(content))

		s.Change(sync, func() { intoConfigMap(sync) })
		s.op.Run(sync)
		_, ok = s.Secret("elsewhere")
		Expect(ok).To(BeFalse())
		Expect(configMap(s).Data).To(HaveKey("employments.json"))
		Expect(sync.Status.Output.Kind).To(Equal("ConfigMap"))

		s.Change(sync, func() { sync.Spec.Output = nil })
		s.op.Run(sync)
		Expect(s.Exists(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: testenv.DataName}})).To(BeFalse())
		Expect(sync.Status.Output).To(BeNil())
		Expect(s.Condition(sync, v1alpha1.ConditionOutputReady)).To(BeEmpty())
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.op.Quiet(sync)
	})

	It("that the spec omits is not written; only the status is updated", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"}, func(sync *v1alpha1.SmileAccountSync) { sync.Spec.Output = nil })
		Expect(sync.Status.Accounts[0].Datapoints).To(HaveLen(2))
		_, ok := s.Secret(testenv.DataName)
		Expect(ok).To(BeFalse())
	})

	It("never changes an object of another owner, and nothing is fetched for it", func() {
		s := newScene(testenv.Config{})
		foreign := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: testenv.DataName, Labels: map[string]string{"app": "shop"}},
			Data:       map[string][]byte{"password": []byte("theirs")},
		}
		s.Create(foreign)
		before := foreign.DeepCopy()
		s.link("sss_ph")
		sync := s.sync()
		s.ask(sync)
		Expect(s.op.Run(sync)).To(Equal(5 * time.Minute))
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputConflict)))
		s.op.Quiet(sync)
		Expect(s.fetches()).To(BeZero())
		s.op.Live(interval, sync)
		s.Change(sync, func() { sync.Spec.Output.Secret.Name = "another" })
		s.op.Run(sync)
		s.Delete(sync)
		s.op.Run(sync)
		s.Get(foreign)
		Expect(foreign).To(Equal(before))
	})

	It("of another SmileAccountSync belongs to another owner", func() {
		s := newScene(testenv.Config{})
		s.synced([]string{"sss_ph"})
		before := s.data()
		other := testenv.Sync("other", testenv.UserName)
		s.Create(other)
		s.op.Run(other)
		Expect(s.Outcome(other)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputConflict)))
		Expect(s.data()).To(Equal(before))
	})

	It("follows the spec", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		s.Change(sync, func() {
			sync.Spec.Datapoints = []v1alpha1.Datapoint{{Type: "IDENTITIES", Fields: []v1alpha1.FieldPath{"lastName"}}, {Type: "LIABILITIES"}}
		})
		Expect(s.Outcome(sync)).To(Equal(testenv.Updating(v1alpha1.ReasonSucceeded)))
		s.op.Run(sync)
		Expect(s.data().Data).To(And(HaveLen(3), HaveKey("liabilities.json"), Not(HaveKey("contributions.json"))))
		Expect(items(s.data().Data["identities.json"])[0]).To(HaveLen(3))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})
})
