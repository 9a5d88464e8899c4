package accountsync_test

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// refusingStatuses refuses all writes of a status while refused is true.
func refusingStatuses(refused *bool) testenv.Wrap {
	return func(kube client.WithWatch) client.WithWatch {
		return interceptor.NewClient(kube, interceptor.Funcs{
			SubResourcePatch: func(
				ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch,
				options ...client.SubResourcePatchOption,
			) error {
				if *refused {
					return errRefused
				}
				return c.SubResource(sub).Patch(ctx, obj, patch, options...)
			},
		})
	}
}

var _ = Describe("A sealed revoke that Smile acknowledged", func() {
	for name, lose := range map[string]func(s *scene) *v1alpha1.SmileAccountSync{
		"the process ended before the status said it": func(s *scene) *v1alpha1.SmileAccountSync {
			refused := false
			s.op = s.Operator(refusingStatuses(&refused))
			s.op.Run(s.conn)
			account := s.link("sss_ph")[0]
			s.during(http.MethodDelete, "/v1/accounts/"+account.ID, func() { refused = true })
			sync := s.sync(revoking, keptFor(4*time.Hour, ""))
			Expect(s.data().Annotations[v1alpha1.AnnotationSeal]).To(ContainSubstring("revokeAcknowledgedAt"))
			Expect(sync.Status.Accounts[0].RevokeAcknowledgedAt).To(BeNil())
			return sync
		},
		"an older operator, which does not know the field, wrote the status": func(s *scene) *v1alpha1.SmileAccountSync {
			sync, _ := s.released()
			s.ChangeStatus(sync, func() { sync.Status.Accounts[0].RevokeAcknowledgedAt = nil })
			return sync
		},
		"the status was restored from before the release": func(s *scene) *v1alpha1.SmileAccountSync {
			account := s.link("sss_ph")[0]
			sync := s.sync(keptFor(4*time.Hour, ""))
			s.ask(sync)
			s.op.Run(sync)
			before := sync.Status.DeepCopy()
			s.Change(sync, func() { revoking(sync) })
			s.Pass(time.Second)
			s.op.Run(sync)
			Expect(sync.Status.Accounts[0].ID).To(Equal(account.ID))
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
			s.Pass(time.Second)
			s.ChangeStatus(sync, func() { before.DeepCopyInto(&sync.Status) })
			return sync
		},
	} {
		It("is not forgotten because "+name, func() {
			s := newScene(testenv.Config{})
			sync := lose(s)
			content := s.data().Data
			s.op = s.Operator()
			s.op.Run(s.conn, s.user)
			s.ask(sync)
			s.op.Run(sync)
			Expect(s.data().Data).To(Equal(content))
			Expect(s.data().Annotations[v1alpha1.AnnotationSeal]).To(ContainSubstring("revokeAcknowledgedAt"))
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
			s.op.Quiet(sync)
			s.wipe(sync)
			s.op.Run(sync)
			Expect(s.data().Data).To(Equal(content))
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
		})
	}
})

var _ = Describe("A sealed revoke", func() {
	It("also counts if the first reconcile after a start leaves the output to the output checks", func() {
		s := newScene(testenv.Config{OutputChecks: true})
		s.link("sss_ph")
		sync := s.sync(keptFor(4*time.Hour, ""))
		s.ask(sync)
		s.op.Run(sync)
		s.Change(sync, func() { revoking(sync) })
		s.op.Run(sync)
		s.ask(sync)
		s.op.Run(sync)
		before, content := sync.Status.DeepCopy(), s.data().Data
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
		before.Accounts[0].ReleasedAt, before.Accounts[0].RevokeAcknowledgedAt = nil, nil
		before.Accounts[0].ConnectionStatus, before.Accounts[0].ConnectedAt = "CONNECTED", before.Accounts[0].DataAsOf
		s.Pass(time.Second)
		s.ChangeStatus(sync, func() { before.DeepCopyInto(&sync.Status) })
		s.op = s.Operator()
		s.op.Run(s.conn, s.user)
		s.op.Live(interval, s.user, sync)
		Expect(s.data().Data).To(Equal(content))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
	})
})

var _ = Describe("An account that was to be revoked", func() {
	for name, refuse := range map[string]func(s *scene) (accept func()){
		"because this process may not lead any more": func(s *scene) func() {
			s.op.Fence = func() error { return errRefused }
			return func() { s.op.Fence = func() error { return nil } }
		},
		"because Smile has too many calls": func(s *scene) func() {
			s.Smile.Break(sandbox.Fault{Operation: "delete-account", Count: -1, Action: "status:429"})
			return s.Smile.ClearFaults
		},
	} {
		It("loses its data when the person withdraws after the revoke was not sent, or was refused, "+name, func() {
			s := newScene(testenv.Config{})
			account := s.link("sss_ph")[0]
			sync := s.sync(revoking)
			accept := refuse(s)
			s.ask(sync)
			_, _ = s.op.Reconcile(sync)
			Expect(holds(s.data().Data)).To(Equal([]string{account.ID}))
			s.disconnect(account)
			accept()
			s.op.Live(interval, s.user, sync)
			Expect(holds(s.data().Data)).To(BeEmpty(), "only the person disconnected it")
			Expect(s.audited(sync)).To(ContainElement("Erased/Withdrawn"))
		})
	}
})

