package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

var write = flag.Bool("write", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *write {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (go test -write writes it):\n%s", path, diff)
	}
}

// with sets conditions of the form Type=Status/Reason: message.
func with[T object](o T, name string, conditions ...string) T {
	o.SetNamespace("prod")
	o.SetName(name)
	o.SetUID(types.UID("uid-of-" + name))
	for _, text := range conditions {
		text, message, _ := strings.Cut(text, ": ")
		kind, rest, _ := strings.Cut(text, "=")
		status, reason, _ := strings.Cut(rest, "/")
		o.CommonStatus().Conditions = append(o.CommonStatus().Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: message,
		})
	}
	return o
}

const ready = "Ready=True/Succeeded"

func aConnection(name string, conditions ...string) *v1alpha1.SmileConnection {
	return with(&v1alpha1.SmileConnection{Spec: v1alpha1.SmileConnectionSpec{Mode: v1alpha1.ModeSandbox}}, name, conditions...)
}

func aUser(name, connection string, conditions ...string) *v1alpha1.SmileUser {
	return with(&v1alpha1.SmileUser{Spec: v1alpha1.SmileUserSpec{
		ConnectionRef: v1alpha1.ConnectionReference{Name: connection},
	}}, name, conditions...)
}

func aSync(user string, conditions ...string) *v1alpha1.SmileAccountSync {
	return with(&v1alpha1.SmileAccountSync{
		Spec:   v1alpha1.SmileAccountSyncSpec{UserRef: v1alpha1.UserReference{Name: user}},
		Status: v1alpha1.SmileAccountSyncStatus{Output: &v1alpha1.OutputStatus{Kind: "Secret", Name: user + "-data"}},
	}, user, conditions...)
}

// troubled are objects in many states.
func troubled() []client.Object {
	suspended := aUser("resting", "smile", "Suspended=True/Suspended", ready)
	suspended.Spec.Suspend = true
	deleted := aUser("leaving", "smile", "Ready=False/DeletionBlocked: the deletion waits until something at Smile is revoked or deleted")
	deleted.Finalizers, deleted.DeletionTimestamp = []string{v1alpha1.FinalizerRevoke}, &metav1.Time{Time: metav1.Now().Time}
	linked := aUser("george", "smile", ready)
	linked.Status.Accounts = &v1alpha1.AccountCounts{Total: 2, Connected: 1}
	objects := []client.Object{
		aConnection("smile", ready, "RevokesAllowed=False/RevokesPaused: 3 revokes wait for an approval, because 20 were requested within 10 minutes"),
		linked, suspended, deleted,
		aSync("george", "Stalled=True/OutputConflict", "Ready=False/OutputConflict: the Secret \"george-data\" exists and has another owner: "+
			"it is not changed, and nothing of this object is written"),
		aUser("new", "smile"),
		aUser("waiting", "smile", "Ready=True/AwaitingEndUser: the person has not linked an account yet"),
		aSync("nobody", "Ready=False/UserNotFound: the SmileUser \"nobody\" does not exist in this namespace"),
		aUser("lost", "gone", "Ready=False/ConnectionNotFound: the SmileConnection \"gone\" does not exist in this namespace"),
		with(&v1alpha1.SmileWinkWidget{Spec: v1alpha1.SmileWinkWidgetSpec{
			ConnectionRef: v1alpha1.ConnectionReference{Name: "smile"},
		}}, "wink", ready),
		with(&v1alpha1.SmileWebhookSubscription{
			Spec:   v1alpha1.SmileWebhookSubscriptionSpec{ConnectionRef: v1alpha1.ConnectionReference{Name: "smile"}},
			Status: v1alpha1.SmileWebhookSubscriptionStatus{URL: "https://hooks.example.com/\x1b[31mred"},
		}, "events", "Ready=False/SmileUnavailable: Smile cannot be reached", "Reconciling=True/SmileUnavailable"),
	}
	for i := range 8 {
		objects = append(objects, aUser(fmt.Sprintf("person-%d", i), "smile", ready), aSync(fmt.Sprintf("person-%d", i), ready))
	}
	return objects
}

func cluster(t *testing.T, objects []client.Object, refuse ...string) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			for _, kind := range refuse {
				if strings.HasSuffix(fmt.Sprintf("%T", list), kind+"List") {
					resource := schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: strings.ToLower(kind) + "s"}
					return apierrors.NewForbidden(resource, "", nil)
				}
			}
			return c.List(ctx, list, options...)
		},
	}).Build()
}

func TestStatusText(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		objects []client.Object
		refuse  []string
		status  Status
	}{
		"80":     {objects: troubled(), status: Status{style: style{width: 80}}},
		"160":    {objects: troubled(), status: Status{style: style{width: 160}}},
		"color":  {objects: troubled(), status: Status{style: style{width: 80, color: true}}},
		"all":    {objects: troubled(), status: Status{style: style{width: 80}, all: true}},
		"empty":  {status: Status{style: style{width: 80}}},
		"ready":  {objects: []client.Object{aConnection("smile", ready), aUser("george", "smile", ready)}, status: Status{style: style{width: 80}}},
		"view":   {objects: troubled(), refuse: []string{"SmileConnection", "SmileWebhookSubscription"}, status: Status{style: style{width: 80}}},
		"nobody": {objects: troubled(), refuse: []string{"SmileUser"}, status: Status{style: style{width: 80}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := test.status.read(t.Context(), cluster(t, test.objects, test.refuse...), "prod"); err != nil {
				t.Fatal(err)
			}
			var text bytes.Buffer
			test.status.Write(&text)
			golden(t, "status-"+name+".txt", text.Bytes())
			for line := range strings.Lines(text.String()) {
				if !strings.Contains(line, "$ ") && !test.status.style.color && len([]rune(line))-1 > test.status.style.width {
					t.Errorf("longer than %d columns: %s", test.status.style.width, line)
				}
			}
		})
	}
}

func TestStatusJSON(t *testing.T) {
	t.Parallel()
	var status Status
	if err := status.read(t.Context(), cluster(t, troubled()), "prod"); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.MarshalIndent(&status, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "status.json", append(encoded, '\n'))
	golden(t, "status.names", []byte(strings.Join(status.Names(), "\n")+"\n"))
}

func TestStatusOfNothingReadable(t *testing.T) {
	t.Parallel()
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	var status Status
	err := status.read(t.Context(), cluster(t, nil, names...), "prod")
	if !apierrors.IsForbidden(err) || !strings.Contains(explain(err), "Ask for the right") {
		t.Errorf("got %v", err)
	}
}

// Each reason of a condition has a remedy. Those of events have none.
func TestEachReasonHasARemedy(t *testing.T) {
	t.Parallel()
	ofEvents := map[string]bool{}
	for _, reason := range []string{
		v1alpha1.ReasonWebhookCreated, v1alpha1.ReasonWebhookReplaced, v1alpha1.ReasonWebhookRepaired, v1alpha1.ReasonDuplicateRemoteUser,
		v1alpha1.ReasonUserCreated, v1alpha1.ReasonUserAdopted, v1alpha1.ReasonOutputTakenBack, v1alpha1.ReasonDataWritten,
		v1alpha1.ReasonDataTakenBack, v1alpha1.ReasonDataErased, v1alpha1.ReasonOrphaned,
	} {
		ofEvents[reason] = true
	}
	for _, reason := range v1alpha1.Reasons {
		if _, found := remedies[reason]; found == ofEvents[reason] {
			t.Errorf("%s has a remedy: %v", reason, found)
		}
	}
}
