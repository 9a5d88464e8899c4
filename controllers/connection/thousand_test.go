package connection_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// population is the number of users of one key pair.
const population = 1000

// together reconciles each user once, as many at a time as there are workers.
func together(op *testenv.Operator, users []*v1alpha1.SmileUser) {
	queue := make(chan *v1alpha1.SmileUser)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			defer GinkgoRecover()
			for user := range queue {
				_, _ = op.Reconcile(user)
			}
		})
	}
	for _, user := range users {
		queue <- user
	}
	close(queue)
	workers.Wait()
}

// provisioned gives a user the status that an earlier process left.
func provisioned(w *testenv.World, user *v1alpha1.SmileUser) {
	status := &user.Status
	status.ObservedGeneration, status.UserID, status.Mode = user.Generation, "tenant-"+user.Name, v1alpha1.ModeSandbox
	status.Accounts = &v1alpha1.AccountCounts{}
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionConnectionReady, v1alpha1.ConditionProvisioned} {
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded, ObservedGeneration: user.Generation,
		})
	}
	Expect(w.Client.Status().Update(w.Context(), user)).To(Succeed())
}

// refusing answers every call with a refusal of the key pair.
func refusing(status int, code string) (answer func(http.ResponseWriter, *http.Request) bool, calls *atomic.Int64) {
	calls = new(atomic.Int64)
	return func(rw http.ResponseWriter, _ *http.Request) bool {
		calls.Add(1)
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_, _ = fmt.Fprintf(rw, `{"code":%q,"message":"no","requestId":"r"}`, code)
		return true
	}, calls
}

var _ = Describe("A revoked key pair of a thousand users", func() {
	It("costs four calls in the first quarter of an hour and four an hour after that, and users with nothing due stay Ready", func() {
		w := testenv.New(GinkgoTB(), testenv.Config{})
		op, conn := w.Operator(), testenv.Connection(testenv.ConnectionName)
		w.Create(conn, testenv.Keys(testenv.KeysName, testenv.One))
		op.Run(conn)
		users := make([]*v1alpha1.SmileUser, population)
		for i := range users {
			users[i] = testenv.User(fmt.Sprintf("user-%d", i))
			w.Create(users[i])
			provisioned(w, users[i])
		}

		for i, refusal := range []struct {
			status int
			code   string
		}{
			{http.StatusUnauthorized, "INVALID_TOKEN"},
			{http.StatusBadRequest, "INVALID_CREDENTIALS"},
			{http.StatusForbidden, "UNAUTHORIZED_ACCESS"},
		} {
			By(fmt.Sprintf("refusing with %d", refusal.status))
			w.Pass(2 * time.Minute) // a pair that was accepted a moment ago is trusted when one call is forbidden
			answer, calls := refusing(refusal.status, refusal.code)
			w.Smile.Instead = answer
			newcomer := testenv.User(fmt.Sprintf("newcomer-%d", i))
			w.Create(newcomer)
			_, _ = op.Reconcile(newcomer)
			Expect(calls.Load()).To(BeNumerically("<=", 1+3), "the refused call, and three more")
			_, _ = op.Reconcile(conn)
			Expect(w.Outcome(conn)).To(Equal(testenv.Stalled(v1alpha1.ReasonInvalidCredentials)))

			some := users[:100]
			if i == 0 { // all of them only once, because a reconcile takes time
				some = users
				together(op, users)
				for _, user := range users {
					Expect(w.Outcome(user)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
				}
			}
			op.Live(14*time.Minute, conn)
			together(op, some)
			Expect(calls.Load()).To(BeNumerically("<=", 1+3))
			op.Live(46*time.Minute, conn)
			together(op, append(slices.Clone(users[:100]), newcomer))
			Expect(calls.Load()).To(BeNumerically("<=", 1+3+4))

			w.Smile.Instead = nil
			op.Live(16*time.Minute, conn)
			Expect(w.Outcome(conn)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
			op.Run(newcomer)
			Expect(w.Outcome(newcomer)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
		}
	})
})
