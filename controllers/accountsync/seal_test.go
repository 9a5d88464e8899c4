package accountsync_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// wipe clears a status, as a restore without statuses does.
func (s *scene) wipe(sync *v1alpha1.SmileAccountSync) {
	GinkgoHelper()
	s.Pass(time.Second)
	s.ChangeStatus(sync, func() {
		sync.Status = v1alpha1.SmileAccountSyncStatus{CommonStatus: v1alpha1.CommonStatus{ObservedGeneration: -1}}
	})
}

// restore puts a copy of an output back, as from a backup: the same content and annotations, another UID, no owner.
func (s *scene) restore(backup *corev1.Secret) {
	GinkgoHelper()
	s.restoreAs(backup, backup.Name)
}

func (s *scene) restoreAs(backup *corev1.Secret, name string) *corev1.Secret {
	GinkgoHelper()
	if there, ok := s.Secret(name); ok {
		s.Delete(there)
	}
	restored := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: backup.Labels, Annotations: backup.Annotations}, Data: backup.Data,
	}
	s.Create(restored)
	s.Pass(time.Second)
	return restored
}

// edit changes the output as another client of the API server.
func (s *scene) edit(how func(data *corev1.Secret)) {
	GinkgoHelper()
	data := s.data()
	s.Change(data, func() { how(data) })
}

// audited are the records of the audit log about a sync, as <action>/<reason>.
func (s *scene) audited(sync *v1alpha1.SmileAccountSync) []string {
	var told []string
	for _, record := range s.op.Audit(sync) {
		told = append(told, string(record.Action)+"/"+string(record.Reason))
	}
	return told
}

// released is a sync whose account the operator has revoked, and whose data stays for four hours.
func (s *scene) released() (*v1alpha1.SmileAccountSync, sandbox.Account) {
	GinkgoHelper()
	account := s.link("sss_ph")[0]
	sync := s.sync(revoking, keptFor(4*time.Hour, ""))
	s.ask(sync)
	s.op.Run(sync)
	Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
	return sync, account
}

func (s *scene) disconnect(account sandbox.Account) {
	GinkgoHelper()
	_, err := s.Smile.Disconnect(account.ID)
	Expect(err).NotTo(HaveOccurred())
	s.Pass(time.Second)
}