var _ = Describe("A part of a status that is lost", func() {
	It("is restored if it is the output", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		known := sync.Status.Output.DeepCopy()
		s.Pass(time.Second)
		s.ChangeStatus(sync, func() { sync.Status.Output = nil })
		s.op = s.Operator()
		s.op.Run(s.conn, s.user)
		s.op.Run(sync)
		Expect(sync.Status.Output).To(Equal(known))
		s.op.Quiet(sync)
	})
})

var _ = Describe("An older copy of an output", func() {
	It("does not stay once Smile has newer data", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		backup := s.data()
		_, err := s.Smile.Resync(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.op.Live(interval, s.user, sync)
		current := s.data().Data
		for _, restart := range []bool{false, true} {
			s.restore(backup)
			s.wipe(sync)
			if restart {
				s.op = s.Operator()
				s.op.Run(s.conn, s.user)
			}
			s.op.Run(sync)
			Expect(s.data().Data["identities.json"]).To(Equal(current["identities.json"]))
			s.op.Live(interval, s.user, sync)
			Expect(s.data().Data).To(Equal(current), "restart: %v", restart)
		}
	})
})

var _ = Describe("An output that the spec no longer asks for", func() {
	It("is deleted even if Smile is unreachable", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		s.Smile.Break(sandbox.Fault{Operation: "*", Count: -1, Action: "status:503"})
		s.Change(sync, func() { sync.Spec.Output = nil })
		_, _ = s.op.Reconcile(sync)
		_, there := s.Secret(testenv.DataName)
		Expect(there).To(BeFalse())
		Expect(s.op.Reasons(sync)).To(ContainElement(v1alpha1.ReasonDataErased))
		Expect(s.audited(sync)).To(ContainElement("Erased/SpecChanged"))
		Expect(s.Condition(sync, v1alpha1.ConditionOutputReady)).To(BeEmpty())
		before := len(s.audited(sync))
		_, _ = s.op.Reconcile(sync)
		Expect(s.audited(sync)).To(HaveLen(before))
	})
})

var _ = Describe("A copy that must not be taken back", func() {
	It("is erased at once from the new place of an output, with one record, although Smile returns no data", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp"}, wanting("IDENTITIES", "EMPLOYMENTS"))
		copied := s.data()
		s.Change(sync, func() { sync.Spec.Output.Secret.Name = "elsewhere" })
		s.op.Run(sync)
		s.disconnect(linked[0])
		s.op.Live(interval, s.user, sync)
		s.restore(copied)
		s.Change(sync, func() {
			sync.Spec.Output.Secret.Name = testenv.DataName
			wanting("IDENTITIES", "EMPLOYMENTS", "INCOMES")(sync)
		})
		s.Smile.Break(sandbox.Fault{Operation: "get-account-payload", Count: -1, Action: "status:500"})
		known := len(s.audited(sync))
		for range 3 {
			_, err := s.op.Reconcile(sync)
			Expect(err).To(HaveOccurred())
		}
		Expect(holds(s.data().Data)).NotTo(ContainElement(linked[0].ID))
		Expect(s.audited(sync)[known:]).To(Equal([]string{"NotTakenBack/InErasureLedger"}))
		s.Smile.ClearFaults()
		s.op.Run(sync)
		Expect(holds(s.data().Data)).To(Equal([]string{linked[1].ID}))
		_, there := s.Secret("elsewhere")
		Expect(there).To(BeFalse())
	})
})

var _ = Describe("An output that has lost its owner", func() {
	It("gets it back although Smile returns no data", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		backup := s.data()
		s.ask(sync)
		s.restore(backup)
		s.Smile.Break(sandbox.Fault{Operation: "*", Count: -1, Action: "status:503"})
		s.op.Fail(sync, 1)
		Expect(metav1.IsControlledBy(s.data(), sync)).To(BeTrue())
		Expect(s.data().Data).To(Equal(backup.Data))
	})
})

var _ = Describe("An incomplete erasure ledger", func() {
	It("is named in the status, and withdrawn consent is recorded once the ledger is restored", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp"}, wanting("IDENTITIES", "EMPLOYMENTS"))
		s.disconnect(linked[0])
		s.op.Live(interval, s.user, sync)
		head := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: output.ErasureLedger + "-0"}}
		s.Get(head)
		s.Delete(head)
		s.op = s.Operator()
		s.op.Run(s.conn, s.user)
		s.disconnect(linked[1])
		s.ask(sync)
		s.op.Run(sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonErasureLedgerIncomplete)))
		Expect(s.Message(sync)).To(ContainSubstring(head.Name))
		Expect(holds(s.data().Data)).To(Equal([]string{linked[1].ID}))
		head.ResourceVersion, head.UID = "", ""
		s.Create(head)
		s.Pass(time.Minute)
		s.op.Run(sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonAwaitingEndUser)))
	})
})
