package accountsync_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// withoutAccounts responds as if there were no accounts.
func withoutAccounts(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/v1/accounts") {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/v1/accounts" {
		_, _ = w.Write([]byte(`{"code":"OK","message":"Success","requestId":"1","data":{"nextCursor":null,"items":[]}}`))
		return true
	}
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte(`{"code":"MISSING_RESOURCE","message":"gone","requestId":"1"}`))
	return true
}

// crowd creates a number of people, each with the data of an account at a provider. It returns their syncs, and all objects.
func (s *scene) crowd(many int, provider string) (syncs []*v1alpha1.SmileAccountSync, all []engine.Object) {
	GinkgoHelper()
	all = []engine.Object{s.conn}
	for i := range many {
		user := testenv.User(fmt.Sprint("person-", i))
		sync := testenv.Sync(fmt.Sprint("sync-", i), user.Name)
		sync.Spec.Output.Secret.Name = fmt.Sprint("data-", i)
		s.Create(user, sync)
		s.op.Run(user)
		s.Smile.LinkGeorge(user.Status.UserID, provider)
		syncs, all = append(syncs, sync), append(all, user, sync)
	}
	s.op.Live(interval, all...)
	return syncs, all
}

var _ = Describe("The data of many people", func() {
	const many = 10
	var (
		s     *scene
		syncs []*v1alpha1.SmileAccountSync
		all   []engine.Object
	)
	data := func(i int) map[string][]byte {
		GinkgoHelper()
		secret, ok := s.Secret(fmt.Sprint("data-", i))
		Expect(ok).To(BeTrue())
		return secret.Data
	}

	BeforeEach(func() {
		s = newScene(testenv.Config{})
		syncs, all = s.crowd(many, "sss_ph")
		for i := range many {
			Expect(holds(data(i))).To(HaveLen(1))
		}
	})

	disconnecting := func() {
		for _, sync := range syncs {
			_, err := s.Smile.Disconnect(sync.Status.Accounts[0].ID)
			Expect(err).NotTo(HaveOccurred())
		}
	}
	for name, c := range map[string]struct {
		happens func()
		restart bool
	}{
		"disappear at once":                                    {happens: func() { s.Smile.Instead = withoutAccounts }},
		"disappear at once, and a new process finds it":        {func() { s.Smile.Instead = withoutAccounts }, true},
		"are disconnected at once":                             {happens: disconnecting},
		"are disconnected at once, and a new process finds it": {disconnecting, true},
	} {
		It("stays when all accounts "+name+", until the erasure is approved", func() {
			c.happens()
			if c.restart {
				s.op = s.Operator()
			}
			before := s.Smile.Mark()
			s.op.Live(interval, all...)
			for i, sync := range syncs {
				Expect(holds(data(i))).To(HaveLen(1))
				Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonMassDisappearance)))
				s.op.Quiet(sync)
			}
			Expect(s.Smile.Calls(before, "get-account")).To(BeZero(), "accounts are not read one by one")
			Expect(s.Outcome(s.conn)).To(Equal(testenv.Ready(v1alpha1.ReasonMassDisappearance)))
			Expect(s.Condition(s.conn, v1alpha1.ConditionMirrored)).To(Equal("False/MassDisappearance"))

			s.Annotate(s.conn, v1alpha1.AnnotationApproveErasure, "yes, all have left")
			s.op.Live(time.Minute, all...)
			for i, sync := range syncs {
				Expect(holds(data(i))).To(BeEmpty())
				Expect(s.Outcome(sync).Ready).To(BeEquivalentTo("True"))
			}
			Expect(s.Condition(s.conn, v1alpha1.ConditionMirrored)).To(Equal("True/Succeeded"))
		})
	}

	It("is erased at once when one of them disconnects, even if a hint reports it", func() {
		_, err := s.Smile.Disconnect(syncs[3].Status.Accounts[0].ID)
		Expect(err).NotTo(HaveOccurred())
		user := all[1+2*3].(*v1alpha1.SmileUser)
		s.Hint(user)
		s.op.Live(time.Minute, user, syncs[3])
		Expect(holds(data(3))).To(BeEmpty())
		Expect(s.Outcome(syncs[3])).To(Equal(testenv.Ready(v1alpha1.ReasonAwaitingEndUser)))
		Expect(s.Condition(s.conn, v1alpha1.ConditionMirrored)).To(Equal("True/Succeeded"))
	})

	It("is erased when all accounts end after their 60 days", func() {
		s = newScene(testenv.Config{})
		syncs, all = s.crowd(many, "cdecorp")
		s.Pass(61 * 24 * time.Hour)
		s.op.Live(interval, all...)
		for i := range many {
			Expect(holds(data(i))).To(BeEmpty())
		}
		Expect(s.Outcome(s.conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})

	It("stays when another namespace with the same keys approves", func() {
		elsewhere := s.NewNamespace()
		other, keys := testenv.Connection(testenv.ConnectionName), testenv.Keys(testenv.KeysName, testenv.One)
		other.Namespace, keys.Namespace = elsewhere, elsewhere
		s.Create(other, keys)
		s.op.Run(other)
		s.op.Live(interval, append(all, other)...)
		s.Smile.Instead = withoutAccounts
		s.op.Live(interval, append(all, other)...)
		Expect(s.Condition(s.conn, v1alpha1.ConditionMirrored)).To(Equal("False/MassDisappearance"))
		Expect(s.Condition(other, v1alpha1.ConditionMirrored)).To(Equal("True/Succeeded"), "no erasure on its connection is waiting")

		s.Annotate(other, v1alpha1.AnnotationApproveErasure, "yes")
		s.op.Live(2*time.Hour, append(all, other)...)
		for i, sync := range syncs {
			Expect(holds(data(i))).To(HaveLen(1))
			Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonMassDisappearance)))
		}
		Expect(s.Condition(s.conn, v1alpha1.ConditionMirrored)).To(Equal("False/MassDisappearance"))
	})

	It("stays when somebody removes an approval from an earlier time", func() {
		s.Annotate(s.conn, v1alpha1.AnnotationApproveErasure, "at an earlier time")
		s.op.Live(interval, all...)
		s.Smile.Instead = withoutAccounts
		s.op.Live(interval, all...)
		Expect(s.Condition(s.conn, v1alpha1.ConditionMirrored)).To(Equal("False/MassDisappearance"))

		s.Change(s.conn, func() { s.conn.Annotations = nil })
		s.op.Live(interval, all...)
		for i, sync := range syncs {
			Expect(holds(data(i))).To(HaveLen(1))
			Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonMassDisappearance)))
		}

		s.Annotate(s.conn, v1alpha1.AnnotationApproveErasure, "now")
		s.op.Live(time.Minute, all...)
		Expect(holds(data(0))).To(BeEmpty())
	})

	It("stays when the accounts disappear and come back", func() {
		s.Smile.Instead = withoutAccounts
		s.op.Live(interval, all...)
		s.Smile.Instead = nil
		s.op.Live(interval, all...)
		for i, sync := range syncs {
			Expect(holds(data(i))).To(HaveLen(1))
			Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		}
		Expect(s.Outcome(s.conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	})
})
