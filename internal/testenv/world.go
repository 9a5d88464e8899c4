package testenv

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// begin is when the clock of every world starts.
var begin = time.Date(2026, 3, 31, 22, 30, 0, 0, time.UTC)

// Config says how a world differs from the default.
type Config struct {
	// Sandbox options; keys, canary and clock are the world's.
	Sandbox sandbox.Options
	// AllowedAPIHosts is the operator's flag.
	AllowedAPIHosts []string
	// AllowedWebhookHosts and ReceiverBaseURL are flags of the operator.
	AllowedWebhookHosts []string
	ReceiverBaseURL     string
	// AllowedOutputAnnotations is the operator's flag.
	AllowedOutputAnnotations []string
	// OutputChecks has the operator rely on output checks after a start. Nobody makes them: a test reconciles instead.
	OutputChecks bool
	// RequestsPerSecond is the operator's budget; 0 means unlimited.
	RequestsPerSecond float64
	// SmileAhead is how far Smile's clock is ahead of the operator's; behind, when negative.
	SmileAhead time.Duration
}

// World is the namespace, the sandbox and the clock of one test.
type World struct {
	testing.TB
	// Client reads and writes the API server, as a person would.
	Client client.WithWatch
	// Namespace of the test, where the operator's own objects are too.
	Namespace string
	// Clock of the operator, and of Smile unless the test says otherwise.
	Clock *clocktesting.FakeClock
	// Smile is the remote side.
	Smile *Smile

	// ahead is by how much Clock was set forward while Smile's own clock went on.
	ahead      atomic.Int64
	config     Config
	ctx        context.Context
	namespaces []string
}

// Context is canceled when the test ends. It is always the same one, because Ginkgo adds a cleanup for each context that it
// creates, and thousands of these take minutes.
func (w *World) Context() context.Context { return w.ctx }

// New makes a world.
func New(tb testing.TB, config Config) *World {
	tb.Helper()
	running, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	w := &World{TB: tb, Client: running.client, Clock: clocktesting.NewFakeClock(begin), config: config, ctx: tb.Context()}
	w.Namespace = w.NewNamespace()
	tb.Cleanup(w.clear)
	config.Sandbox.Now = w.SmileNow
	w.Smile = startSmile(tb, config.Sandbox)
	return w
}

// NewNamespace makes another namespace and gives its name.
func (w *World) NewNamespace() string {
	w.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	w.Create(namespace)
	w.namespaces = append(w.namespaces, namespace.Name)
	return namespace.Name
}

// clear deletes the users of the world. The operator lists the users of all namespaces, so those of earlier tests would slow down
// later ones.
func (w *World) clear() {
	ctx := context.Background() // the test has ended
	for _, namespace := range w.namespaces {
		var users v1alpha1.SmileUserList
		w.must(w.Client.List(ctx, &users, client.InNamespace(namespace)))
		for _, user := range users.Items {
			if len(user.Finalizers) > 0 {
				user.Finalizers = nil
				w.must(client.IgnoreNotFound(w.Client.Update(ctx, &user)))
			}
		}
		w.must(w.Client.DeleteAllOf(ctx, &v1alpha1.SmileUser{}, client.InNamespace(namespace)))
	}
}

// Create creates objects; those without a namespace come into the world's.
func (w *World) Create(objects ...client.Object) {
	w.Helper()
	for _, obj := range objects {
		if _, cluster := obj.(*corev1.Namespace); !cluster && obj.GetNamespace() == "" {
			obj.SetNamespace(w.Namespace)
		}
		w.must(w.Client.Create(w.Context(), obj))
	}
}

// Get reads an object again.
func (w *World) Get(obj client.Object) {
	w.Helper()
	w.must(w.Client.Get(w.Context(), client.ObjectKeyFromObject(obj), obj))
}

// Exists reports whether an object exists, and reads it again if it does.
func (w *World) Exists(obj client.Object) bool {
	w.Helper()
	err := w.Client.Get(w.Context(), client.ObjectKeyFromObject(obj), obj)
	w.must(client.IgnoreNotFound(err))
	return err == nil
}