var _ = Describe("The output of a released account", func() {
	for _, quirk := range []string{"disconnected", "404"} {
		It("is taken back when it was lost and is restored, and its ttl continues (Smile shows the account as "+quirk+")", func() {
			s := newScene(testenv.Config{Sandbox: sandbox.Options{Quirks: map[string]string{"revoked-account": quirk}}})
			sync, account := s.released()
			backup := s.data()
			s.Delete(s.data())
			s.op.Run(sync)
			Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonDataLost)))
			Expect(s.op.Reasons(sync)).To(ContainElement(v1alpha1.ReasonDataLost))
			Expect(s.audited(sync)).To(ContainElement("Lost/OutputMissing"))

			s.op.Live(time.Hour, s.user, sync)
			s.restore(backup)
			before := s.Smile.Mark()
			s.op.Run(sync)
			Expect(s.data().Data).To(Equal(backup.Data))
			Expect(metav1.IsControlledBy(s.data(), sync)).To(BeTrue())
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
			Expect(s.Condition(sync, v1alpha1.ConditionAccountsConnected)).To(Equal("False/Released"))
			Expect(s.op.Reasons(sync)).To(ContainElement(v1alpha1.ReasonDataTakenBack))
			Expect(s.audited(sync)).To(ContainElement("TakenBack/Released"))
			Expect(s.Smile.Calls(before)).To(Equal(1), "the accounts are read, and nothing else")
			s.op.Quiet(sync)

			s.op.Live(2*time.Hour+50*time.Minute, s.user, sync)
			Expect(holds(s.data().Data)).To(Equal([]string{account.ID}))
			s.op.Live(20*time.Minute, s.user, sync)
			Expect(holds(s.data().Data)).To(BeEmpty(), "the ttl was not restarted")
			Expect(s.audited(sync)).To(ContainElement("Erased/Expired"))
			s.restore(backup)
			s.op.Run(sync)
			Expect(holds(s.data().Data)).To(BeEmpty())
			Expect(s.audited(sync)).To(ContainElement("NotTakenBack/Expired"))
			s.op.Quiet(sync)
		})
	}

	It("survives the loss of the status", func() {
		s := newScene(testenv.Config{})
		sync, account := s.released()
		before, known := s.data(), sync.Status.DeepCopy()
		s.wipe(sync)
		fetches := s.fetches()
		s.op.Run(sync)
		Expect(s.data()).To(Equal(before))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
		Expect(sync.Status.Accounts).To(HaveLen(1))
		Expect(sync.Status.Accounts[0].ID).To(Equal(account.ID))
		Expect(sync.Status.Accounts[0].Datapoints).To(ConsistOf(known.Accounts[0].Datapoints))
		Expect(sync.Status.Output).To(Equal(known.Output))
		Expect(s.fetches()).To(Equal(fetches))
		s.op.Quiet(sync)
		s.op.Live(4*time.Hour, s.user, sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
	})

	It("stays unchanged while Smile does not respond", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.released()
		before := s.data()
		s.wipe(sync)
		s.Smile.Break(sandbox.Fault{Operation: "list-accounts", Count: -1, Action: "status:503"})
		s.op.Fail(sync, 3)
		Expect(s.data()).To(Equal(before))
		Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonSmileUnavailable)))
		s.Smile.ClearFaults()
		s.op.Run(sync)
		Expect(s.data()).To(Equal(before))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
	})

	It("is sealed as released only once Smile has acknowledged the revoke, and is otherwise unchanged", func() {
		s := newScene(testenv.Config{})
		account := s.link("sss_ph")[0]
		sync := s.sync(revoking)
		var during *corev1.Secret
		s.during(http.MethodDelete, "/v1/accounts/"+account.ID, func() { during = s.data() })
		s.ask(sync)
		s.op.Run(sync)
		acknowledged := ContainSubstring("revokeAcknowledgedAt")
		Expect(during.Annotations[v1alpha1.AnnotationSeal]).To(And(ContainSubstring(account.ID), Not(acknowledged)))
		Expect(s.data().Annotations[v1alpha1.AnnotationSeal]).To(acknowledged)
		Expect(s.data().Data).To(Equal(during.Data))
		Expect(s.audited(sync)).To(ContainElement("Revoked/Released"))
	})

	It("does not count as released if Smile did not acknowledge the revoke", func() {
		s := newScene(testenv.Config{})
		s.link("sss_ph")
		sync := s.sync(revoking)
		s.Smile.Break(sandbox.Fault{Operation: "delete-account", Count: 1, Phase: "after", Action: "reset"})
		s.ask(sync)
		s.op.Fail(sync, 1)
		s.ask(sync)
		s.op.Run(sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
		s.wipe(sync)
		s.op.Run(sync)
		Expect(holds(s.data().Data)).To(BeEmpty(), "the person may have disconnected the account first")
		Expect(s.audited(sync)).To(ContainElement("NotTakenBack/NotConnected"))
	})

	It("does not count as erased because of an empty index without a seal", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.released()
		backup := s.data()
		s.wipe(sync)
		s.edit(func(data *corev1.Secret) {
			data.Data = map[string][]byte{"index.json": []byte("{\n  \"accounts\": []\n}\n")}
		})
		s.op.Run(sync)
		Expect(s.op.Reasons(sync)).To(ContainElement(v1alpha1.ReasonDataErased))
		Expect(s.audited(sync)).To(ContainElement("NotTakenBack/SealMismatch"))
		s.restore(backup)
		s.op.Run(sync)
		Expect(s.data().Data).To(Equal(backup.Data))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
	})

	It("is lost if it was changed, but not if somebody added a key", func() {
		s := newScene(testenv.Config{})
		sync, account := s.released()
		s.edit(func(data *corev1.Secret) { data.Data["note"] = []byte("mine") })
		s.op.Run(sync)
		Expect(holds(s.data().Data)).To(Equal([]string{account.ID}))
		Expect(s.data().Data).NotTo(HaveKey("note"))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
		backup := s.data()

		s.edit(func(data *corev1.Secret) { data.Data["identities.json"] = []byte("[]\n") })
		s.op.Run(sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
		Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonDataLost)))
		Expect(s.audited(sync)).To(ContainElement("Lost/OutputDamaged"))
		s.op.Quiet(sync)
		s.restore(backup)
		s.op.Run(sync)
		Expect(s.data().Data).To(Equal(backup.Data))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
	})
})

