package receiver_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/receiver"
	"github.com/smile-operator/smile-operator/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

const base = "https://hooks.example.com"

// scene is a world with a SmileUser, a subscription, and a receiver of its events.
type scene struct {
	*testenv.World
	op   *testenv.Operator
	user *v1alpha1.SmileUser
	sub  *v1alpha1.SmileWebhookSubscription
	hook target
	url  string
	// calls counts what the receiver asks of the API server past its cache, and fail makes that fail.
	calls atomic.Int64
	fail  atomic.Pointer[error]
}

// target is where and how events are sent.
type target struct{ path, secret string }

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{World: testenv.New(t, testenv.Config{ReceiverBaseURL: base})}
	s.op = s.Operator()
	conn := testenv.Connection(testenv.ConnectionName)
	s.Create(conn, testenv.Keys(testenv.KeysName, testenv.One))
	s.user, s.sub = testenv.User("george"), s.subscription("events")
	s.Create(s.user)
	s.op.Run(conn, s.user, s.sub)
	s.Get(s.user)
	s.hook = s.targetOf(s.sub)
	s.url = s.start(t, nil)
	return s
}

func (s *scene) subscription(name string) *v1alpha1.SmileWebhookSubscription {
	s.Helper()
	sub := &v1alpha1.SmileWebhookSubscription{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.SmileWebhookSubscriptionSpec{
			ConnectionRef: v1alpha1.ConnectionReference{Name: testenv.ConnectionName}, EventTypes: []v1alpha1.EventType{v1alpha1.EventAll},
		},
	}
	s.Create(sub)
	return sub
}

// targetOf returns what was registered at Smile last.
func (s *scene) targetOf(sub *v1alpha1.SmileWebhookSubscription) target {
	s.Helper()
	s.Get(sub)
	secret, _ := s.Secret(hook.SecretName(sub.Name))
	pairs, err := hook.ParsePairs(secret.Data[hook.KeyPairs])
	if err != nil || len(sub.Status.Registrations) == 0 {
		s.Fatalf("nothing is registered: %v", err)
	}
	newest := sub.Status.Registrations[len(sub.Status.Registrations)-1].ID
	for _, pair := range pairs {
		if pair.ID == newest {
			return target{pair.Path.Reveal(), pair.Secret.Reveal()}
		}
	}
	s.Fatal("the Secret lacks the newest pair")
	return target{}
}

// start runs a receiver and returns its URL.
func (s *scene) start(t *testing.T, change func(*receiver.Server)) string {
	t.Helper()
	address := make(chan net.Addr, 1)
	server := &receiver.Server{
		Address: "127.0.0.1:0", Cache: s.op.Cache, Live: s.live(), Log: logr.Discard(), Now: s.Clock.Now,
		Listening: func(a net.Addr) { address <- a },
	}
	if change != nil {
		change(server)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if server.NeedLeaderElection() {
		t.Error("only the leader would receive webhooks")
	}
	return "http://" + (<-address).String()
}

// live is the API server. It counts requests, and fails if told to.
func (s *scene) live() client.Client {
	count := func() error {
		s.calls.Add(1)
		if fail := s.fail.Load(); fail != nil {
			return *fail
		}
		return nil
	}
	return interceptor.NewClient(s.Client, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
			if err := count(); err != nil {
				return err
			}
			return c.Get(ctx, key, obj, options...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if err := count(); err != nil {
				return err
			}
			return c.List(ctx, list, options...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			if err := count(); err != nil {
				return err
			}
			return c.SubResource(sub).Patch(ctx, obj, patch, options...)
		},
	})
}

// blind is a cache whose watches were interrupted before there were any objects of a kind.
type blind struct {
	client.Reader
	subscriptions, users bool
}

func (b blind) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	switch list.(type) {
	case *v1alpha1.SmileWebhookSubscriptionList:
		if b.subscriptions {
			return nil
		}
	case *v1alpha1.SmileUserList:
		if b.users {
			return nil
		}
	}
	return b.Reader.List(ctx, list, options...)
}

func event(kind, userID string) string {
	return fmt.Sprintf(`{"id":"et-1","version":1,"type":%q,"createdAt":"2026-03-30T09:30:24Z","data":{"userId":%q,"accountId":"a-1"}}`, kind, userID)
}

// send sends a genuine event and returns the status of the response.
func (s *scene) send(kind, userID string) int {
	s.Helper()
	body := event(kind, userID)
	return s.post(s.hook.path, body, http.Header{"Smile-Signature": {receiver.Sign(body, s.hook.secret)}})
}

func (s *scene) post(path, body string, header http.Header) int {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url+hook.Prefix+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for name, values := range header {
		request.Header[name] = values
	}
	return s.do(request)
}

// do sends a request. The response must be empty.
func (s *scene) do(request *http.Request) int {
	s.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		s.Fatal(err)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(answer.Body)
	if len(bytes.TrimSpace(said)) > 0 {
		s.Errorf("the answer says %q", said)
	}
	return answer.StatusCode
}

// hinted returns the hints that are stored for a user.
func (s *scene) hinted(user *v1alpha1.SmileUser) string {
	s.Helper()
	s.Get(user)
	if user.Status.HintedAt == nil {
		return ""
	}
	return user.Status.HintedAt.Sub(s.Clock.Now()).String()
}
