package receiver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// stored is an API server that records each write to a SmileUser, and when it was made.
type stored struct {
	client.WithWatch
	mu     sync.Mutex
	writes []write
	// lastEvents are the writes to subscriptions, and read the reads of each kind from the API server.
	lastEvents int
	read       map[string]int
}

type write struct {
	at, hint time.Time
	hints    v1alpha1.UserHints
}

// covers reports whether a read is stored that will show what an event at this time was about.
func (w write) covers(event smile.Event, came time.Time) bool {
	if w.hints.AllAt != nil && !w.hints.AllAt.Time.Before(came) {
		return true
	}
	return slices.ContainsFunc(w.hints.Accounts, func(hint v1alpha1.AccountHint) bool {
		return hint.AccountID == event.AccountID && event.AccountID != "" && !hint.At.Time.Before(came)
	})
}

var taskFinished = smile.Event{Type: smile.EventTaskFinished, UserID: "u-1", AccountID: "a-1"}

// apiServer responds after a short time, and stores what is written.
func apiServer(t *testing.T, objects ...client.Object) *stored {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	s := &stored{read: map[string]int{}}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.SmileUser{}, &v1alpha1.SmileWebhookSubscription{})
	for _, field := range index.Fields() {
		builder.WithIndex(field.Object, field.Name, field.Values)
	}
	s.WithWatch = builder.
		WithInterceptorFuncs(interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
				s.mu.Lock()
				s.read[fmt.Sprintf("%T", obj)]++
				s.mu.Unlock()
				return c.Get(ctx, key, obj, options...)
			},
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
				<-time.After(3 * time.Millisecond)
				err := c.SubResource(sub).Patch(ctx, obj, patch, options...)
				if err == nil {
					s.wrote(obj)
				}
				return err
			},
		}).Build()
	return s
}

func (s *stored) wrote(obj client.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if user, ok := obj.(*v1alpha1.SmileUser); ok {
		s.writes = append(s.writes, write{time.Now(), user.Status.HintedAt.Time, *user.Status.Hints.DeepCopy()})
		return
	}
	s.lastEvents++
}

func (s *stored) all() []write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]write{}, s.writes...)
}

func person() *v1alpha1.SmileUser {
	return &v1alpha1.SmileUser{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "george", UID: "uid"},
		Spec:       v1alpha1.SmileUserSpec{ConnectionRef: v1alpha1.ConnectionReference{Name: "smile"}},
		Status:     v1alpha1.SmileUserStatus{UserID: "u-1"},
	}
}

func subscription() *v1alpha1.SmileWebhookSubscription {
	return &v1alpha1.SmileWebhookSubscription{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "events"},
		Spec:       v1alpha1.SmileWebhookSubscriptionSpec{ConnectionRef: v1alpha1.ConnectionReference{Name: "smile"}},
	}
}

// lagging is a cache that shows an earlier state.
type lagging struct {
	client.Reader
	user v1alpha1.SmileUser
}

func (l lagging) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.SmileUserList).Items = []v1alpha1.SmileUser{l.user}
	return nil
}

// Two replicas, whose caches show none of the writes, accept events in any order. Before each acknowledgement, the time of a read
// was stored that is not before the event. A thousand events cause few writes.
func TestHintsAreStoredBeforeTheAcknowledgement(t *testing.T) {
	t.Parallel()
	for _, urgent := range []int{0, 50, 100} {
		t.Run(fmt.Sprintf("%d %% urgent", urgent), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := apiServer(t, person())
				seen := person()
				if err := server.Get(t.Context(), client.ObjectKeyFromObject(seen), seen); err != nil {
					t.Fatal(err)
				}
				life, end := context.WithCancel(t.Context())
				replicas := make([]*hinter, 2)
				for i := range replicas {
					replicas[i] = &hinter{cache: lagging{user: *seen}, live: server, now: time.Now, life: life}
				}
				const events, lasting = 1000, 10 * time.Second
				var work sync.WaitGroup
				for i := range events {
					came := time.Duration(rand.Int64N(int64(lasting)))
					h, event := replicas[i%2], smile.Event{Type: "IDENTITY_ADDED", UserID: "u-1"}
					if rand.IntN(100) < urgent {
						event = smile.Event{Type: smile.EventTaskFinished, UserID: "u-1", AccountID: fmt.Sprintf("a-%d", rand.IntN(20))}
					}
					work.Go(func() {
						<-time.After(came)
						arrived := time.Now()
						hinted, err := h.hint(t.Context(), subscription(), event)
						if err != nil || hinted != 1 {
							t.Errorf("%d, %v", hinted, err)
						}
						if took := time.Since(arrived); took > time.Second {
							t.Errorf("acknowledged after %v", took)
						}
						writes := server.all()
						last := writes[len(writes)-1]
						if last.hint.Before(arrived) {
							t.Errorf("an event of %v is acknowledged with a read due at %v", arrived, last.hint)
						}
						if !last.covers(event, arrived) {
							t.Errorf("an event of %v about %q is acknowledged with %v", arrived, event.AccountID, last.hints)
						}
					})
				}
				work.Wait()
				writes := len(server.all())
				if most := 2*int(lasting/writeInterval) + 4; urgent > 0 && writes > most {
					t.Errorf("%d writes, want %d at most", writes, most)
				}
				if urgent == 0 && writes > int(lasting/(5*time.Second))+2 {
					t.Errorf("%d writes for hints that could wait", writes)
				}
				end()
				for _, h := range replicas {
					h.work.Wait()
				}
			})
		})
	}
}

