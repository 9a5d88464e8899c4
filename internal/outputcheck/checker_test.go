package outputcheck

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/output"
)

// readAt is when which output was read.
type readAt struct {
	name  string
	after time.Duration
}

// cluster has users whose tokens are in Secrets, and a checker of these.
type cluster struct {
	*Checker

	t     *testing.T
	kube  client.WithWatch
	began time.Time

	mu    sync.Mutex
	reads []readAt
	// latency of a read, and what it fails with.
	latency time.Duration
	failure error
}

// read notes a read, and says how it goes.
func (c *cluster) read(name string) (latency time.Duration, failure error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads = append(c.reads, readAt{name, time.Since(c.began)})
	return c.latency, c.failure
}

// answers makes reads take a time or fail from now on, and returns the reads until now.
func (c *cluster) answers(latency time.Duration, failure error) []readAt {
	c.mu.Lock()
	defer c.mu.Unlock()
	reads := c.reads
	c.reads, c.latency, c.failure = nil, latency, failure
	return reads
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "n", Name: name} }

// checked starts the checker of a cluster with a number of users.
func checked(t *testing.T, users int, interval time.Duration) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	builder := fake.NewClientBuilder().WithScheme(scheme)
	for _, kind := range kinds {
		builder = builder.WithIndex(kind.object(), indexSlice, sliceOf)
	}
	for i := range users {
		name := fmt.Sprintf("user-%d", i)
		builder = builder.WithObjects(
			&v1alpha1.SmileUser{
				ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, UID: types.UID(name)},
				Status:     v1alpha1.SmileUserStatus{LinkToken: &v1alpha1.LinkTokenStatus{SecretName: name}},
			},
			&corev1.Secret{ObjectMeta: named(name)},
		)
	}
	c := &cluster{t: t, kube: builder.Build(), began: time.Now()}
	metadata := interceptor.NewClient(c.kube, interceptor.Funcs{
		Get: func(ctx context.Context, inner client.WithWatch, key client.ObjectKey, obj client.Object, options ...client.GetOption) error {
			asked := new(client.GetOptions).ApplyOptions(options)
			if _, ok := obj.(*metav1.PartialObjectMetadata); !ok || asked.Raw == nil || asked.Raw.ResourceVersion != "0" {
				t.Errorf("a %T is read with %+v", obj, asked.Raw)
			}
			latency, failure := c.read(key.Name)
			time.Sleep(latency)
			if failure != nil {
				return failure
			}
			return inner.Get(ctx, key, obj)
		},
	})
	c.Checker = New(Config{Objects: c.kube, Outputs: metadata, Interval: interval})
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Start(ctx) }()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c
}

// woken are the users that were woken since the last call.
func (c *cluster) woken() []string {
	var names []string
	for {
		select {
		case one := <-c.Wakes("SmileUser"):
			names = append(names, one.Object.Name)
		default:
			slices.Sort(names)
			return slices.Compact(names)
		}
	}
}

// drain takes all that are woken, as the controller does, to the end of the test.
func (c *cluster) drain() {
	go func() {
		for {
			select {
			case <-c.Wakes("SmileUser"):
			case <-c.t.Context().Done():
				return
			}
		}
	}()
}

// reconciled is what a reconcile does: it reads the output.
func (c *cluster) reconciled(names ...string) {
	for _, name := range names {
		c.opened(name, name)
	}
}

