package accountsync_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// beforeARevoke calls a function once, when a status records the first revoke, before the call is sent.
func beforeARevoke(do func()) testenv.Wrap {
	done := false
	return func(kube client.WithWatch) client.WithWatch {
		return interceptor.NewClient(kube, interceptor.Funcs{
			SubResourcePatch: func(
				ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch,
				options ...client.SubResourcePatchOption,
			) error {
				sync, ok := obj.(*v1alpha1.SmileAccountSync)
				isReleased := func(a v1alpha1.SyncedAccount) bool { return a.ReleasedAt != nil }
				if ok && !done && slices.ContainsFunc(sync.Status.Accounts, isReleased) {
					done = true
					do()
				}
				return c.SubResource(sub).Patch(ctx, obj, patch, options...)
			},
		})
	}
}

var _ = Describe("A clock that is wrong", func() {
	const days = 24 * time.Hour
	var (
		s    *scene
		sync *v1alpha1.SmileAccountSync
	)
	BeforeEach(func() {
		s = newScene(testenv.Config{})
		s.link("sss_ph")
		sync = s.sync(revoking, keptFor(30*days, ""))
		s.ask(sync)
		s.op.Run(sync)
		Expect(s.Condition(sync, v1alpha1.ConditionAccountsConnected)).To(Equal("False/Released"))
	})
	kept := func(ids int) {
		GinkgoHelper()
		Expect(holds(s.data().Data)).To(HaveLen(ids))
	}

	It("erases nothing because of a ttl after a start: Smile is asked for its time once", func() {
		s.SetClock(400 * days)
		s.op = s.Operator()
		s.op.Run(s.conn)
		before := s.Smile.Mark()
		s.op.Run(sync)
		kept(1)
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonClockSkew)))
		Expect(s.Condition(sync, v1alpha1.ConditionDataSynced)).To(Equal("False/ClockSkew"))
		s.op.Quiet(sync)
		Expect(s.Smile.Calls(before)).To(Equal(1))
		s.op.Run(s.conn)
		Expect(s.Condition(s.conn, v1alpha1.ConditionClockSynchronized)).To(Equal("False/ClockSkew"))
		Expect(s.Outcome(s.conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))

		By("synchronizing the clock")
		s.SetClock(-400 * days)
		s.op = s.Operator()
		s.op.Run(s.conn, sync)
		kept(1)
		s.Pass(29 * days)
		s.op.Run(sync)
		kept(1)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
		s.Pass(2 * days)
		s.op.Run(sync)
		kept(0)
	})

	It("erases nothing because of a ttl before Smile has responded", func() {
		s.Smile.Shutdown()
		s.SetClock(400 * days)
		s.op = s.Operator()
		s.op.Run(s.conn, sync)
		kept(1)
		Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonClockUnconfirmed)))
		s.op.Quiet(sync)
		s.Delete(s.conn)
		s.op.Run(sync)
		kept(1)
		Expect(s.Outcome(sync)).NotTo(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
	})

	It("does not delay the erasure of an account that a person has disconnected", func() {
		other := testenv.User("other")
		unlimited := testenv.Sync("unlimited", other.Name, keptFor(30*days, ""))
		unlimited.Spec.Output.Secret.Name = "others"
		s.Create(other, unlimited)
		s.op.Run(other)
		account := s.Smile.LinkGeorge(other.Status.UserID, "sss_ph")
		s.ask(unlimited)
		s.op.Run(unlimited)
		s.SetClock(400 * days)
		s.op = s.Operator()
		s.op.Run(s.conn)
		_, err := s.Smile.Disconnect(account.ID)
		Expect(err).NotTo(HaveOccurred())
		s.ask(unlimited)
		s.op.Run(unlimited)
		erased, _ := s.Secret("others")
		Expect(holds(erased.Data)).To(BeEmpty())
		Expect(s.op.Ledger.Contains(s.Context(), account.ID)).To(BeTrue())
	})

	It("decides nothing about a copy that is not in the status", func() {
		s.SetClock(400 * days)
		s.op = s.Operator()
		s.op.Run(s.conn)
		s.wipe(sync)
		before := s.data().Data
		for range 2 {
			s.op.Run(sync)
			Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonClockSkew)))
			Expect(s.data().Data).To(Equal(before))
		}
		s.op.Quiet(sync)
		s.SetClock(-400 * days)
		s.op = s.Operator()
		s.op.Run(s.conn, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
		Expect(s.data().Data).To(Equal(before))
	})

	for name, forget := range map[string]func(*v1alpha1.SmileAccountSync, string){
		"whole status": func(sync *v1alpha1.SmileAccountSync, _ string) {
			sync.Status = v1alpha1.SmileAccountSyncStatus{CommonStatus: v1alpha1.CommonStatus{ObservedGeneration: -1}}
		},
		"entry of the other account": func(sync *v1alpha1.SmileAccountSync, id string) {
			isOther := func(a v1alpha1.SyncedAccount) bool { return a.ID == id }
			sync.Status.Accounts = slices.DeleteFunc(sync.Status.Accounts, isOther)
		},
	} {
		It("does not delay the erasure of an account that the status has lost: the "+name, func() {
			s := newScene(testenv.Config{})
			sync, linked := s.synced([]string{"sss_ph", "cdecorp"}, keptFor(30*days, ""))
			fetched := s.fetches()
			s.SetClock(400 * days)
			s.op = s.Operator()
			s.op.Run(s.conn)
			s.ChangeStatus(sync, func() { forget(sync, linked[0].ID) })
			s.disconnect(linked[1])
			s.ask(sync)
			s.op.Run(sync)
			Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonClockSkew)))
			Expect(holds(s.data().Data)).To(Equal([]string{linked[0].ID}))
			Expect(s.op.Ledger.Contains(s.Context(), linked[1].ID)).To(BeTrue())
			s.op.Run(sync)
			s.op.Quiet(sync)
			Expect(s.fetches()).To(Equal(fetched))
			Expect(holds(s.data().Data)).To(Equal([]string{linked[0].ID}))

			By("synchronizing the clock")
			s.SetClock(-400 * days)
			s.op = s.Operator()
			s.op.Run(s.conn, sync)
			Expect(holds(s.data().Data)).To(Equal([]string{linked[0].ID}))
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			Expect(s.audited(sync)).To(ContainElement("TakenBack/Connected"))
		})
	}

	It("reports the problem on the right condition when it is corrected while an account is revoked", func() {
		s := newScene(testenv.Config{})
		sync, old := s.synced([]string{"sss_ph"}, keptFor(30*days, ""))
		_, err := s.Smile.Fail(old[0].ID, "EXPIRED_CREDENTIALS")
		Expect(err).NotTo(HaveOccurred())
		s.Pass(31 * days)
		s.SetClock(400 * days)
		s.op = s.Operator(beforeARevoke(func() { s.SetClock(-400 * days) }))
		s.op.Run(s.conn)
		added := s.link("cdecorp")
		s.Change(sync, func() { revoking(sync) })
		s.Hint(s.user)
		for s.Smile.Calls(0, "delete-account") == 0 {
			_, err := s.op.Reconcile(sync)
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(holds(s.data().Data)).To(Equal([]string{added[0].ID}))
		Expect(s.Condition(sync, v1alpha1.ConditionDataSynced)).To(Equal("False/DataExpired"))
		Expect(s.Condition(sync, v1alpha1.ConditionAccountsConnected)).To(Equal("False/EndUserActionRequired"))
	})

	It("costs no call when nothing is due", func() {
		s.op = s.Operator()
		before := s.Smile.Mark()
		s.op.Run(s.conn, sync)
		Expect(s.Smile.Calls(before)).To(BeZero())
	})
})