// Forty events about twenty accounts of one user within 100 ms cause few writes, and no account is lost, neither in a shared
// write nor because a status holds a limited number of hints.
func TestHintsThatShareAWriteAreAllStored(t *testing.T) {
	t.Parallel()
	for _, accounts := range []int{hook.MostHints, 20} {
		t.Run(fmt.Sprintf("%d accounts", accounts), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := apiServer(t, person())
				life, end := context.WithCancel(t.Context())
				replicas := []*hinter{
					{cache: server, live: server, now: time.Now, life: life}, {cache: server, live: server, now: time.Now, life: life},
				}
				began := time.Now()
				eventOf := func(i int) smile.Event {
					return smile.Event{Type: smile.EventTaskFinished, UserID: "u-1", AccountID: fmt.Sprintf("a-%d", i%accounts)}
				}
				const events = 40
				var work sync.WaitGroup
				for i := range events {
					work.Go(func() {
						<-time.After(time.Duration(i) * writeInterval / events)
						if _, err := replicas[i%2].hint(t.Context(), subscription(), eventOf(i)); err != nil {
							t.Error(err)
						}
					})
				}
				work.Wait()
				writes := server.all()
				if len(writes) > 6 {
					t.Errorf("%d writes", len(writes))
				}
				for i := range accounts {
					if last := writes[len(writes)-1]; !last.covers(eventOf(i), began) {
						t.Errorf("a-%d is forgotten: %v", i, last.hints)
					}
				}
				if last := writes[len(writes)-1].hints; accounts <= hook.MostHints && last.AllAt != nil {
					t.Errorf("there was space for all accounts, but the hint is about everything: %v", last)
				}
				end()
				for _, h := range replicas {
					h.work.Wait()
				}
			})
		})
	}
}

// A SmileUser that was deleted or re-created gets no hint.
func TestADeletedUserGetsNoHint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := apiServer(t, person())
		former := person()
		former.UID, former.ResourceVersion = "former", "1"
		life, end := context.WithCancel(t.Context())
		h := &hinter{cache: lagging{user: *former}, live: server, now: time.Now, life: life}
		if _, err := h.hint(t.Context(), subscription(), taskFinished); err != nil {
			t.Error(err)
		}
		if writes := server.all(); len(writes) != 0 {
			t.Errorf("the other user got a hint: %v", writes)
		}
		former.Name = "deleted"
		h.cache = lagging{user: *former}
		if _, err := h.hint(t.Context(), subscription(), taskFinished); err != nil {
			t.Error(err)
		}
		end()
		h.work.Wait()
	})
}

// A panic in a write fails only the requests that wait for it.
func TestAPanicInAWriteIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, once := apiServer(t, person()), true
		live := interceptor.NewClient(server, interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
				if once {
					once = false
					panic("the person is called George")
				}
				return c.SubResource(sub).Patch(ctx, obj, patch, options...)
			},
		})
		life, end := context.WithCancel(t.Context())
		h := &hinter{cache: server, live: live, now: time.Now, life: life}
		if _, err := h.hint(t.Context(), subscription(), taskFinished); err == nil || strings.Contains(err.Error(), "George") {
			t.Errorf("a panic ends in %v", err)
		}
		if _, err := h.hint(t.Context(), subscription(), taskFinished); err != nil || len(server.all()) != 1 {
			t.Errorf("after a panic: %v, %d writes", err, len(server.all()))
		}
		end()
		h.work.Wait()
	})
}

// Another replica stores a hint while a write is under way, and the write conflicts. It does not set the hint back to a time
// before the other event.
func TestAWriteThatConflictsDoesNotSetTheHintBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := apiServer(t, person())
		other := &hinter{cache: server, live: server, now: time.Now, life: t.Context()}
		var came time.Time
		h := &hinter{cache: server, live: interceptor.NewClient(server.WithWatch, interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
				if came.IsZero() {
					<-time.After(time.Second)
					came = time.Now()
					if _, err := other.hint(ctx, subscription(), taskFinished); err != nil {
						t.Error(err)
					}
				}
				return c.SubResource(sub).Patch(ctx, obj, patch, options...)
			},
		}), now: time.Now, life: t.Context()}
		if _, err := h.hint(t.Context(), subscription(), taskFinished); err != nil {
			t.Error(err)
		}
		writes := server.all()
		if len(writes) != 2 {
			t.Fatalf("%d writes, want 2", len(writes))
		}
		for _, write := range writes {
			if write.hint.Before(came) {
				t.Errorf("a hint of %s was stored after an event of %s", write.hint, came)
			}
		}
		h.work.Wait()
		other.work.Wait()
	})
}

// A server that shuts down responds with an error to events that it can no longer store.
func TestWhatCannotBeStoredIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		life, end := context.WithCancel(t.Context())
		server := apiServer(t, person())
		h := &hinter{cache: server, live: interceptor.NewClient(server.WithWatch, interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, _ client.Client, _ string, _ client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
				<-ctx.Done()
				return ctx.Err()
			},
		}), now: time.Now, life: life}
		began := time.Now()
		if _, err := h.hint(t.Context(), subscription(), taskFinished); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != storeTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := h.hint(impatient, subscription(), taskFinished); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		end()
		h.work.Wait()
	})
}
