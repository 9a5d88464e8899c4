package creation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeSmile is Smile in memory: it lists users and creates them.
type fakeSmile struct {
	mu    sync.Mutex
	users []string
	lists int
	// hidden omits new users from listings.
	hidden bool
	// fails makes the next creation return an error after it was done.
	fails bool
	// fence of all connections; nil permits everything, as for a leader.
	fence transport.Fence
}

// ServeHTTP implements http.Handler.
func (s *fakeSmile) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := http.StatusOK
	var data string
	if request.Method == http.MethodGet {
		s.lists++
		shown := s.users
		if s.hidden {
			shown = nil
		}
		data = `{"items":[` + strings.Join(shown, ",") + `]}`
	} else {
		var body struct {
			ExternalMetadata map[string]string `json:"externalMetadata"`
		}
		_ = json.NewDecoder(request.Body).Decode(&body)
		user, _ := json.Marshal(map[string]any{
			"id": fmt.Sprintf("u%d", len(s.users)), "externalMetadata": body.ExternalMetadata, "createdAt": noon.Format(time.RFC3339),
		})
		s.users = append(s.users, string(user))
		data = `{"user":` + string(user) + `}`
		if s.fails {
			s.fails, status = false, http.StatusInternalServerError
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"code":"OK","message":"m","requestId":"r","data":`+data+`}`)
}

// protocolIn makes a protocol with a new log, and a connection to a fakeSmile.
func protocolIn(t *testing.T, remote *fakeSmile) (*Protocol, *connection.Connection) {
	t.Helper()
	registry, conn := connectionTo(t, remote, "k")
	c := newCluster(t)
	log, _ := c.takeOver(0, nil)
	return New(Config{
		Mirrors: mirror.NewSet(t.Context(), mirror.Config{Clock: c.clock, Connections: registry}), Log: log, Clock: c.clock,
	}), conn
}

// connectionTo makes a connection to a fakeSmile. Each key is an API account of its own.
func connectionTo(t *testing.T, remote *fakeSmile, key string) (*connection.Registry, *connection.Connection) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	kube := fake.NewClientBuilder().WithScheme(scheme).WithObjects(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "keys"},
		Data:       map[string][]byte{"apiKey": []byte(key), "apiSecret": []byte("s")},
	}).Build()
	server := httptest.NewServer(remote)
	t.Cleanup(server.Close)
	hosts, err := transport.NewHostPolicy(server.URL+"/v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	registry := connection.NewRegistry(connection.Config{
		Connections: kube, Secrets: kube, Hosts: hosts, Budgets: transport.NewBudgetSet(0),
		Metrics: transport.NewMetrics(), Clock: clock.RealClock{},
	}, func() error {
		if remote.fence == nil {
			return nil
		}
		return remote.fence()
	})
	conn, err := registry.Refresh(t.Context(), &v1alpha1.SmileConnection{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "smile", UID: "uid-conn"},
		Spec: v1alpha1.SmileConnectionSpec{
			Mode: v1alpha1.ModeSandbox, CredentialsSecretRef: v1alpha1.CredentialsSecretReference{Name: "keys"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return registry, conn
}

// owner requests a user of the subject d.
type owner struct {
	request *Request
	// has is the user that was attached.
	has string
	// found is called when a search has found users, or none.
	found func(mirror.Found)
}

func newOwner(conn *connection.Connection, uid types.UID) *owner {
	o := &owner{found: func(mirror.Found) {}}
	o.request = &Request{
		Conn: conn, Name: types.NamespacedName{Namespace: "shop", Name: string(uid)},
		Marker:      identity.Marker{UID: uid, Digest: "d"},
		StoreIntent: func(context.Context) error { return nil },
		Claim:       func(userID string) { o.has = userID },
		Attach: func(_ context.Context, found mirror.Found) (bool, error) {
			o.found(found)
			all := slices.Concat(found.Own, found.Same)
			if len(all) > 0 {
				o.has = all[0].ID
			}
			return len(all) > 0, nil
		},
	}
	return o
}

func ensure(t *testing.T, p *Protocol, o *owner) (created bool, err error) {
	t.Helper()
	_, created, err = p.Ensure(t.Context(), o.request)
	return created, err
}

func TestASubjectThatAnotherCreatesMeanwhileIsCreatedOnce(t *testing.T) {
	t.Parallel()
	remote := &fakeSmile{hidden: true}
	p, conn := protocolIn(t, remote)
	first, second := newOwner(conn, "1"), newOwner(conn, "2")
	second.found = func(mirror.Found) { // it has found nobody, and has not reserved the subject yet
		second.found = func(mirror.Found) {}
		if created, err := ensure(t, p, first); !created || err != nil {
			t.Errorf("the first: %v, %v", created, err)
		}
	}
	if created, err := ensure(t, p, second); created || err != nil || second.has != first.has {
		t.Errorf("the second: created %v, %v, has %q, want %q", created, err, second.has, first.has)
	}
	if len(remote.users) != 1 {
		t.Errorf("%d users", len(remote.users))
	}
}

func TestACallThatLostItsReservationIsNotSent(t *testing.T) {
	t.Parallel()
	remote := &fakeSmile{}
	p, conn := protocolIn(t, remote)
	o := newOwner(conn, "1")
	remote.fence = func() error { // while the call waited, another found that nothing came of the reservation, and took it
		of := p.creation(o.request).subject
		p.memory.free(of, "1")
		p.memory.reserve(of, "2", noon)
		return nil
	}
	if _, err := ensure(t, p, o); !errors.Is(err, errReserved) {
		t.Errorf("%v", err)
	}
	if len(remote.users) != 0 || len(p.Log.named.calls) != 0 {
		t.Errorf("%d users, %d names left", len(remote.users), len(p.Log.named.calls))
	}
}

func TestAnAttemptThatIsSentAgainHasTheTimeOfThat(t *testing.T) {
	t.Parallel()
	p, conn := protocolIn(t, &fakeSmile{fence: func() error { return errTimeout }})
	o := newOwner(conn, "1")
	if _, err := ensure(t, p, o); err == nil {
		t.Fatal("sent without the fence")
	}
	first := *o.request.Intent
	p.Clock.(interface{ Step(time.Duration) }).Step(ancient)
	if _, err := ensure(t, p, o); err == nil {
		t.Fatal("sent without the fence")
	}
	if again := *o.request.Intent; again.ID != first.ID || !again.StartedAt.Equal(first.StartedAt.Add(ancient)) {
		t.Errorf("%v became %v", first, again)
	}
}

// The failed write may have been stored, and the caller may store the intent later. Either way, no call was sent.
func TestAnIntentThatCouldNotBeStoredHasNoUnknownOutcome(t *testing.T) {
	t.Parallel()
	p, conn := protocolIn(t, &fakeSmile{})
	o := newOwner(conn, "1")
	stores := o.request.StoreIntent
	o.request.StoreIntent = func(context.Context) error { return errTimeout }
	if _, err := ensure(t, p, o); !errors.Is(err, errTimeout) || o.request.Intent == nil {
		t.Fatalf("%v, intent %v", err, o.request.Intent)
	}
	o.request.StoreIntent = stores
	if created, err := ensure(t, p, o); !created || err != nil {
		t.Errorf("created %v, %v", created, err)
	}
}