// opened reads a Secret on behalf of a user.
func (c *cluster) opened(name, by string) {
	owner := &v1alpha1.SmileUser{ObjectMeta: named(by)}
	owner.UID = types.UID(by)
	_, _ = output.NewWriter(c.Client(c.kube)).Open(c.t.Context(), owner, output.Target{Kind: output.Secret, Name: name})
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func TestEachOutputIsReadEvenlyOverTheInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const users = 200
		c := checked(t, users, DefaultInterval)
		c.drain()
		time.Sleep(headStart - time.Millisecond)
		if early := c.answers(0, nil); len(early) > 0 {
			t.Errorf("%d reads in the first seconds", len(early))
		}
		time.Sleep(2*DefaultInterval - time.Second)
		reads := c.answers(0, nil)
		last, tens := map[string]time.Duration{}, map[int]int{}
		for _, read := range reads {
			if before, ok := last[read.name]; ok && read.after-before > DefaultInterval {
				t.Errorf("%s was read after %s again", read.name, read.after-before)
			}
			last[read.name] = read.after
			tens[int(read.after/(10*time.Second))]++
		}
		if len(last) != users || len(reads) < 2*users || len(reads) > 5*users/2 {
			t.Errorf("%d reads of %d outputs", len(reads), len(last))
		}
		for ten, count := range tens {
			if count > 3*users*10/270 {
				t.Errorf("%d reads in the 10 s after %d s", count, 10*ten)
			}
		}
	})
}

func TestWhoIsWoken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := checked(t, 4, DefaultInterval)
		expect := func(when string, want ...string) {
			t.Helper()
			time.Sleep(DefaultInterval)
			synctest.Wait()
			if got := c.woken(); !slices.Equal(got, want) {
				t.Errorf("%s %q are woken, want %q", when, got, want)
			}
		}
		c.reconciled("user-3")
		expect("after a start, when one was reconciled already,", "user-0", "user-1", "user-2")
		c.reconciled("user-0", "user-1", "user-2")
		expect("at rest")

		c.must(c.kube.Delete(t.Context(), &corev1.Secret{ObjectMeta: named("user-0")}))
		edited := &corev1.Secret{}
		c.must(c.kube.Get(t.Context(), client.ObjectKey{Namespace: "n", Name: "user-1"}, edited))
		edited.Data = map[string][]byte{"x": []byte("y")}
		c.must(c.kube.Update(t.Context(), edited))
		expect("after a deletion and an edit", "user-0", "user-1")
		expect("while nobody reconciles", "user-0", "user-1")
		c.reconciled("user-0", "user-1")
		expect("once they were reconciled")

		own := c.Client(c.kube)
		c.must(own.Create(output.ForOwner(t.Context(), "user-0"), &corev1.Secret{ObjectMeta: named("user-0")}))
		edited.Data = nil
		c.must(own.Update(output.ForOwner(t.Context(), "user-1"), edited))
		expect("after the operator's own writes")
		c.must(c.kube.Delete(t.Context(), &corev1.Secret{ObjectMeta: named("user-0")}))
		other := &corev1.Secret{ObjectMeta: named("user-0")}
		other.UID = "other"
		c.must(c.kube.Create(t.Context(), other))
		expect("after another one was put in its place", "user-0")
		c.reconciled("user-0")

		edited.Data = map[string][]byte{"x": []byte("z")}
		c.must(c.kube.Update(t.Context(), edited))
		c.opened("user-1", "user-3") // which names the same Secret, and waits for it
		expect("after an edit that another user saw first", "user-1")
		c.reconciled("user-1")

		c.must(own.Update(t.Context(), edited.DeepCopy(), client.DryRunAll))
		c.must(own.Patch(t.Context(), edited.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"immutable":true}`)), client.DryRunAll))
		expect("after dry runs")
	})
}

// What does not answer, or says that it is asked too much, is asked less; and an answer that fails is no news.
func TestASlowServerIsSparedAndAnErrorWakesNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := checked(t, 100, 20*time.Second)
		c.answers(0, apierrors.NewTooManyRequests("later", 3))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := c.woken(); len(got) > 0 {
			t.Errorf("%q are woken", got)
		}
		if n := len(c.answers(200*time.Millisecond, nil)); n > 20 {
			t.Errorf("%d reads in a minute of a server that asks for 3 s each", n)
		}
		c.drain()
		time.Sleep(time.Minute)
		if n := len(c.answers(0, nil)); n < 100 || n > 160 {
			t.Errorf("%d reads in a minute of a server that takes 200 ms, want half of the time", n)
		}
	})
}

func TestNoIntervalNoChecks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := checked(t, 3, 0)
		time.Sleep(time.Hour)
		if reads := c.answers(0, nil); len(reads) > 0 {
			t.Errorf("%d reads", len(reads))
		}
	})
}