var _ = Describe("A SmileAccountSync whose status is lost", func() {
	It("keeps the retained data of a disconnected account", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"}, keptFor(2*time.Hour, v1alpha1.DisconnectRetain))
		s.disconnect(linked[0])
		s.op.Live(interval, s.user, sync)
		before := s.data()
		s.wipe(sync)
		s.op.Run(sync)
		Expect(s.data()).To(Equal(before))
		Expect(s.audited(sync)).To(ContainElement("TakenBack/Retained"))
		s.op.Live(2*time.Hour, s.user, sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
	})

	It("fetches the data of a connected account again", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		before := s.data()
		s.wipe(sync)
		s.op.Run(sync)
		Expect(s.data().Data).To(Equal(before.Data))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		s.op.Quiet(sync)
	})

	It("keeps the data of an account in error", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		_, err := s.Smile.Fail(linked[0].ID, "ACCOUNT_LOCKED")
		Expect(err).NotTo(HaveOccurred())
		s.op.Live(interval, s.user, sync)
		before := s.data()
		for _, unsealed := range []bool{false, true} {
			s.wipe(sync)
			if unsealed {
				s.edit(func(data *corev1.Secret) { delete(data.Annotations, v1alpha1.AnnotationSeal) })
			}
			s.op.Run(sync)
			Expect(s.data().Data).To(Equal(before.Data))
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonEndUserActionRequired)))
		}
	})

	It("erases data whose consent was withdrawn meanwhile, and records that first", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		backup := s.data()
		s.wipe(sync)
		s.disconnect(linked[0])
		s.op.Run(sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
		Expect(s.op.Reasons(sync)).To(ContainElement(v1alpha1.ReasonDataErased))
		Expect(s.audited(sync)).To(ContainElement("NotTakenBack/NotConnected"))

		s.Change(sync, func() { keptFor(1000*time.Hour, v1alpha1.DisconnectRetain)(sync) })
		s.restore(backup)
		s.op.Run(sync)
		Expect(holds(s.data().Data)).To(BeEmpty(), "the ledger remembers it")
		Expect(s.audited(sync)).To(ContainElement("NotTakenBack/InErasureLedger"))
	})

	It("does not fetch again data that was erased because of a ttl", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"}, keptFor(2*time.Hour, ""))
		s.op.Live(121*time.Minute, s.user, sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
		fetches := s.fetches()
		s.wipe(sync)
		s.op.Run(sync)
		s.op.Live(time.Hour, s.user, sync)
		Expect(holds(s.data().Data)).To(BeEmpty())
		Expect(s.fetches()).To(Equal(fetches))
		Expect(s.Condition(sync, v1alpha1.ConditionDataSynced)).To(Equal("False/DataExpired"))
	})

	It("ignores an output without a seal, and erases it only once Smile has responded", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph", "cdecorp"}, wanting("IDENTITIES", "EMPLOYMENTS"), keptFor(500*time.Hour, v1alpha1.DisconnectRetain))
		s.disconnect(linked[0])
		s.op.Live(interval, s.user, sync)
		Expect(holds(s.data().Data)).To(HaveLen(2))
		s.wipe(sync)
		s.edit(func(data *corev1.Secret) { delete(data.Annotations, v1alpha1.AnnotationSeal) })
		before := s.data()
		s.Smile.Break(sandbox.Fault{Operation: "list-accounts", Count: -1, Action: "status:503"})
		s.op.Fail(sync, 2)
		Expect(s.data()).To(Equal(before))

		s.Smile.ClearFaults()
		s.op.Run(sync)
		Expect(holds(s.data().Data)).To(Equal([]string{linked[1].ID}))
		Expect(s.audited(sync)).To(ContainElement("NotTakenBack/SealMismatch"))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})
})

