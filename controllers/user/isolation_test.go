package user_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

// neighbor is another team in another namespace, which can write objects of the operator's kinds there and even
// their statuses.
type neighbor struct {
	*scene
	namespace string
	conn      *v1alpha1.SmileConnection
	user      *v1alpha1.SmileUser
	sync      *v1alpha1.SmileAccountSync
}

func newNeighbor(s *scene, pair sandbox.KeyPair, changes ...func(*v1alpha1.SmileUser)) *neighbor {
	GinkgoHelper()
	n := &neighbor{
		scene: s, namespace: s.NewNamespace(),
		conn: testenv.Connection(testenv.ConnectionName),
		user: testenv.User("mallory", append(changes, testenv.WithToken("loot-token"))...),
		sync: testenv.Sync("mallory-sync", "mallory", func(sync *v1alpha1.SmileAccountSync) { sync.Spec.Output.Secret.Name = "loot-data" }),
	}
	keys := testenv.Keys(testenv.KeysName, pair)
	for _, obj := range []interface{ SetNamespace(string) }{n.conn, n.user, n.sync, keys} {
		obj.SetNamespace(n.namespace)
	}
	s.Create(n.conn, n.user, n.sync, keys)
	return n
}

// loot are the Secrets in the neighbor's namespace with a token or data.
func (n *neighbor) loot() []string {
	GinkgoHelper()
	var names []string
	for _, name := range []string{"loot-token", "loot-data"} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: n.namespace, Name: name}}
		if n.Exists(secret) {
			names = append(names, name)
		}
	}
	return names
}

// live lets an hour pass for all objects of the neighbor.
func (n *neighbor) live() { n.op.Live(40*time.Minute, n.conn, n.user, n.sync) }

var _ = Describe("The users of other namespaces", func() {
	// victim is a person with data at Smile, of another team.
	victim := func(s *scene) (*v1alpha1.SmileUser, sandbox.Account) {
		GinkgoHelper()
		user := s.provisioned(testenv.UserName)
		account := s.Smile.LinkGeorge(user.Status.UserID, "sss_ph")
		s.Pass(time.Minute)
		return user, account
	}

	pairs := map[string]sandbox.KeyPair{"under the same key pair": testenv.One, "under another key pair": testenv.Two}
	reasons := map[string]string{
		"under the same key pair": v1alpha1.ReasonUserNotOwned, "under another key pair": v1alpha1.ReasonRemoteUserMissing,
	}
	for how, pair := range pairs {
		for _, restart := range []bool{false, true} {
			process := map[bool]string{false: ", in the same process", true: ", in a new process"}[restart]

			It("cannot be reached by spec.userID "+how+process, func() {
				s := newScene(testenv.Config{})
				user, _ := victim(s)
				if restart {
					s.op = s.Operator()
				}
				n := newNeighbor(s, pair, testenv.WithUserID(user.Status.UserID))
				n.live()
				Expect(s.Outcome(n.user)).To(Equal(testenv.Stalled(reasons[how])))
				Expect(s.Outcome(n.sync)).To(Equal(testenv.Waiting(v1alpha1.ReasonUserNotReady)))
				Expect(n.loot()).To(BeEmpty())
			})

			It("cannot be reached by status.userID "+how+process, func() {
				s := newScene(testenv.Config{})
				user, account := victim(s)
				if restart {
					s.op = s.Operator()
				}
				n := newNeighbor(s, pair)
				s.ChangeStatus(n.user, func() {
					n.user.Status.UserID = user.Status.UserID
					n.user.Status.Accounts = &v1alpha1.AccountCounts{}
				})
				s.ChangeStatus(n.sync, func() { forge(n.sync, account) })
				n.live()
				Expect(s.Outcome(n.user)).To(Equal(testenv.Stalled(reasons[how])))
				Expect(s.Outcome(n.sync)).To(Equal(testenv.Stalled(reasons[how])))
				Expect(n.loot()).To(BeEmpty())
				Expect(s.Smile.Calls(0, "create-token", "get-account-payload", "list-identities")).To(BeZero())
			})

			It("cannot be reached by account ids "+how+process, func() {
				s := newScene(testenv.Config{})
				_, account := victim(s)
				if restart {
					s.op = s.Operator()
				}
				n := newNeighbor(s, pair)
				s.Change(n.sync, func() { n.sync.Spec.AccountIDs = []string{account.ID} })
				s.op.Run(n.conn, n.user)
				s.ChangeStatus(n.sync, func() { forge(n.sync, account) })
				n.live()
				Expect(s.Outcome(n.sync)).To(Equal(testenv.Ready(v1alpha1.ReasonAwaitingEndUser)))
				Expect(n.sync.Status.Accounts).To(BeEmpty())
				Expect(n.loot()).To(Equal([]string{"loot-token"}), "its own")
				Expect(s.Smile.Calls(0, "get-account-payload", "list-identities")).To(BeZero())
			})

			It("cannot be revoked by status.userID "+how+process, func() {
				s := newScene(testenv.Config{})
				user, _ := victim(s)
				if restart {
					s.op = s.Operator()
				}
				n := newNeighbor(s, pair, testenv.Revoking)
				s.op.Run(n.conn, n.user)
				s.ChangeStatus(n.user, func() { n.user.Status.UserID = user.Status.UserID })
				s.Delete(n.user)
				s.op.Live(10*time.Minute, n.user)
				Expect(s.Smile.Calls(0, "delete-account", "delete-archive")).To(BeZero())
				if pair == testenv.One {
					Expect(s.Outcome(n.user)).To(Equal(testenv.Terminating(v1alpha1.ReasonDeletionBlocked)))
					return
				}
				Expect(s.Exists(n.user)).To(BeFalse(), "Smile knows no such user of this tenant: nothing is left to revoke")
			})
		}
	}

	for _, restart := range []bool{false, true} {
		process := map[bool]string{false: ", in the same process", true: ", in a new process"}[restart]
		It("stay with their objects, whatever a neighbor's own Secret permits"+process, func() {
			s := newScene(testenv.Config{})
			user, _ := victim(s)
			if restart {
				s.op = s.Operator()
			}
			n := newNeighbor(s, testenv.One, testenv.WithUserID(user.Status.UserID))
			keys := testenv.Keys(testenv.KeysName, testenv.One)
			keys.Namespace = n.namespace
			s.Annotate(keys, v1alpha1.AnnotationAllowAdoption, "true")
			s.op.Live(5*time.Minute, n.conn, n.user, n.sync)
			Expect(s.Outcome(n.user)).To(Equal(testenv.Stalled(v1alpha1.ReasonUserIDConflict)))
			Expect(n.loot()).To(BeEmpty())
		})
	}

	It("are not counted in another namespace", func() {
		s := newScene(testenv.Config{})
		user, _ := victim(s)
		n := newNeighbor(s, testenv.One)
		s.op.Run(n.conn, n.user)
		s.ChangeStatus(n.user, func() { n.user.Status.UserID = user.Status.UserID })
		n.live()
		Expect(n.user.Status.Accounts.Total).To(BeZero())
	})
})

// forge makes a sync claim an account.
func forge(sync *v1alpha1.SmileAccountSync, account sandbox.Account) {
	sync.Status.Accounts = []v1alpha1.SyncedAccount{{
		ID: account.ID, ProviderID: account.ProviderID, ConnectionStatus: "CONNECTED", FinishedTasks: 1,
	}}
	sync.Status.ConnectedAccounts = 1
}
