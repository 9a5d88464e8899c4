package webhook_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
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

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

func TestSmileWebhookSubscription(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "SmileWebhookSubscription")
}

const (
	base    = "https://hooks.example.com"
	overlap = 10 * time.Minute
	settle  = 2 * time.Minute
	// soon is a little more than the interval at which the Secrets are read.
	soon = 33 * time.Second
)

// scene is a world with a connection that works and an operator that has a receiver.
type scene struct {
	*testenv.World
	op   *testenv.Operator
	conn *v1alpha1.SmileConnection
	// hosts is the operator's flag --allowed-webhook-hosts. It applies to operators that are started later.
	hosts []string
}

func newScene(options sandbox.Options) *scene {
	GinkgoHelper()
	return newSceneAt(base, options)
}

// newSceneAt is a scene whose operator has its receiver there, or none.
func newSceneAt(receiver string, options sandbox.Options) *scene {
	GinkgoHelper()
	s := &scene{hosts: []string{"app.example.com"}}
	s.World = testenv.New(GinkgoTB(), testenv.Config{
		Sandbox: options, ReceiverBaseURL: receiver, AllowedWebhookHosts: s.hosts,
	})
	s.conn = testenv.Connection(testenv.ConnectionName)
	s.Create(s.conn, testenv.Keys(testenv.KeysName, testenv.One))
	s.restart()
	return s
}

// restart starts another process of the operator.
func (s *scene) restart() {
	GinkgoHelper()
	s.op = s.Operator()
	s.op.Run(s.conn)
}

type change = func(*v1alpha1.SmileWebhookSubscription)

// subscription creates one without reconciling it.
func (s *scene) subscription(changes ...change) *v1alpha1.SmileWebhookSubscription {
	GinkgoHelper()
	sub := &v1alpha1.SmileWebhookSubscription{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "events-"},
		Spec: v1alpha1.SmileWebhookSubscriptionSpec{
			ConnectionRef: v1alpha1.ConnectionReference{Name: testenv.ConnectionName},
			EventTypes:    []v1alpha1.EventType{"TASK_FINISHED", "ACCOUNT_DISCONNECTED"},
		},
	}
	for _, c := range changes {
		c(sub)
	}
	s.Create(sub)
	return sub
}

// registered creates one and reconciles it until it is Ready.
func (s *scene) registered(changes ...change) *v1alpha1.SmileWebhookSubscription {
	GinkgoHelper()
	sub := s.subscription(changes...)
	s.op.Run(sub)
	Expect(s.Outcome(sub)).To(Equal(testenv.Ready(v1alpha1.ReasonSucceeded)))
	return sub
}

func to(url string) change {
	return func(sub *v1alpha1.SmileWebhookSubscription) { sub.Spec.URL = url }
}

func signedWith(secret string) change {
	return func(sub *v1alpha1.SmileWebhookSubscription) {
		sub.Spec.SecretRef = &v1alpha1.SecretKeyReference{Name: secret, Key: "secret"}
	}
}

func (s *scene) secret(name, value string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string][]byte{"secret": []byte(value)}}
	s.Create(testenv.Permitting(secret, "webhook-secret"))
	return secret
}

// remote is a webhook as Smile shows it.
type remote struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	URL            string   `json:"url"`
	EventTypes     []string `json:"eventTypes"`
	Active         bool     `json:"active"`
	Secret         string   `json:"secret"`
	IncludePayload bool     `json:"includePayload"`
}

// webhooks returns the webhooks at Smile, oldest first, without the event types that the quirk future adds.
func (s *scene) webhooks() []remote {
	GinkgoHelper()
	var answer struct {
		Data struct {
			Items []remote `json:"items"`
		} `json:"data"`
	}
	Expect(json.Unmarshal(s.elsewhere(http.MethodGet, "/v1/webhooks?size=150", nil), &answer)).To(Succeed())
	for i := range answer.Data.Items {
		one := &answer.Data.Items[i]
		one.EventTypes = slices.DeleteFunc(one.EventTypes, func(event string) bool { return event == "ADDED_LATER" })
	}
	return answer.Data.Items
}

// elsewhere calls Smile as its portal does, not through the operator.
func (s *scene) elsewhere(method, path string, body any) []byte {
	GinkgoHelper()
	sent, err := json.Marshal(body)
	Expect(err).NotTo(HaveOccurred())
	request := httptest.NewRequest(method, path, bytes.NewReader(sent))
	request.SetBasicAuth(testenv.One.Key, testenv.One.Secret)
	request.Header.Set("Content-Type", "application/json")
	request.RemoteAddr = "192.0.2.1:1"
	answer := httptest.NewRecorder()
	s.Smile.ServeHTTP(answer, request)
	Expect(answer.Code).To(BeNumerically("<", 300), answer.Body.String())
	return answer.Body.Bytes()
}

// only is the one webhook at Smile.
func (s *scene) only() remote {
	GinkgoHelper()
	all := s.webhooks()
	Expect(all).To(HaveLen(1))
	return all[0]
}

func (s *scene) creates() int { return s.Smile.Calls(0, "create-webhook") }

// store is the Secret of the pairs.
func (s *scene) store(sub *v1alpha1.SmileWebhookSubscription) *corev1.Secret {
	GinkgoHelper()
	secret, ok := s.Secret(hook.SecretName(sub.Name))
	Expect(ok).To(BeTrue())
	return secret
}

// takes reports whether events of a webhook would be accepted: its path is in the status, and its pair in the Secret.
func (s *scene) takes(sub *v1alpha1.SmileWebhookSubscription, hooked remote) bool {
	GinkgoHelper()
	s.Get(sub)
	path := strings.TrimPrefix(hooked.URL, base+hook.Prefix)
	pairs, err := hook.ParsePairs(s.store(sub).Data[hook.KeyPairs])
	Expect(err).NotTo(HaveOccurred())
	for _, r := range sub.Status.Registrations {
		for _, pair := range pairs {
			if r.PathHash == hook.HashPath(path) && pair.ID == r.ID && pair.Path.Reveal() == path && pair.Secret.Reveal() == hooked.Secret {
				return true
			}
		}
	}
	return false
}
