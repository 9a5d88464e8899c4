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

// vanishing answers as if there were no account at all.
func vanishing(w http.ResponseWriter, r *http.Request) bool {
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

var _ = Describe("The data of many", func() {
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
		syncs, all = nil, []engine.Object{s.conn}
		for i := range many {
			user := testenv.User(fmt.Sprint("person-", i))
			sync := testenv.Sync(fmt.Sprint("sync-", i), user.Name)
			sync.Spec.Output.Secret.Name = fmt.Sprint("data-", i)
			s.Create(user, sync)
			s.op.Run(user)
			s.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
			syncs, all = append(syncs, sync), append(all, user, sync)
		}
		s.op.Live(interval, all...)
		for i := range many {
			Expect(holds(data(i))).To(HaveLen(1))
		}
	})

	for name, restart := range map[string]bool{"": false, ", and a new process looks first": true} {
		It("stays when the accounts of all vanish at once, until somebody approves"+name, func() {
			s.Smile.Instead = vanishing
			if restart {
				s.op = s.Operator()
			}
			before := s.Smile.Mark()
			s.op.Live(interval, all...)
			for i, sync := range syncs {
				Expect(holds(data(i))).To(HaveLen(1))
				Expect(s.Outcome(sync)).To(Equal(testenv.Stalled(v1alpha1.ReasonMassDisappearance)))
				s.op.Quiet(sync)
			}
			Expect(s.Smile.Calls(before, "get-account")).To(BeZero(), "nobody is asked about one by one")
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

	It("stays when the accounts vanish and come back", func() {
		s.Smile.Instead = vanishing
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
