package accountsync_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("Annotations of a template", func() {
	const reloader, replicator = "reloader.stakater.com/match", "replicator.v1.mittwald.de/replicate-to"
	annotated := func(sync *v1alpha1.SmileAccountSync) {
		sync.Spec.Output.Template = &v1alpha1.OutputTemplate{Metadata: &v1alpha1.OutputMetadata{
			Labels:      map[string]v1alpha1.LabelValue{"team": "loans"},
			Annotations: map[string]v1alpha1.AnnotationValue{reloader: "true", replicator: "*"},
		}}
	}

	It("that are not allowed are omitted, with one warning, and Ready does not change", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"}, annotated)
		Expect(s.data().Annotations).To(HaveKeyWithValue(reloader, "true"))
		Expect(s.data().Annotations).NotTo(HaveKey(replicator))
		Expect(s.data().Labels).To(HaveKeyWithValue("team", "loans"))
		Expect(s.Condition(sync, v1alpha1.ConditionTemplateApplied)).To(Equal("False/AnnotationNotAllowed"))
		s.op.Live(interval, s.user, sync)
		warnings := slices.DeleteFunc(s.op.Reasons(sync), func(reason string) bool { return reason != v1alpha1.ReasonAnnotationNotAllowed })
		Expect(warnings).To(HaveLen(1))
		s.op = s.Operator()
		s.op.Run(s.conn)
		s.op.Live(interval, s.user, sync)
		Expect(s.op.Reasons(sync)).NotTo(ContainElement(v1alpha1.ReasonAnnotationNotAllowed), "the next process does not warn again")

		s.Change(sync, func() { delete(sync.Spec.Output.Template.Metadata.Annotations, replicator) })
		s.op.Run(sync)
		Expect(s.Condition(sync, v1alpha1.ConditionTemplateApplied)).To(BeEmpty())
		s.op.Quiet(sync)
	})

	It("are removed from an output, without a call, once they are no longer allowed", func() {
		allowed := []string{"replicator.v1.mittwald.de/*"}
		s := newScene(testenv.Config{AllowedOutputAnnotations: allowed})
		sync, _ := s.synced([]string{"sss_ph"}, annotated)
		Expect(s.data().Annotations).To(HaveKeyWithValue(replicator, "*"))
		Expect(s.Condition(sync, v1alpha1.ConditionTemplateApplied)).To(BeEmpty())
		fetched := s.fetches()

		allowed[0] = "example.com/*"
		s.op = s.Operator()
		s.op.Run(s.conn, s.user, sync)
		Expect(s.data().Annotations).To(HaveKeyWithValue(reloader, "true"))
		Expect(s.data().Annotations).NotTo(HaveKey(replicator))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.op.Reasons(sync)).To(Equal([]string{v1alpha1.ReasonAnnotationNotAllowed}))
		Expect(s.fetches()).To(Equal(fetched))
		s.op.Quiet(sync)
	})
})

// unnamed shows every sync as one whose datapoints name no fields, as an older CRD stores it.
func unnamed(yes *bool) testenv.Wrap {
	return func(kube client.WithWatch) client.WithWatch {
		return interceptor.NewClient(kube, interceptor.Funcs{
			Get: func(ctx context.Context, inner client.WithWatch, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
				err := inner.Get(ctx, key, obj, options...)
				if sync, ok := obj.(*v1alpha1.SmileAccountSync); ok && *yes {
					for i := range sync.Spec.Datapoints {
						sync.Spec.Datapoints[i].Fields = nil
					}
				}
				return err
			},
		})
	}
}

var _ = Describe("A ConfigMap whose datapoints name no fields, under an older CRD,", func() {
	const name = "george-config"
	toConfigMap := func(sync *v1alpha1.SmileAccountSync) {
		sync.Spec.Output = &v1alpha1.SyncOutput{ConfigMap: &v1alpha1.OutputReference{Name: name}}
		sync.Spec.Datapoints = []v1alpha1.Datapoint{
			{Type: "IDENTITIES", Fields: []v1alpha1.FieldPath{"firstName"}}, {Type: "CONTRIBUTIONS", Fields: []v1alpha1.FieldPath{"amount"}},
		}
	}
	configMap := func(s *scene) (*corev1.ConfigMap, bool) {
		GinkgoHelper()
		found := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name}}
		return found, s.Exists(found)
	}
	newUnnamed := func() (*scene, *bool) {
		GinkgoHelper()
		s, yes := newScene(testenv.Config{}), new(bool)
		s.op = s.Operator(unnamed(yes))
		s.op.Run(s.conn, s.user)
		return s, yes
	}

	It("is not written, and nothing is fetched for it", func() {
		s, yes := newUnnamed()
		*yes = true
		s.link("sss_ph")
		sync := s.sync(toConfigMap)
		s.ask(sync)
		s.op.Live(interval, s.user, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonInvalidSpec)))
		Expect(s.Condition(sync, v1alpha1.ConditionOutputReady)).To(Equal("False/InvalidSpec"))
		Expect(s.Message(sync)).To(ContainSubstring("name the fields of every datapoint, or use spec.output.secret"))
		Expect(s.fetches()).To(BeZero())
		_, written := configMap(s)
		Expect(written).To(BeFalse())

		*yes = false
		s.ask(sync)
		s.op.Live(interval, s.user, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("does not receive the data of a Secret", func() {
		s, yes := newUnnamed()
		sync, _ := s.synced([]string{"sss_ph"})
		fetched := s.fetches()
		*yes = true
		s.Change(sync, func() { toConfigMap(sync) })
		s.op.Live(interval, s.user, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonInvalidSpec)))
		_, written := configMap(s)
		Expect(written).To(BeFalse())
		Expect(s.fetches()).To(Equal(fetched))
	})

	It("loses the data of an account that is disconnected", func() {
		s, yes := newUnnamed()
		sync, linked := s.synced([]string{"sss_ph"}, toConfigMap)
		before, _ := configMap(s)
		*yes = true
		s.ask(sync)
		s.op.Run(sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonInvalidSpec)))
		after, _ := configMap(s)
		Expect(after.Data).To(Equal(before.Data))
		_, err := s.Smile.Disconnect(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.Hint(s.user)
		s.op.Live(2*time.Minute, s.user, sync)
		after, _ = configMap(s)
		Expect(after.Data).NotTo(HaveKey("identities.json"))
	})
})
