package user_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// victim is a user with data and a token, which a neighbor tries to get.
type victim struct {
	user    *v1alpha1.SmileUser
	account sandbox.Account
}

// tamperings are what a neighbor can write into its own objects and their statuses to reach a victim.
var tamperings = []struct {
	name string
	// spec is true for writes that declare the objects.
	spec bool
	do   func(*neighbor, victim)
}{
	{"spec.userID", true, func(n *neighbor, v victim) { n.user.Spec.UserID = v.user.Status.UserID }},
	{"spec.accountIDs", true, func(n *neighbor, v victim) { n.sync.Spec.AccountIDs = []string{v.account.ID} }},
	{"the user's status.userID", false, func(n *neighbor, v victim) { n.user.Status.UserID = v.user.Status.UserID }},
	{"the rest of the user's status", false, func(n *neighbor, v victim) {
		n.user.Status.Mode = v.user.Status.Mode
		n.user.Status.Accounts = &v1alpha1.AccountCounts{Total: 1, Connected: 1}
		n.user.Status.CreateAttempt = &v1alpha1.CreateAttempt{ID: "00000000", StartedAt: metav1.NewTime(n.Clock.Now().Add(-time.Hour))}
		n.user.Status.LinkToken = v.user.Status.LinkToken.DeepCopy()
		n.user.Status.LinkToken.SecretName = "loot-token"
	}},
	{"the sync's status.accounts", false, func(n *neighbor, v victim) { forge(n.sync, v.account) }},
}

// tampered creates a neighbor that applies the tamperings whose bits are set in which.
func tampered(s *scene, pair sandbox.KeyPair, v victim, which int) *neighbor {
	GinkgoHelper()
	n := &neighbor{scene: s}
	apply := func(spec bool) {
		for bit, t := range tamperings {
			if which&(1<<bit) != 0 && t.spec == spec {
				t.do(n, v)
			}
		}
	}
	made := newNeighbor(s, pair, func(user *v1alpha1.SmileUser) {
		n.user, n.sync = user, &v1alpha1.SmileAccountSync{}
		apply(true)
	})
	made.sync.Spec.AccountIDs = n.sync.Spec.AccountIDs
	if len(made.sync.Spec.AccountIDs) > 0 {
		s.Change(made.sync, func() { made.sync.Spec.AccountIDs = n.sync.Spec.AccountIDs })
	}
	n = made
	for _, obj := range []client.Object{n.user, n.sync} {
		s.Get(obj)
	}
	apply(false)
	for _, obj := range []client.Object{n.user, n.sync} {
		Expect(s.Client.Status().Update(s.Context(), obj)).To(Succeed())
	}
	return n
}

var _ = Describe("Whatever a neighbor writes into its objects", func() {
	for _, restart := range []bool{false, true} {
		process := map[bool]string{false: "in the same process", true: "in a new process"}[restart]
		It("in every combination, it gets no token and no data of another namespace's user, "+process, func() {
			s := newScene(testenv.Config{})
			v := victim{user: s.provisioned(testenv.UserName, testenv.WithToken(testenv.TokenName))}
			v.account = s.Smile.LinkGeorge(v.user.Status.UserID, "sss_ph")
			s.Pass(time.Minute)
			if restart {
				s.op = s.Operator()
			}
			before := s.Smile.Mark()
			var all []engine.Object
			neighbors := map[string]*neighbor{}
			for which := range 1 << len(tamperings) {
				for _, pair := range []sandbox.KeyPair{testenv.One, testenv.Two} {
					n := tampered(s, pair, v, which)
					neighbors[fmt.Sprintf("combination %05b, key %s", which, pair.Key)] = n
					all = append(all, n.conn, n.user, n.sync)
				}
			}
			for range 3 {
				for _, obj := range all {
					_, _ = s.op.Reconcile(obj)
				}
				s.Pass(16 * time.Minute) // longer than any of them waits
			}

			for name, n := range neighbors {
				n.empty(name, v)
			}
			for _, call := range s.Smile.Journal(int(before)) {
				Expect(call.Operation == "create-token" && call.UserID == v.user.Status.UserID).To(BeFalse(), "a token was made")
			}
			Expect(s.Smile.Calls(before, "get-account-payload", "list-identities", "delete-account", "delete-archive")).To(BeZero(),
				"nobody else has any data")
		})
	}
})

// empty asserts that a neighbor has nothing of a victim.
func (n *neighbor) empty(name string, v victim) {
	GinkgoHelper()
	var secrets corev1.SecretList
	Expect(n.Client.List(n.Context(), &secrets, client.InNamespace(n.namespace))).To(Succeed())
	for _, secret := range secrets.Items {
		if secret.Name == testenv.KeysName {
			continue
		}
		Expect(string(secret.Data["userId"])).NotTo(Equal(v.user.Status.UserID), "%s: %s", name, secret.Name)
		for key, value := range secret.Data {
			Expect(string(value)).NotTo(ContainSubstring(v.account.ID), "%s: %s of %s", name, key, secret.Name)
		}
	}
	n.Get(n.user)
	if n.user.Status.UserID == v.user.Status.UserID {
		Expect(n.Outcome(n.user).Ready).NotTo(Equal(metav1.ConditionTrue), name)
	}
	n.Get(n.sync)
	for _, account := range n.sync.Status.Accounts {
		Expect(account.Datapoints).To(BeEmpty(), name)
	}
}