// Change reads an object, changes it and writes it.
func (w *World) Change(obj client.Object, how func()) {
	w.Helper()
	w.Get(obj)
	how()
	w.must(w.Client.Update(w.Context(), obj))
}

// ChangeStatus does the same to the status of an object.
func (w *World) ChangeStatus(obj client.Object, how func()) {
	w.Helper()
	w.Get(obj)
	how()
	w.must(w.Client.Status().Update(w.Context(), obj))
}

// Annotate sets an annotation of an object.
func (w *World) Annotate(obj client.Object, name, value string) {
	w.Helper()
	w.Change(obj, func() {
		annotations := obj.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[name] = value
		obj.SetAnnotations(annotations)
	})
}

// Hint makes the operator read a person now, as a webhook does.
func (w *World) Hint(user *v1alpha1.SmileUser) {
	w.Helper()
	w.Clock.Step(time.Second)
	w.HintAt(user, w.Clock.Now())
}

// HintAt does the same at a given time, as a receiver with another clock would.
func (w *World) HintAt(user *v1alpha1.SmileUser, at time.Time) {
	w.Helper()
	w.ChangeStatus(user, func() { user.Status.HintedAt = &metav1.MicroTime{Time: at} })
}

// SmileNow is the time by Smile's clock.
func (w *World) SmileNow() time.Time {
	return w.Clock.Now().Add(w.config.SmileAhead - time.Duration(w.ahead.Load()))
}

// HintAbout stores a hint about the subject of an urgent event, as a receiver with the right clock does.
func (w *World) HintAbout(user *v1alpha1.SmileUser, news ...hook.News) {
	w.Helper()
	w.Clock.Step(time.Millisecond)
	w.ChangeStatus(user, func() {
		var before time.Time
		if user.Status.HintedAt != nil {
			before = user.Status.HintedAt.Time
		}
		at, _ := hook.Hint(before, w.Clock.Now(), true)
		user.Status.Hints = hook.Merge(user.Status, news, at, w.Clock.Now())
		user.Status.HintedAt = &metav1.MicroTime{Time: at}
	})
}

// DataOf is the news that an event brings when Smile has just gathered data of an account.
func (w *World) DataOf(accountID string) hook.News {
	return hook.News{AccountID: accountID, About: v1alpha1.HintData, At: w.SmileNow().Truncate(time.Second)}
}

// ChangeOf is the news that an event brings when an account itself has just changed.
func (w *World) ChangeOf(accountID string) hook.News {
	return hook.News{AccountID: accountID, About: v1alpha1.HintAccount, At: w.SmileNow().Truncate(time.Second)}
}

// Delete deletes an object, and leaves it to its finalizers when it has any.
func (w *World) Delete(obj client.Object) {
	w.Helper()
	w.must(w.Client.Delete(w.Context(), obj))
}

// Secret reads a Secret of the world's namespace; ok is false when there is none.
func (w *World) Secret(name string) (secret *corev1.Secret, ok bool) {
	w.Helper()
	secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: name}}
	return secret, w.Exists(secret)
}

// Refused is the API server's message about an object that it refuses; "" if it accepts it.
func (w *World) Refused(obj client.Object) string {
	w.Helper()
	err := w.Client.Create(w.Context(), obj)
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Message
	}
	w.must(err)
	return ""
}

// SetClock sets the operator's clock forward, or back, while Smile's goes on. A process of the operator cannot distinguish that
// from the passing of time until a response of Smile shows it, because the clock of a world has no monotonic reading.
func (w *World) SetClock(forward time.Duration) {
	w.ahead.Add(int64(forward))
	w.Clock.SetTime(w.Clock.Now().Add(forward))
}

// Pass lets time pass.
func (w *World) Pass(d time.Duration) { w.Clock.Step(d) }

func (w *World) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}
