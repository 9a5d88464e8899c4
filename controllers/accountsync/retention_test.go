package accountsync_test

import (
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// keptFor limits how long data is kept.
func keptFor(ttl time.Duration, policy v1alpha1.DisconnectPolicy) func(*v1alpha1.SmileAccountSync) {
	return func(sync *v1alpha1.SmileAccountSync) {
		sync.Spec.Retention = &v1alpha1.Retention{OnDisconnect: policy, TTL: &metav1.Duration{Duration: ttl}}
	}
}

func revoking(sync *v1alpha1.SmileAccountSync) { sync.Spec.RevokeAfterFetch = true }

// during calls a function once, when a call arrives, before Smile handles it.
func (s *scene) during(method, path string, what func()) {
	done := false
	s.Smile.Instead = func(_ http.ResponseWriter, r *http.Request) bool {
		if !done && r.Method == method && r.URL.Path == path {
			done = true
			what()
		}
		return false
	}
}

var _ = Describe("Data with a ttl", func() {
	It("is erased when the ttl has passed, and fetched again only if there is newer data", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"}, keptFor(2*time.Hour, ""))
		s.op.Live(119*time.Minute, s.user, sync)
		Expect(holds(s.data().Data)).To(Equal([]string{linked[0].ID}))
		fetched := s.fetches()

		s.op.Live(2*time.Minute, s.user, sync)
		Expect(s.data().Data).To(HaveLen(1))
		Expect(holds(s.data().Data)).To(BeEmpty())
		Expect(s.Condition(sync, v1alpha1.ConditionDataSynced)).To(Equal("False/DataExpired"))
		Expect(s.Outcome(sync).Ready).To(Equal(metav1.ConditionTrue))
		Expect(sync.Status.Accounts[0].ErasedAt).NotTo(BeNil())
		Expect(sync.Status.Accounts[0].Datapoints).To(BeEmpty())
		s.op.Quiet(sync)
		s.ask(sync)
		s.op.Run(sync)
		s.op.Live(time.Hour, s.user, sync)
		s.op = s.Operator()
		s.op.Live(time.Hour, s.user, sync)
		Expect(s.fetches()).To(Equal(fetched), "erased data is not fetched again")
		Expect(s.Condition(sync, v1alpha1.ConditionDataSynced)).To(Equal("False/DataExpired"))

		_, err := s.Smile.Resync(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.op.Live(interval, s.user, sync)
		Expect(holds(s.data().Data)).To(Equal([]string{linked[0].ID}))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Condition(sync, v1alpha1.ConditionDataSynced)).To(Equal("True/Succeeded"))
		Expect(sync.Status.Accounts[0].ErasedAt).To(BeNil())
	})

	It("is erased although neither Smile nor the SmileUser is available", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"}, keptFor(time.Hour, ""))
		s.Smile.Shutdown()
		s.Delete(s.user)
		s.Pass(time.Hour)
		_, _ = s.op.Reconcile(sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
		s.op.Quiet(sync)
	})

	It("stays after a disconnection if the policy is Retain, until the ttl has passed", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp"}, keptFor(2*time.Hour, v1alpha1.DisconnectRetain))
		before := s.data().Data
		_, err := s.Smile.Disconnect(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.op.Live(interval, s.user, sync)
		Expect(s.data().Data).To(Equal(before))
		s.op.Quiet(sync)

		s.ask(sync)
		s.op.Run(sync)
		Expect(s.data().Data).To(Equal(before), "the other account is fetched again, this one is kept as it is")

		s.op.Live(2*time.Hour, s.user, sync)
		Expect(holds(s.data().Data)).NotTo(ContainElement(linked[0].ID))
	})
})

