package accountsync_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

func TestSmileAccountSync(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "SmileAccountSync")
}

// interval is a little more than the largest age of the mirror.
const interval = 16 * time.Minute

// scene is a world with a connection and a person.
type scene struct {
	*testenv.World
	op   *testenv.Operator
	conn *v1alpha1.SmileConnection
	user *v1alpha1.SmileUser
	// linked are the accounts that a random trial has linked.
	linked []string
}

func newScene(config testenv.Config) *scene {
	GinkgoHelper()
	w := testenv.New(GinkgoTB(), config)
	s := &scene{
		World: w, op: w.Operator(),
		conn: testenv.Connection(testenv.ConnectionName), user: testenv.User(testenv.UserName),
	}
	w.Create(s.conn, s.user, testenv.Keys(testenv.KeysName, testenv.One))
	s.op.Run(s.conn, s.user)
	return s
}

// sync creates a SmileAccountSync and does a first reconcile over it.
func (s *scene) sync(changes ...func(*v1alpha1.SmileAccountSync)) *v1alpha1.SmileAccountSync {
	GinkgoHelper()
	sync := testenv.Sync(testenv.SyncName, testenv.UserName, changes...)
	s.Create(sync)
	_, _ = s.op.Reconcile(sync)
	return sync
}

// link links an account at each provider.
func (s *scene) link(providers ...string) []sandbox.Account {
	GinkgoHelper()
	var linked []sandbox.Account
	for _, provider := range providers {
		linked = append(linked, s.Smile.LinkGeorge(s.user.Status.UserID, provider))
	}
	s.Pass(time.Second)
	return linked
}

// ask requests a refresh of a sync.
func (s *scene) ask(sync *v1alpha1.SmileAccountSync) {
	GinkgoHelper()
	s.Pass(time.Second)
	s.Annotate(sync, v1alpha1.AnnotationRequestedAt, s.Clock.Now().Format(time.RFC3339))
}

// synced is a sync that holds the data of accounts at these providers.
func (s *scene) synced(providers []string, changes ...func(*v1alpha1.SmileAccountSync)) (*v1alpha1.SmileAccountSync, []sandbox.Account) {
	GinkgoHelper()
	linked := s.link(providers...)
	sync := s.sync(changes...)
	s.ask(sync)
	s.op.Run(sync)
	Expect(s.Outcome(sync)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	return sync, linked
}

// data is the Secret with the data.
func (s *scene) data() *corev1.Secret {
	GinkgoHelper()
	secret, ok := s.Secret(testenv.DataName)
	Expect(ok).To(BeTrue(), "there is no data")
	return secret
}

// fetches counts the calls that read data.
func (s *scene) fetches() int {
	return s.Smile.Calls(0, "get-account-payload", "list-identities", "list-employments", "list-contributions")
}

func items(raw []byte) []map[string]any {
	GinkgoHelper()
	var read []map[string]any
	Expect(json.Unmarshal(raw, &read)).To(Succeed())
	return read
}

type index struct {
	Accounts []struct {
		ID         string         `json:"id"`
		ProviderID string         `json:"providerId"`
		DataAsOf   time.Time      `json:"dataAsOf"`
		Items      map[string]int `json:"items"`
	} `json:"accounts"`
}

// holds are the accounts of the data, according to its index.
func holds(data map[string][]byte) []string {
	GinkgoHelper()
	var read index
	Expect(json.Unmarshal(data["index.json"], &read)).To(Succeed())
	ids := []string{}
	for _, account := range read.Accounts {
		ids = append(ids, account.ID)
	}
	return ids
}
