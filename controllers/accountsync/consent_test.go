package accountsync_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

var _ = Describe("The data of a person", func() {
	disconnect := func(s *scene, account sandbox.Account) {
		GinkgoHelper()
		_, err := s.Smile.Disconnect(account.ID)
		Expect(err).NotTo(HaveOccurred())
	}
	// identities and employments are what both providers offer.
	both := func(sync *v1alpha1.SmileAccountSync) {
		sync.Spec.Datapoints = []v1alpha1.Datapoint{{Type: "IDENTITIES"}, {Type: "EMPLOYMENTS"}}
	}
	tombstone := "{\n  \"accounts\": []\n}\n"

	for _, quirk := range []string{"disconnected", "404"} {
		config := testenv.Config{Sandbox: sandbox.Options{Quirks: map[string]string{"revoked-account": quirk}}}

		It("is erased when the last consent ends, and an index that says so remains (Smile shows the account as "+quirk+")", func() {
			s := newScene(config)
			sync, linked := s.synced([]string{"sss_ph"})
			disconnect(s, linked[0])
			s.op.Live(interval, s.user, sync)
			Expect(s.data().Data).To(Equal(map[string][]byte{"index.json": []byte(tombstone)}))
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonAwaitingEndUser)))
			Expect(s.Condition(sync, v1alpha1.ConditionAccountsConnected)).To(Equal("False/AwaitingEndUser"))
			Expect(sync.Status.ConnectedAccounts).To(BeZero())
			for _, account := range sync.Status.Accounts {
				Expect(account.Datapoints).To(BeEmpty())
				Expect(account.ConnectionStatus).To(Equal("DISCONNECTED"))
			}
			Expect(s.op.Reasons(sync)).To(ContainElement(v1alpha1.ReasonDataErased))
			s.op.Quiet(sync)
		})

		It("is erased account by account (Smile shows the account as "+quirk+")", func() {
			s := newScene(config)
			sync, linked := s.synced([]string{"sss_ph", "cdecorp"}, both)
			disconnect(s, linked[0])
			s.op.Live(interval, s.user, sync)
			Expect(holds(s.data().Data)).To(Equal([]string{linked[1].ID}))
			Expect(items(s.data().Data["identities.json"])).To(HaveLen(1))
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			s.op.Quiet(sync)
		})

		It("is fetched again after a new consent (Smile shows the account as "+quirk+")", func() {
			s := newScene(config)
			sync, linked := s.synced([]string{"sss_ph"})
			disconnect(s, linked[0])
			s.op.Live(interval, s.user, sync)
			again := s.link("sss_ph")
			s.op.Live(interval, s.user, sync)
			Expect(holds(s.data().Data)).To(Equal([]string{again[0].ID}))
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		})
	}

	It("stays while an account is in error", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		before := s.data()
		_, err := s.Smile.Fail(linked[0].ID, "EXPIRED_CREDENTIALS")
		Expect(err).NotTo(HaveOccurred())
		s.op.Live(interval, s.user, sync)
		Expect(s.data()).To(Equal(before))
		Expect(sync.Status.Accounts[0].ConnectionStatus).To(Equal("ERROR"))
		Expect(sync.Status.Accounts[0].ErrorCode).To(Equal("EXPIRED_CREDENTIALS"))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonEndUserActionRequired)))
		s.op.Quiet(sync)
	})

	It("stays when a listing is incomplete, because the account itself is read first", func() {
		s := newScene(testenv.Config{})
		sync, linked := s.synced([]string{"sss_ph"})
		before := s.data()
		s.Smile.Instead = answering("/v1/accounts", `{"code":"OK","message":"Success","requestId":"1","data":{"nextCursor":null,"items":[]}}`)
		s.op.Live(interval, s.user, sync)
		Expect(s.Smile.Calls(0, "get-account")).To(BeNumerically(">=", 1))
		Expect(s.data()).To(Equal(before))
		Expect(sync.Status.Accounts[0].ID).To(Equal(linked[0].ID))
		Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("stays when a proxy responds with a 404 that is not Smile's", func() {
		s := newScene(testenv.Config{})
		sync, _ := s.synced([]string{"sss_ph"})
		before := s.data()
		s.Smile.Instead = func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "no such page", http.StatusNotFound)
			return true
		}
		s.ask(sync)
		s.op.Fail(sync, 4)
		Expect(s.data()).To(Equal(before))
	})

	// Withdrawn consent is not forgotten, even if something else fails in the reconcile that finds it.
	DescribeTable("is erased although the reconcile that learned of the withdrawal failed",
		func(providers []string, faults ...sandbox.Fault) {
			s := newScene(testenv.Config{})
			sync, linked := s.synced(providers, both)
			disconnect(s, linked[0])
			_, err := s.Smile.Resync(linked[1].ID)
			Expect(err).NotTo(HaveOccurred())
			s.Smile.Break(faults...)
			s.op.Poll()
			s.op.Fail(sync, 1)
			Expect(holds(s.data().Data)).To(Equal([]string{linked[1].ID}), "it was already deleted")
			s.Smile.ClearFaults()
			s.op.Live(time.Minute, sync)
			Expect(holds(s.data().Data)).NotTo(ContainElement(linked[0].ID))
			Expect(string(s.data().Data["identities.json"])).NotTo(ContainSubstring(linked[0].ID))
			s.op = s.Operator()
			s.op.Quiet(sync)
		},
		Entry("at the data of another account", []string{"sss_ph", "cdecorp"},
			sandbox.Fault{Operation: "get-account-payload", Count: -1, Action: "status:500"}),
	)

	for _, nth := range []int{1, 2} {
		kept := []string{"sss_ph", "cdecorp"}[:nth]
		It("is erased although the output could not be written at first, "+strings.Join(kept, " and "), func() {
			s := newScene(testenv.Config{})
			sync, linked := s.synced(kept, both)
			disconnect(s, linked[0])
			failing := s.Operator(refusingUpdates)
			failing.Run(sync)
			failing.Poll()
			_, err := failing.Reconcile(sync)
			Expect(err).To(HaveOccurred())
			Expect(holds(s.data().Data)).To(ContainElement(linked[0].ID))

			s.op = s.Operator()
			s.op.Live(time.Minute, sync)
			Expect(holds(s.data().Data)).NotTo(ContainElement(linked[0].ID))
		})
	}
})

// answering responds to the requests of one path.
func answering(path, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != path {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
		return true
	}
}

var errRefused = errors.New("the API server refuses")

// refusingUpdates refuses all updates of outputs.
func refusingUpdates(kube client.WithWatch) client.WithWatch {
	return interceptor.NewClient(kube, interceptor.Funcs{
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
			return errRefused
		},
	})
}