var _ = Describe("An account that is revoked after its data was fetched", func() {
	released := func(s *scene, sync *v1alpha1.SmileAccountSync, of sandbox.Account) {
		GinkgoHelper()
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
		Expect(s.Condition(sync, v1alpha1.ConditionAccountsConnected)).To(Equal("False/Released"))
		Expect(holds(s.data().Data)).To(Equal([]string{of.ID}))
		Expect(items(s.data().Data["contributions.json"])).To(HaveLen(3))
		Expect(sync.Status.Accounts[0].ReleasedAt).NotTo(BeNil())
		Expect(sync.Status.Accounts[0].ConnectionStatus).To(Equal("DISCONNECTED"))
	}

	for _, quirk := range []string{"disconnected", "404"} {
		It("keeps its data until the ttl has passed (Smile shows the account as "+quirk+")", func() {
			s := newScene(testenv.Config{Sandbox: sandbox.Options{Quirks: map[string]string{"revoked-account": quirk}}})
			account := s.link("sss_ph")[0]
			sync := s.sync(revoking, keptFor(4*time.Hour, ""))
			s.during(http.MethodDelete, "/v1/accounts/"+account.ID, func() {
				Expect(holds(s.data().Data)).To(Equal([]string{account.ID}), "the data is written")
				stored := sync.DeepCopy()
				s.Get(stored)
				Expect(stored.Status.Accounts[0].ReleasedAt).NotTo(BeNil(), "the intent is written")
			})
			s.ask(sync)
			s.op.Run(sync)
			Expect(s.Smile.Calls(0, "delete-account")).To(Equal(1))
			released(s, sync, account)
			s.op.Live(time.Hour, s.user, sync)
			s.op = s.Operator()
			s.op.Live(time.Hour, s.user, sync)
			s.ask(sync)
			s.op.Run(sync)
			released(s, sync, account)
			Expect(s.Smile.Calls(0, "delete-account")).To(Equal(1))
			s.op.Quiet(sync)

			s.op.Live(3*time.Hour, s.user, sync)
			Expect(holds(s.data().Data)).To(BeEmpty())
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonAwaitingEndUser)))
		})
	}

	for _, phase := range []string{"before", "after"} {
		It("is revoked by the next reconcile when the call failed, and keeps its data: fault "+phase+" the call", func() {
			s := newScene(testenv.Config{})
			account := s.link("sss_ph")[0]
			sync := s.sync(revoking)
			s.Smile.Break(sandbox.Fault{Operation: "delete-account", Count: 1, Phase: phase, Action: "reset"})
			s.ask(sync)
			s.op.Fail(sync, 1)
			s.op = s.Operator()
			s.ask(sync)
			s.op.Run(sync)
			released(s, sync, account)
			s.op.Live(time.Hour, s.user, sync)
			released(s, sync, account)
		})
	}

	// The account is found by a poll: a hint or a requested refresh would have the next process write the output again.
	It("is released with OutputReady=True, although the process was killed after the intent was stored", func() {
		s := newScene(testenv.Config{})
		sync := s.sync(revoking)
		s.op.Run(sync)
		Expect(s.Condition(sync, v1alpha1.ConditionOutputReady)).To(Equal("False/AwaitingEndUser"))
		account := s.link("sss_ph")[0]
		intent := sync.DeepCopy()
		s.during(http.MethodDelete, "/v1/accounts/"+account.ID, func() { s.Get(intent) })
		s.Smile.Break(sandbox.Fault{Operation: "delete-account", Count: 1000, Phase: "before", Action: "reset"})
		s.op.Live(2*time.Hour, s.user, sync)
		Expect(intent.Status.Accounts).To(HaveLen(1), "the account was found and its data written")
		Expect(intent.Status.Accounts[0].ReleasedAt).NotTo(BeNil())

		s.ChangeStatus(sync, func() { sync.Status = intent.Status })
		Expect(s.Condition(sync, v1alpha1.ConditionOutputReady)).To(Equal("False/AwaitingEndUser"))
		s.Smile.ClearFaults()
		s.op = s.Operator()
		s.op.Run(sync)
		released(s, sync, account)
		Expect(s.Condition(sync, v1alpha1.ConditionOutputReady)).To(Equal("True/Succeeded"))
	})

	It("is not shown as released, and has no record of a failed revoke, while the turn of its revoke is far away", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		s.Smile.Instead = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodDelete {
				return false
			}
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		s.Change(sync, func() { revoking(sync) })
		_, _ = s.op.Reconcile(sync)
		recorded, version := s.audited(sync), sync.ResourceVersion
		Expect(recorded).To(ContainElement("Revoked/Released"))

		s.op.Caller = smile.NewCaller(func() {})
		s.op.Run(sync)
		Expect(s.audited(sync)).To(Equal(recorded))
		Expect(sync.ResourceVersion).To(Equal(version), "no intent was stored")
	})

	It("needs no approval, however many are revoked, and waits if the connection has a daily limit", func() {
		s := newScene(testenv.Config{})
		const many, perDay = 25, 22
		var syncs []*v1alpha1.SmileAccountSync
		released := func() (count int) {
			GinkgoHelper()
			for _, sync := range syncs {
				s.Get(sync)
				if s.Condition(sync, v1alpha1.ConditionAccountsConnected) == "False/Released" {
					count++
				}
			}
			return count
		}
		reconcile := func() {
			GinkgoHelper()
			for _, sync := range syncs {
				s.op.Run(sync)
			}
			s.op.Run(s.conn)
		}
		s.Change(s.conn, func() { s.conn.Spec.Revokes = &v1alpha1.DeclaredRevokes{PerDay: perDay} })
		s.op.Run(s.conn)
		Expect(s.conn.Status.RevokesPerDay).To(BeEquivalentTo(perDay))
		for i := range many {
			user := testenv.User(fmt.Sprint("person-", i))
			sync := testenv.Sync(fmt.Sprint("sync-", i), user.Name, revoking)
			sync.Spec.Output.Secret.Name = fmt.Sprint("data-", i)
			s.Create(user, sync)
			s.op.Run(user)
			s.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
			s.ask(sync)
			syncs = append(syncs, sync)
		}
		reconcile()
		Expect(released()).To(Equal(perDay))
		Expect(s.Outcome(s.conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.Condition(s.conn, v1alpha1.ConditionRevokesAllowed)).To(Equal("False/RevokeLimitReached"))
		s.op.Quiet(s.conn)
		fetched := s.fetches()
		last := syncs[many-1]
		for range 2 {
			s.Pass(10 * time.Minute)
			s.op.Run(last)
			Expect(s.Outcome(last)).To(Equal(testenv.Waiting(v1alpha1.ReasonRevokeLimitReached)))
			Expect(s.Message(last)).To(ContainSubstring("spec.revokes.perDay"))
			s.op.Quiet(last)
			s.op = s.Operator()
			s.op.Run(s.conn)
			before := s.Smile.Mark()
			reconcile()
			Expect(released()).To(Equal(perDay), "the next process counts what this one has revoked")
			Expect(s.Smile.Calls(before)).To(BeZero(), "a waiting object makes no call")
		}
		Expect(s.fetches()).To(Equal(fetched))

		s.Pass(25 * time.Hour)
		reconcile()
		Expect(released()).To(Equal(many))
		Expect(s.Condition(s.conn, v1alpha1.ConditionRevokesAllowed)).To(BeEmpty())
		Expect(s.Smile.Calls(0, "delete-account")).To(Equal(many))
	})

	It("is not revoked unless the output holds what was written", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		s.Change(sync, func() { sync.Spec.RevokeAfterFetch = true })
		failing := s.Operator(refusingUpdates)
		data := s.data()
		s.Change(data, func() { data.Data["identities.json"] = []byte("[]\n") })
		_, err := failing.Reconcile(sync)
		Expect(err).To(HaveOccurred())
		Expect(s.Smile.Calls(0, "delete-account")).To(BeZero())
	})

	It("loses its data if the person disconnected first", func() {
		s := newScene(testenv.Config{})
		account := s.link("sss_ph")[0]
		sync := s.sync(revoking)
		s.during(http.MethodDelete, "/v1/accounts/"+account.ID, func() {
			_, err := s.Smile.Disconnect(account.ID)
			Expect(err).NotTo(HaveOccurred())
		})
		s.ask(sync)
		s.op.Run(sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
		Expect(sync.Status.Accounts[0].ReleasedAt).To(BeNil())
		Expect(sync.Status.Accounts[0].ErasedAt).NotTo(BeNil())
	})

	It("is not revoked by a process that is no longer the leader", func() {
		s := newScene(testenv.Config{})
		s.link("sss_ph")
		sync := s.sync(revoking)
		s.op.Fence = func() error { return errRefused }
		s.ask(sync)
		s.op.Fail(sync, 1)
		Expect(s.Smile.Calls(0, "delete-account")).To(BeZero())
	})

	It("follows a spec that selects less, and an output that moves", func() {
		s := newScene(testenv.Config{})
		account := s.link("sss_ph")[0]
		sync := s.sync(revoking)
		s.ask(sync)
		s.op.Run(sync)
		s.Change(sync, func() {
			sync.Spec.Datapoints = []v1alpha1.Datapoint{{Type: "IDENTITIES", Fields: []v1alpha1.FieldPath{"lastName"}}}
			sync.Spec.Output.Secret.Name = "elsewhere"
		})
		s.op.Run(sync)
		moved, ok := s.Secret("elsewhere")
		Expect(ok).To(BeTrue())
		Expect(holds(moved.Data)).To(Equal([]string{account.ID}))
		Expect(moved.Data).To(HaveLen(2))
		Expect(items(moved.Data["identities.json"])[0]).To(And(HaveLen(3), HaveKey("lastName")))
		_, ok = s.Secret(testenv.DataName)
		Expect(ok).To(BeFalse())
	})

	It("reports that its data was lost with the output", func() {
		s := newScene(testenv.Config{})
		s.link("sss_ph")
		sync := s.sync(revoking)
		s.ask(sync)
		s.op.Run(sync)
		s.Delete(s.data())
		s.ask(sync)
		s.op.Run(sync)
		Expect(s.op.Reasons(sync)).To(ContainElement(v1alpha1.ReasonDataLost))
		s.op.Run(sync)
		Expect(sync.Status.Accounts[0].ErasedAt).NotTo(BeNil())
		s.op.Quiet(sync)
	})
})
