package output_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
)

const (
	uidDead = types.UID("uid-of-a-deleted-object")
	uidLive = types.UID("uid-of-maria")
)

func controlledBy(version, kind, name string, uid types.UID) *metav1.OwnerReference {
	return &metav1.OwnerReference{APIVersion: version, Kind: kind, Name: name, UID: uid, Controller: ptr.To(true)}
}

// A cluster with maria, a live object of another kind than the owner's, in the owner's namespace, and with an output.
func clusterWith(t *testing.T, target output.Target, controller *metav1.OwnerReference, mark types.UID) *cluster {
	t.Helper()
	var references []metav1.OwnerReference
	if controller != nil {
		references = append(references, *controller)
	}
	present := stored(target, before, false, references...)
	if mark != "" {
		present.SetAnnotations(map[string]string{v1alpha1.AnnotationOwner: string(mark)})
	}
	return newCluster(t, present,
		&v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "maria", UID: uidLive}},
		&v1alpha1.SmileUser{ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "maria", UID: "uid-elsewhere"}},
	)
}

// The treatment of an existing object depends on its controller, on the owner in its annotation, and on whether that owner
// exists.
func TestWhoseAnExistingObjectIs(t *testing.T) {
	t.Parallel()
	const ours, sync, user = "smile-operator.io/v1alpha1", "SmileAccountSync", "SmileUser"
	type outcome struct {
		reason string
		class  problem.Class
		left   bool
		retry  time.Duration
	}
	conflict := outcome{reason: v1alpha1.ReasonOutputConflict, class: problem.Invalid, retry: 5 * time.Minute}
	progressing := outcome{reason: v1alpha1.ReasonProgressing, class: problem.NotReady, retry: 3 * time.Second}
	left, mine := outcome{left: true}, outcome{}
	for name, c := range map[string]struct {
		controller *metav1.OwnerReference
		mark       types.UID
		want       outcome
	}{
		"nobody's":                            {nil, "", conflict},
		"the owner's":                         {controlledBy(ours, sync, "george", owner.UID), owner.UID, mine},
		"the owner's, unmarked":               {controlledBy(ours, sync, "george", owner.UID), "", mine},
		"the owner's, cut off":                {nil, owner.UID, mine},
		"marked for it, but another's":        {controlledBy(ours, user, "maria", uidLive), owner.UID, conflict},
		"a predecessor's":                     {controlledBy(ours, sync, "george", uidDead), uidDead, progressing},
		"a predecessor's, unmarked":           {controlledBy(ours, sync, "george", uidDead), "", progressing},
		"a predecessor's, of another version": {controlledBy("smile-operator.io/v1", sync, "george", uidDead), uidDead, progressing},
		"of a deleted object":                 {controlledBy(ours, user, "peter", uidDead), uidDead, progressing},
		"of a live object's predecessor":      {controlledBy(ours, user, "maria", uidDead), uidDead, progressing},
		"a live object's":                     {controlledBy(ours, user, "maria", uidLive), uidLive, conflict},
		"of a kind of others":                 {controlledBy("apps/v1", "Deployment", "george", uidDead), uidDead, conflict},
		"of a kind of others with our names":  {controlledBy("example.com/v1", sync, "george", uidDead), "", conflict},
		"of an unknown kind":                  {controlledBy(ours, "SmileFuture", "george", uidDead), "", conflict},
		"of no kind":                          {controlledBy("a/b/c", sync, "george", uidDead), "", conflict},
		"left behind":                         {nil, uidDead, left},
		"left in another namespace":           {nil, "uid-elsewhere", left},
		"a live object's, cut off":            {nil, uidLive, conflict},
	} {
		for _, target := range targets {
			t.Run(string(target.Kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				kube := clusterWith(t, target, c.controller, c.mark)
				open, err := output.NewWriter(kube).Open(t.Context(), owner, target)
				var got outcome
				var refused *problem.Problem
				switch {
				case errors.As(err, &refused):
					got = outcome{reason: refused.Reason, class: refused.Class, retry: refused.RetryAfter}
				case err != nil:
					t.Fatal(err)
				default:
					got.left = open.LeftBehind()
				}
				if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(outcome{})); diff != "" {
					t.Error(diff)
				}
				if content, err := output.NewWriter(kube).Read(t.Context(), owner, target); (content != nil) != (c.want == mine) {
					t.Errorf("read %v, %v", content, err)
				}
				if len(kube.writes) > 0 {
					t.Errorf("it wrote: %v", kube.writes)
				}
			})
		}
	}
}

// What was left behind is written only after it was taken back, and is the owner's from then on.
func TestTakingBackWhatWasLeftBehind(t *testing.T) {
	t.Parallel()
	for _, target := range targets {
		kube := clusterWith(t, target, nil, uidDead)
		writer := output.NewWriter(kube)
		open, err := writer.Open(t.Context(), owner, target)
		if err != nil {
			t.Fatal(err)
		}
		if !open.HoldsOnly("a.json", "b.json", "c.json") || open.HoldsOnly("a.json") {
			t.Errorf("%s: the result about its keys is wrong", target.Kind)
		}
		if _, err := writer.Write(t.Context(), owner, open, after, nil); !problem.Is(err, v1alpha1.ReasonOutputConflict) || len(kube.writes) > 0 {
			t.Errorf("%s: written before it was taken back: %v, %v", target.Kind, err, kube.writes)
		}
		open.TakeBack()
		if changed, err := writer.Write(t.Context(), owner, open, after, nil); !changed || err != nil {
			t.Errorf("%s: changed %v, %v", target.Kind, changed, err)
		}
		assertOurs(t, kube, target)
	}
}

// Without an answer about the owner nothing is concluded.
func TestAFailedListDecidesNothing(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	for _, controller := range []*metav1.OwnerReference{nil, controlledBy("smile-operator.io/v1alpha1", "SmileUser", "peter", uidDead)} {
		broken := interceptor.NewClient(clusterWith(t, targets[0], controller, uidDead).WithWatch, interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return away },
		})
		if open, err := output.NewWriter(broken).Open(t.Context(), owner, targets[0]); open != nil || !errors.Is(err, away) {
			t.Errorf("%v, %v", open, err)
		}
	}
}

// An object that appears between reading and writing is judged as if it had been read.
func TestWhatAppearsBeforeItIsCreated(t *testing.T) {
	t.Parallel()
	const version = "smile-operator.io/v1alpha1"
	for name, c := range map[string]struct {
		controller *metav1.OwnerReference
		mark       types.UID
		reason     string
	}{
		"a predecessor's": {controlledBy(version, "SmileAccountSync", "george", uidDead), "", v1alpha1.ReasonProgressing},
		"left behind":     {nil, uidDead, v1alpha1.ReasonOutputConflict},
		"another's":       {controlledBy(version, "SmileUser", "maria", uidLive), "", v1alpha1.ReasonOutputConflict},
		"ours":            {controlledBy(version, "SmileAccountSync", "george", owner.UID), "", v1alpha1.ReasonClusterError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := targets[0]
			kube := clusterWith(t, target, c.controller, c.mark)
			_, err := output.NewWriter(kube).Write(t.Context(), owner, output.Absent(target), after, nil)
			if !problem.Is(err, c.reason) || !strings.Contains(err.Error(), `"data"`) {
				t.Errorf("got %v", err)
			}
		})
	}
}
