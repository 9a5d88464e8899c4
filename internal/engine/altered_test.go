package engine

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

// Every lost field of a status is noticed, and writes of receivers do not count as losses.
func TestWhichChangesOfAStatusAreSomebodyElses(t *testing.T) {
	t.Parallel()
	at := metav1.NewTime(time.Date(2026, 3, 31, 12, 0, 0, 123, time.UTC))
	whole := map[string]Object{
		"user": &v1alpha1.SmileUser{Status: v1alpha1.SmileUserStatus{
			CommonStatus: v1alpha1.CommonStatus{
				ObservedGeneration: 3, Conditions: []metav1.Condition{{Type: "Ready", Status: "True"}, {Type: "Provisioned", Status: "True"}},
			},
			UserID: "u1", LinkToken: &v1alpha1.LinkTokenStatus{SecretName: "s", IssuedAt: at},
		}},
		"sync": &v1alpha1.SmileAccountSync{Status: v1alpha1.SmileAccountSyncStatus{
			CommonStatus: v1alpha1.CommonStatus{ObservedGeneration: 3},
			Accounts: []v1alpha1.SyncedAccount{
				{ID: "a1", Datapoints: []v1alpha1.DatapointStatus{{Type: "INCOMES", Items: 2}}}, {ID: "a2", ReleasedAt: &at},
			},
			Output: &v1alpha1.OutputStatus{Kind: "Secret", Name: "s", Fingerprint: "f", Others: []v1alpha1.OutputObject{{Kind: "Secret", Name: "s-part-2"}}},
		}},
		"webhook": &v1alpha1.SmileWebhookSubscription{Status: v1alpha1.SmileWebhookSubscriptionStatus{
			SecretName: "s", Registrations: []v1alpha1.WebhookRegistration{{ID: "r1", WebhookID: "w1"}, {ID: "r2"}},
		}},
		"connection": &v1alpha1.SmileConnection{Status: v1alpha1.SmileConnectionStatus{
			Credentials: &v1alpha1.CredentialsStatus{Fingerprint: "f", ModeConfirmed: true}, LastHandledApproval: "a",
		}},
	}
	for name, test := range map[string]struct {
		of     string
		change func(Object)
		want   bool
	}{
		"nothing":            {"user", func(Object) {}, false},
		"everything":         {"user", func(o Object) { o.(*v1alpha1.SmileUser).Status = v1alpha1.SmileUserStatus{} }, true},
		"observedGeneration": {"user", func(o Object) { o.CommonStatus().ObservedGeneration = 2 }, true},
		"a condition":        {"user", func(o Object) { o.CommonStatus().Conditions = o.CommonStatus().Conditions[:1] }, true},
		"the verdict":        {"user", func(o Object) { o.CommonStatus().Conditions[0].Status = "False" }, true},
		"userID":             {"user", func(o Object) { o.(*v1alpha1.SmileUser).Status.UserID = "" }, true},
		"linkToken":          {"user", func(o Object) { o.(*v1alpha1.SmileUser).Status.LinkToken = nil }, true},
		"a hint":             {"user", func(o Object) { o.(*v1alpha1.SmileUser).Status.HintedAt = &metav1.MicroTime{Time: at.Time} }, false},
		"an account":         {"sync", func(o Object) { s := o.(*v1alpha1.SmileAccountSync); s.Status.Accounts = s.Status.Accounts[1:] }, true},
		"its datapoints":     {"sync", func(o Object) { o.(*v1alpha1.SmileAccountSync).Status.Accounts[0].Datapoints = nil }, true},
		"releasedAt":         {"sync", func(o Object) { o.(*v1alpha1.SmileAccountSync).Status.Accounts[1].ReleasedAt = nil }, true},
		"the output":         {"sync", func(o Object) { o.(*v1alpha1.SmileAccountSync).Status.Output = nil }, true},
		"the fingerprint":    {"sync", func(o Object) { o.(*v1alpha1.SmileAccountSync).Status.Output.Fingerprint = "" }, true},
		"a part":             {"sync", func(o Object) { o.(*v1alpha1.SmileAccountSync).Status.Output.Others = nil }, true},
		"a registration": {"webhook", func(o Object) {
			w := o.(*v1alpha1.SmileWebhookSubscription)
			w.Status.Registrations = w.Status.Registrations[1:]
		}, true},
		"its webhook":        {"webhook", func(o Object) { o.(*v1alpha1.SmileWebhookSubscription).Status.Registrations[0].WebhookID = "" }, true},
		"an event that came": {"webhook", func(o Object) { o.(*v1alpha1.SmileWebhookSubscription).Status.LastEventAt = &at }, false},
		"the credentials":    {"connection", func(o Object) { o.(*v1alpha1.SmileConnection).Status.Credentials = nil }, true},
		"the last approval":  {"connection", func(o Object) { o.(*v1alpha1.SmileConnection).Status.LastHandledApproval = "" }, true},
		"parts of a second": {"user", func(o Object) {
			o.(*v1alpha1.SmileUser).Status.LinkToken.IssuedAt = metav1.NewTime(at.Truncate(time.Second))
		}, false},
		"a list that is empty": {"sync", func(o Object) { o.CommonStatus().Conditions = []metav1.Condition{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := whole[test.of].DeepCopyObject().(Object)
			after := before.DeepCopyObject().(Object)
			test.change(after)
			var m memory
			if m.altered(after, at.Time) {
				t.Error("the status counts as altered although it was never read")
			}
			m.met(before)
			m.met(after) // what is known already stays
			if got := m.altered(after, at.Time); got != test.want {
				t.Errorf("altered: %v", got)
			}
			m.settled(after)
			if m.altered(after, at.Time) {
				t.Error("the status counts as altered although a reconcile wrote it")
			}
			m.forget(client.ObjectKeyFromObject(after))
			if m.altered(before, at.Time) {
				t.Error("the status counts as altered although the object was deleted")
			}
		})
	}
}

// wakes reports whether the watch would wake the object as it is stored now.
func (l *life) wakes() bool {
	l.t.Helper()
	now := &v1alpha1.SmileUser{}
	if err := l.c.Get(l.t.Context(), client.ObjectKeyFromObject(l.user), now); err != nil {
		l.t.Fatal(err)
	}
	return l.Altered().Update(event.UpdateEvent{ObjectOld: l.user, ObjectNew: now})
}

func (l *life) replaceStatus(status v1alpha1.SmileUserStatus) {
	l.t.Helper()
	now := &v1alpha1.SmileUser{}
	if err := l.c.Get(l.t.Context(), client.ObjectKeyFromObject(l.user), now); err != nil {
		l.t.Fatal(err)
	}
	now.Status = status
	if err := l.c.Status().Update(l.t.Context(), now); err != nil {
		l.t.Fatal(err)
	}
}

func TestAStatusThatIsWipedOrRolledBackWakesItsObject(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.reach("u1")
	if l.wakes() {
		t.Error("the process's own write wakes it")
	}
	early := statusOf(t, l.c, l.user)
	l.reach("u2")
	if l.wakes() {
		t.Error("the process's second write wakes it")
	}
	late := statusOf(t, l.c, l.user)
	for name, status := range map[string]v1alpha1.SmileUserStatus{
		"wiped": {}, "wiped as a new object": {CommonStatus: v1alpha1.CommonStatus{ObservedGeneration: -1}}, "set back": early,
	} {
		l.replaceStatus(status)
		if !l.wakes() {
			t.Errorf("a status that was %s does not wake its object", name)
		}
		l.reach("u2")
		if l.wakes() {
			t.Errorf("a status that was %s wakes it although it was reconciled", name)
		}
	}
	late.HintedAt = &metav1.MicroTime{Time: l.clock.Now()}
	l.replaceStatus(late)
	if l.wakes() {
		t.Error("a hint counts as a change of the status by somebody else")
	}
}

// reach does a reconcile after which the status names this user.
func (l *life) reach(userID string) {
	l.t.Helper()
	l.phase = func(_ context.Context, p *Run[*v1alpha1.SmileUser]) error {
		p.Object.Status.UserID = userID
		return nil
	}
	if _, err := l.Reconcile(l.t.Context(), requestFor(l.user)); err != nil {
		l.t.Fatal(err)
	}
}

// A process that wrote nothing, because everything was in place, knows the status nevertheless.
func TestAStatusThatWasOnlyReadIsRemembered(t *testing.T) {
	t.Parallel()
	before := newLife(t)
	before.reach("u1")
	after := newLife(t)
	after.c, after.user, after.Client = before.c, before.user, before.c
	after.clock.SetTime(before.clock.Now())
	after.reach("u1")
	after.replaceStatus(v1alpha1.SmileUserStatus{})
	if !after.wakes() {
		t.Error("a status that was wiped does not wake its object")
	}
}

// The watch may show a write before the API server's response has come, and writes before the last one after it.
func TestOwnWritesWakeNoObjectWheneverTheyAreShown(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.reach("u1")
	var intent *v1alpha1.SmileUser
	l.phase = func(ctx context.Context, p *Run[*v1alpha1.SmileUser]) error {
		p.Object.Status.CreateAttempt = &v1alpha1.CreateAttempt{ID: "1"}
		l.memory.writing(p.Object) // as far as WriteIntent comes before the request is sent
		if l.Altered().Update(event.UpdateEvent{ObjectOld: l.user, ObjectNew: p.Object}) {
			t.Error("a write that is under way wakes the object")
		}
		if err := p.WriteIntent(ctx); err != nil {
			return err
		}
		intent = p.Object.DeepCopy()
		p.Object.Status.CreateAttempt, p.Object.Status.UserID = nil, "u2"
		return nil
	}
	if _, err := l.Reconcile(t.Context(), requestFor(l.user)); err != nil {
		t.Fatal(err)
	}
	if l.Altered().Update(event.UpdateEvent{ObjectOld: l.user, ObjectNew: intent}) {
		t.Error("a write before the last one wakes the object")
	}
}

// A write of somebody else between a reconcile's read and its write is patched, not replaced. The stored result wakes the object.
func TestAStatusThatIsWipedDuringAReconcileWakesItsObject(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.reach("u1")
	l.phase = func(_ context.Context, p *Run[*v1alpha1.SmileUser]) error {
		l.replaceStatus(v1alpha1.SmileUserStatus{})
		p.Object.Status.Mode = v1alpha1.ModeSandbox
		return nil
	}
	if _, err := l.Reconcile(t.Context(), requestFor(l.user)); err != nil {
		t.Fatal(err)
	}
	if statusOf(t, l.c, l.user).UserID != "" {
		t.Fatal("the test removed nothing from the status")
	}
	if !l.wakes() {
		t.Error("losing the status does not wake the object")
	}
}