var _ = Describe("The seal of an output", func() {
	It("is added to the output of an earlier version, without a call and without changing its content", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		sealed := s.data()
		s.edit(func(data *corev1.Secret) { delete(data.Annotations, v1alpha1.AnnotationSeal) })
		s.op = s.Operator()
		before := s.Smile.Mark()
		s.op.Run(sync)
		Expect(s.Smile.Calls(before)).To(BeZero())
		Expect(s.data().Data).To(Equal(sealed.Data))
		Expect(s.data().Annotations).To(Equal(sealed.Annotations))
		s.op.Quiet(sync)
	})

	It("does not restore data whose consent was withdrawn", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		backup := s.data()
		s.disconnect(linked[0])
		s.op.Live(interval, s.user, sync)
		Expect(s.audited(sync)).To(ContainElement("Erased/Withdrawn"))
		for range 2 {
			s.restore(backup)
			s.op.Run(sync)
			Expect(holds(s.data().Data)).To(BeEmpty())
			Expect(s.audited(sync)).To(ContainElement("NotTakenBack/InErasureLedger"))
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonAwaitingEndUser)))
			s.wipe(sync)
		}
	})

	It("made for George is not valid for Maria", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.released()
		maria := testenv.User("maria")
		s.Create(maria)
		s.op.Run(maria)
		hers := testenv.Sync("maria-sync", maria.Name)
		hers.Spec.Output.Secret.Name = "maria-data"
		s.Create(hers)
		copied := s.data()
		copied.Annotations[v1alpha1.AnnotationOwner] = string(hers.UID)
		s.restoreAs(copied, "maria-data")
		s.op.Run(hers)
		s.op.Live(interval, s.user, maria, sync, hers)
		found, ok := s.Secret("maria-data")
		Expect(ok).To(BeTrue())
		Expect(holds(found.Data)).To(BeEmpty())
		Expect(hers.Status.Accounts).To(BeEmpty())
		Expect(s.audited(hers)).To(ContainElement("NotTakenBack/SealMismatch"))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
	})

	// recreated is a sync that was deleted and re-created. Its former output still exists.
	recreated := func(s *scene, sync *v1alpha1.SmileAccountSync, left *corev1.Secret) *v1alpha1.SmileAccountSync {
		GinkgoHelper()
		again := testenv.Sync(sync.Name, sync.Spec.UserRef.Name)
		sync.Spec.DeepCopyInto(&again.Spec)
		s.Delete(sync)
		s.op.Run(sync)
		s.restore(left)
		s.Create(again)
		return again
	}

	It("lets the same sync of the same user take back an output that was left behind", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.released()
		left := s.data()
		again := recreated(s, sync, left)
		s.op.Run(again)
		Expect(s.data().Data).To(Equal(left.Data))
		Expect(metav1.IsControlledBy(s.data(), again)).To(BeTrue())
		Expect(s.Outcome(again)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
		s.op.Quiet(again)
	})

	It("lets an output that was left behind be taken back although the user is found in the middle of a reconcile", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.released()
		left := s.data()
		again := recreated(s, sync, left)
		unknown := false
		op := s.Operator(func(kube client.WithWatch) client.WithWatch {
			return interceptor.NewClient(kube, interceptor.Funcs{
				Get: func(ctx context.Context, to client.WithWatch, name client.ObjectKey, obj client.Object, options ...client.GetOption) error {
					err := to.Get(ctx, name, obj, options...)
					if user, ok := obj.(*v1alpha1.SmileUser); ok && unknown {
						user.Status.UserID, unknown = "", false
					}
					return err
				},
			})
		})
		op.Run(s.conn, s.user)
		unknown = true
		_, _ = op.Reconcile(again)
		Expect(unknown).To(BeFalse())
		op.Run(again)
		Expect(s.data().Data).To(Equal(left.Data))
		Expect(s.Outcome(again)).To(Equal(testenv.Ready(v1alpha1.ReasonReleased)))
	})

	It("keeps any other object from taking back an output that was left behind", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.released()
		for name, change := range map[string]func(*corev1.Secret){
			"without a seal": func(left *corev1.Secret) { delete(left.Annotations, v1alpha1.AnnotationSeal) },
			"edited":         func(left *corev1.Secret) { left.Data["identities.json"] = []byte("[]") },
		} {
			left := s.data()
			change(left)
			again := recreated(s, sync, left)
			s.op.Run(again)
			Expect(s.Outcome(again)).To(Equal(testenv.Stalled(v1alpha1.ReasonOutputConflict)), name)
			Expect(s.data().Data).To(Equal(left.Data))
			Expect(s.op.Reasons(again)).To(ContainElement(v1alpha1.ReasonOutputConflict))
			s.op.Quiet(again)
			sync = again
		}
	})
})

