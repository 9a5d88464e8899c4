package accountsync_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("A SmileAccountSync", func() {
	It("waits for its SmileUser, and continues when it exists", func() {
		w := testenv.New(GinkgoTB(), testenv.Config{})
		op, sync := w.Operator(), testenv.Sync(testenv.SyncName, testenv.UserName)
		w.Create(sync)
		op.Run(sync)
		Expect(w.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonUserNotFound)))
		Expect(w.Condition(sync, v1alpha1.ConditionUserReady)).To(Equal("False/UserNotFound"))
		op.Quiet(sync)

		user := testenv.User(testenv.UserName)
		w.Create(user)
		op.Run(user, sync)
		Expect(w.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonUserNotReady)))
		op.Quiet(sync)

		conn := testenv.Connection(testenv.ConnectionName)
		w.Create(conn, testenv.Keys(testenv.KeysName, testenv.One))
		op.Run(conn, user, sync)
		Expect(w.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonAwaitingEndUser)))
	})

	It("is Ready while the person has not linked an account", func() {
		s := newScene(testenv.Config{})
		before := s.Smile.Mark()
		sync := s.sync()
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonAwaitingEndUser)))
		Expect(s.Condition(sync, v1alpha1.ConditionUserReady)).To(Equal("True/Succeeded"))
		for _, waiting := range []string{v1alpha1.ConditionAccountsConnected, v1alpha1.ConditionDataSynced, v1alpha1.ConditionOutputReady} {
			Expect(s.Condition(sync, waiting)).To(Equal("False/AwaitingEndUser"))
		}
		s.op.Quiet(sync)
		_, ok := s.Secret(testenv.DataName)
		Expect(ok).To(BeFalse())
		Expect(s.Smile.Calls(before)).To(BeZero(), "a user who was just created has no accounts")
		Expect(s.op.Reasons(sync)).To(Equal([]string{v1alpha1.ReasonAwaitingEndUser}))
	})

	It("writes all data of a linked account after one call", func() {
		s := newScene(testenv.Config{})
		sync := s.sync()
		account := s.link("sss_ph")[0]
		s.op.Live(interval, s.user, sync)

		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		for _, kind := range []string{
			v1alpha1.ConditionUserReady, v1alpha1.ConditionAccountsConnected, v1alpha1.ConditionDataSynced, v1alpha1.ConditionOutputReady,
		} {
			Expect(s.Condition(sync, kind)).To(Equal("True/Succeeded"))
		}
		s.op.Quiet(sync)
		Expect(s.Smile.Calls(0, "get-account-payload")).To(Equal(1))
		Expect(s.fetches()).To(Equal(1))
		Expect(s.op.Reasons(sync)).To(Equal([]string{v1alpha1.ReasonAwaitingEndUser, v1alpha1.ReasonDataWritten, v1alpha1.ReasonSucceeded}))

		secret := s.data()
		Expect(secret.Type).To(Equal(corev1.SecretTypeOpaque))
		Expect(metav1.IsControlledBy(secret, sync)).To(BeTrue())
		Expect(secret.Data).To(And(HaveLen(3), HaveKey("identities.json"), HaveKey("contributions.json"), HaveKey("index.json")))
		identities := items(secret.Data["identities.json"])
		Expect(identities).To(HaveLen(1))
		Expect(identities[0]).To(And(
			HaveKeyWithValue("firstName", ContainSubstring("George")),
			HaveKeyWithValue("accountId", account.ID), HaveKeyWithValue("providerId", "sss_ph"), Not(HaveKey("metadata"))))
		Expect(items(secret.Data["contributions.json"])).To(HaveLen(3))
		Expect(holds(secret.Data)).To(Equal([]string{account.ID}))

		entry := sync.Status.Accounts[0]
		Expect(sync.Status.Accounts).To(HaveLen(1))
		Expect(sync.Status.ConnectedAccounts).To(BeEquivalentTo(1))
		Expect(entry.ID).To(Equal(account.ID))
		Expect(entry.ProviderID).To(Equal("sss_ph"))
		Expect(entry.ConnectionStatus).To(Equal("CONNECTED"))
		Expect(entry.AvailableUntil.Sub(account.CreatedAt.Time)).To(Equal(60 * 24 * time.Hour))
		Expect(entry.FinishedTasks).To(BeEquivalentTo(1))
		Expect(entry.Datapoints).To(HaveLen(2))
		Expect(entry.Datapoints[1].Items).To(BeEquivalentTo(3))
		Expect(sync.Status.Output.Kind).To(Equal("Secret"))
		Expect(sync.Status.Output.Name).To(Equal(testenv.DataName))
		Expect(sync.Status.Output.Fingerprint).NotTo(BeEmpty())
	})

	It("reads only the list when only one datapoint is wanted", func() {
		s := newScene(testenv.Config{})
		s.synced([]string{"sss_ph"}, func(sync *v1alpha1.SmileAccountSync) {
			sync.Spec.Datapoints = []v1alpha1.Datapoint{{Type: "CONTRIBUTIONS"}}
		})
		Expect(s.Smile.Calls(0, "get-account-payload")).To(BeZero())
		Expect(s.Smile.Calls(0, "list-contributions")).To(Equal(1))
		Expect(items(s.data().Data["contributions.json"])).To(HaveLen(3))
	})

	It("fetches nothing without new data, and all data of an account when there is some", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		version, fetched, before := sync.ResourceVersion, s.fetches(), sync.Status.Accounts[0].DataAsOf.DeepCopy()
		s.op.Live(time.Hour, s.user, sync)
		Expect(s.fetches()).To(Equal(fetched))
		Expect(sync.ResourceVersion).To(Equal(version), "nothing is written without news")

		_, err := s.Smile.Resync(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.op.Live(interval, s.user, sync)
		Expect(s.fetches()).To(Equal(fetched + 1))
		Expect(len(items(s.data().Data["contributions.json"]))).To(BeNumerically(">", 3))
		Expect(sync.Status.Accounts[0].DataAsOf.After(before.Time)).To(BeTrue())
	})

	It("makes no call because of a restart", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		before := s.Smile.Mark()
		for range 3 {
			s.op = s.Operator()
			s.op.Quiet(sync)
		}
		Expect(s.Smile.Calls(before)).To(BeZero())
	})

	It("joins the accounts of a person, by id", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp"})
		Expect(holds(s.data().Data)).To(ConsistOf(linked[0].ID, linked[1].ID))
		Expect(items(s.data().Data["identities.json"])).To(HaveLen(2))
		Expect(sync.Status.ConnectedAccounts).To(BeEquivalentTo(2))
	})

	It("covers only the providers and accounts that the spec names", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp", "nbi_ph"}, func(sync *v1alpha1.SmileAccountSync) {
			sync.Spec.Providers = []string{"sss_ph", "cdecorp"}
		})
		Expect(holds(s.data().Data)).To(ConsistOf(linked[0].ID, linked[1].ID))

		s.Change(sync, func() { sync.Spec.Providers, sync.Spec.AccountIDs = nil, []string{linked[1].ID} })
		s.op.Run(sync)
		Expect(holds(s.data().Data)).To(Equal([]string{linked[1].ID}))
		Expect(sync.Status.Accounts).To(HaveLen(1))
	})

	It("checks again soon while Smile is still gathering data", func() {
		s := newScene(testenv.Config{Sandbox: sandbox.Options{DataDelay: 15 * time.Second}})
		sync := s.sync()
		s.link("sss_ph")
		s.ask(sync)
		next := s.op.Run(sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonProgressing)))
		Expect(s.Condition(sync, v1alpha1.ConditionDataSynced)).To(Equal("False/Progressing"))
		Expect(s.Condition(sync, v1alpha1.ConditionAccountsConnected)).To(Equal("True/Succeeded"))
		Expect(next).To(BeNumerically("<=", 5*time.Second))
		s.op.Live(21*time.Second, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		Expect(s.fetches()).To(Equal(1))
	})

	It("fetches again when its refresh interval has passed, even without new data", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"}, func(sync *v1alpha1.SmileAccountSync) {
			sync.Spec.RefreshInterval = &metav1.Duration{Duration: time.Hour}
		})
		s.op.Live(150*time.Minute, sync)
		Expect(s.fetches()).To(Equal(1 + 2))
	})

	It("is not reconciled again and again for data that is due and that Smile no longer has", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp"}, keptFor(500*time.Hour, v1alpha1.DisconnectRetain),
			func(sync *v1alpha1.SmileAccountSync) {
				sync.Spec.RefreshInterval = &metav1.Duration{Duration: time.Hour}
			})
		s.disconnect(linked[1])
		s.ask(sync)
		s.op.Run(sync)
		Expect(holds(s.data().Data)).To(HaveLen(2))
		s.Pass(2 * time.Hour)
		before := s.fetches()
		Expect(s.op.Run(sync)).To(BeNumerically(">", time.Minute))
		Expect(s.fetches()).To(Equal(before + 1))
		Expect(s.op.Run(sync)).To(BeNumerically(">", time.Minute))
		Expect(s.fetches()).To(Equal(before + 1))
	})

	It("fetches again, once, when a refresh is requested", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		before := s.fetches()
		s.ask(sync)
		s.op.Run(sync)
		Expect(s.fetches()).To(Equal(before + 1))
		Expect(sync.Status.LastHandledRequest).To(Equal(sync.Annotations[v1alpha1.AnnotationRequestedAt]))
		s.op.Quiet(sync)
		Expect(s.fetches()).To(Equal(before + 1))
	})

	It("fetches again, once, when the requesting annotation is longer than a status can hold", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		before := s.fetches()
		s.Pass(time.Second)
		s.Annotate(sync, v1alpha1.AnnotationRequestedAt, strings.Repeat("ñ", 300))
		s.op.Run(sync)
		Expect(sync.Status.LastHandledRequest).To(Equal(strings.Repeat("ñ", 256)))
		s.op.Quiet(sync)
		Expect(s.fetches()).To(Equal(before + 1))
	})

	It("fetches the data that an event reports during a read, although the receiver's clock is behind", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		before, fetched := s.Smile.Mark(), s.fetches()
		s.Pass(10 * time.Millisecond)
		_, err := s.Smile.Resync(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.HintAt(s.user, s.Clock.Now().Add(-60*time.Millisecond))
		s.op.Run(s.user, sync)
		Expect(s.fetches()).To(Equal(fetched + 1))
		s.Pass(time.Minute)
		s.op.Run(s.user, sync)
		Expect(s.fetches()).To(Equal(fetched + 1))
		Expect(s.Smile.Calls(before, "list-accounts")).To(Equal(1), "both objects use the same read")
		Expect(s.Smile.Calls(before, "list-tasks")).To(Equal(1))
	})

	It("reads soon after an event, although the receiver's clock is ahead", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		before, fetched, hinted := s.Smile.Mark(), s.fetches(), s.Clock.Now()
		_, err := s.Smile.Resync(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		s.HintAt(s.user, hinted.Add(10*time.Minute))
		s.Pass(s.op.Run(sync))
		s.op.Run(sync)
		Expect(s.Clock.Since(hinted)).To(BeNumerically("<=", hook.Pause+time.Second))
		Expect(s.fetches()).To(Equal(fetched + 1))
		Expect(s.Smile.Calls(before, "list-accounts")).To(Equal(1))
	})

	It("syncs the other datapoints when no provider offers one of them, and reports that", func() {
		s := newScene(testenv.Config{})
		s.link("nbi_ph")
		sync := s.sync(func(sync *v1alpha1.SmileAccountSync) {
			sync.Spec.Datapoints = []v1alpha1.Datapoint{{Type: "DOCUMENTS"}, {Type: "RATINGS"}, {Type: "INCOMES"}}
		})
		s.ask(sync)
		Expect(s.op.Run(sync)).To(Equal(15 * time.Minute))
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonDatapointUnsupported)))
		Expect(s.Condition(sync, v1alpha1.ConditionDataSynced)).To(Equal("False/DatapointUnsupported"))
		Expect(s.Condition(sync, v1alpha1.ConditionOutputReady)).To(Equal("True/Succeeded"))
		Expect(s.Message(sync)).To(And(ContainSubstring("RATINGS, INCOMES"), ContainSubstring("(nbi_ph)"), Not(ContainSubstring("DOCUMENTS"))))
		Expect(items(s.data().Data["documents.json"])).NotTo(BeEmpty())
		s.op.Quiet(sync)

		s.link("abcplatform", "cdecorp")
		s.op.Live(interval, s.user, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("keeps its data while it is suspended, and continues afterwards", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		data := s.data()
		s.Change(sync, func() { sync.Spec.Suspend = true })
		Expect(s.op.Run(sync)).To(BeZero())
		Expect(s.Condition(sync, v1alpha1.ConditionSuspended)).To(Equal("True/Suspended"))
		s.op.Quiet(sync)
		_, err := s.Smile.Resync(linked[0].ID)
		Expect(err).NotTo(HaveOccurred())
		before := s.Smile.Mark()
		s.op.Live(time.Hour, sync)
		Expect(s.Smile.Calls(before, "list-tasks", "get-account", "get-account-payload")).To(BeZero())
		Expect(s.data()).To(Equal(data))

		s.Change(sync, func() { sync.Spec.Suspend = false })
		s.op.Run(sync)
		Expect(s.Condition(sync, v1alpha1.ConditionSuspended)).To(BeEmpty())
		Expect(len(items(s.data().Data["contributions.json"]))).To(BeNumerically(">", 3))
	})

	It("stops when its user is suspended, and keeps its data", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		s.Change(s.user, func() { s.user.Spec.Suspend = true })
		s.op.Run(s.user)
		before := s.Smile.Mark()
		s.op.Live(time.Hour, sync)
		Expect(s.Smile.Calls(before)).To(BeZero())
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)), "nothing is due")
		s.ask(sync)
		s.op.Run(sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonSuspended)))
		s.op.Quiet(sync)
	})

	It("stops with its connection, and shows that only if something is due", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		keys, _ := s.Secret(testenv.KeysName)
		s.Delete(keys)
		s.op.Run(s.conn)
		s.op.Live(time.Hour, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.Change(sync, func() { sync.Spec.Datapoints = sync.Spec.Datapoints[:1] })
		s.op.Run(sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonConnectionNotReady)))
		s.op.Quiet(sync)
	})

	It("reports a user that no longer exists at Smile", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		s.Smile.Reset()
		s.op = s.Operator()
		s.op.Live(interval, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonRemoteUserMissing)))
		s.op.Quiet(sync)
	})

	It("is deleted together with its data", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		Expect(sync.Finalizers).To(BeEmpty())
		Expect(s.data().OwnerReferences).To(HaveLen(1), "the garbage collector deletes it")
		before := s.Smile.Mark()
		s.Delete(sync)
		s.op.Run(sync)
		Expect(s.Exists(sync)).To(BeFalse())
		Expect(s.Smile.Calls(before)).To(BeZero())
	})
})
