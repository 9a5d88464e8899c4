package outputcheck

import (
	"errors"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/output"
)

func TestWhichOutputsAreWanted(t *testing.T) {
	t.Parallel()
	secret := func(name string) output.Target { return output.Target{Kind: output.Secret, Name: name} }
	user := &v1alpha1.SmileUser{Status: v1alpha1.SmileUserStatus{LinkToken: &v1alpha1.LinkTokenStatus{SecretName: "token"}}}
	deleted, suspended := user.DeepCopy(), user.DeepCopy()
	deleted.DeletionTimestamp, suspended.Spec.Suspend = &metav1.Time{Time: time.Unix(0, 0)}, true
	for name, test := range map[string]struct {
		object engine.Object
		want   []output.Target
	}{
		"a token":             {user, []output.Target{secret("token")}},
		"no token":            {&v1alpha1.SmileUser{}, nil},
		"of a deleted user":   {deleted, nil},
		"of a suspended user": {suspended, nil},
		"data in parts": {
			&v1alpha1.SmileAccountSync{Status: v1alpha1.SmileAccountSyncStatus{Output: &v1alpha1.OutputStatus{
				Kind: "ConfigMap", Name: "data", Others: []v1alpha1.OutputObject{{Kind: "Secret", Name: "data-part-2"}},
			}}},
			[]output.Target{{Kind: output.ConfigMap, Name: "data"}, secret("data-part-2")},
		},
		"no data yet": {&v1alpha1.SmileAccountSync{}, nil},
		"pairs": {
			&v1alpha1.SmileWebhookSubscription{Status: v1alpha1.SmileWebhookSubscriptionStatus{SecretName: "events-webhook"}},
			[]output.Target{secret("events-webhook")},
		},
		"no pairs yet": {&v1alpha1.SmileWebhookSubscription{}, nil},
		"a connection": {&v1alpha1.SmileConnection{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := wanted(test.object); !slices.Equal(got, test.want) {
				t.Errorf("got %v", got)
			}
			if got := sliceOf(test.object); len(got) != min(len(test.want), 1) {
				t.Errorf("it is in the slices %v", got)
			}
		})
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pace, took time.Duration
		err        error
		want       time.Duration
	}{
		"quick":                {time.Second, 100 * time.Millisecond, nil, 900 * time.Millisecond},
		"slow":                 {time.Second, 800 * time.Millisecond, nil, 800 * time.Millisecond},
		"slower than the pace": {time.Second, 3 * time.Second, nil, 3 * time.Second},
		"fails":                {time.Millisecond, time.Millisecond, errors.New("refused"), time.Second},
		"too many":             {time.Millisecond, time.Millisecond, apierrors.NewTooManyRequests("later", 7), 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := pause(test.pace, test.took, test.err); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestTheMemoryForgetsWhatNobodyWants(t *testing.T) {
	t.Parallel()
	m := newMemory()
	named := func(name string) place { return place{output.Target{Kind: output.Secret, Name: name}, "n", "owner"} }
	kept, gone := named("kept"), named("gone")
	m.note(kept, "1")
	m.note(gone, "1")
	m.endCycle()
	for range 2 {
		if m.differs(kept, "1") {
			t.Error("a needed entry was forgotten")
		}
		m.endCycle()
	}
	if len(m.outputs) != 1 || !m.differs(gone, "1") {
		t.Errorf("%d are remembered", len(m.outputs))
	}
}