var _ = Describe("An output that was deleted", func() {
	It("is repaired by the next reconcile, in one call", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		content := s.data().Data
		for name, harm := range map[string]func(){
			"deleted":  func() { s.Delete(s.data()) },
			"edited":   func() { s.edit(func(data *corev1.Secret) { data.Data["identities.json"] = []byte("[]") }) },
			"stripped": func() { s.edit(func(data *corev1.Secret) { delete(data.Data, "identities.json") }) },
			"an older one": func() {
				s.edit(func(data *corev1.Secret) { data.Annotations[v1alpha1.AnnotationSeal] = "{}"; data.Data["x"] = nil })
			},
		} {
			harm()
			before := s.Smile.Mark()
			s.op.Run(sync)
			Expect(s.data().Data).To(Equal(content), name)
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)), name)
			Expect(s.Smile.Calls(before)).To(BeNumerically("<=", 1), name)
			s.op.Quiet(sync)
		}
	})

	It("gets its owner back, and can be written, without a call", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		content, yes := s.data().Data, true
		for name, harm := range map[string]func(data *corev1.Secret){
			"orphaned":  func(data *corev1.Secret) { data.OwnerReferences = nil },
			"immutable": func(data *corev1.Secret) { data.Immutable = &yes },
		} {
			s.edit(harm)
			before := s.Smile.Mark()
			s.op.Run(sync)
			Expect(s.data().Data).To(Equal(content), name)
			Expect(metav1.IsControlledBy(s.data(), sync)).To(BeTrue(), name)
			Expect(s.data().Immutable).To(BeNil(), name)
			Expect(s.Smile.Calls(before)).To(BeZero(), name)
			s.op.Quiet(sync)
		}
	})

	It("is reported at once if it cannot be repaired", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		content := s.data().Data
		s.Delete(s.data())
		s.Smile.Break(sandbox.Fault{Operation: "get-account-payload", Count: -1, Action: "status:503"})
		s.op.Fail(sync, 1)
		Expect(s.Outcome(sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonOutputDamaged)))
		Expect(s.Condition(sync, v1alpha1.ConditionOutputReady)).To(Equal("False/OutputDamaged"))
		Expect(s.Message(sync)).To(ContainSubstring("Smile cannot be reached"))
		s.Smile.ClearFaults()
		s.op.Run(sync)
		Expect(s.data().Data).To(Equal(content))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("is not hidden by a connection that is not ready", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		keys := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: testenv.KeysName}}
		s.Delete(keys)
		s.op = s.Operator()
		s.op.Run(s.conn, sync)
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)), "nothing is due")
		s.Delete(s.data())
		s.op.Run(sync)
		Expect(s.Outcome(sync).Ready).To(Equal(metav1.ConditionFalse))
		Expect(s.Condition(sync, v1alpha1.ConditionOutputReady)).To(Equal("False/OutputDamaged"))
	})
})

type sealFacts struct {
	User     string
	Accounts []struct{ ID string }
}

// sealOf is the readable part of a seal.
func sealOf(secret *corev1.Secret) (facts sealFacts) {
	GinkgoHelper()
	var read struct{ Facts json.RawMessage }
	Expect(json.Unmarshal([]byte(secret.Annotations[v1alpha1.AnnotationSeal]), &read)).To(Succeed())
	Expect(json.Unmarshal(read.Facts, &facts)).To(Succeed())
	return facts
}

var _ = Describe("A sealed output", func() {
	It("names the object and the accounts that it was written for", func() {
		s := newScene(testenv.Config{})
		_, linked := s.synced([]string{"sss_ph", "cdecorp"}, wanting("IDENTITIES", "EMPLOYMENTS"))
		facts := sealOf(s.data())
		Expect(facts.User).To(Equal(s.user.Status.UserID))
		Expect(facts.Accounts).To(HaveLen(2))
		Expect(slices.ContainsFunc(facts.Accounts, func(a struct{ ID string }) bool { return a.ID == linked[1].ID })).To(BeTrue())
	})
})
