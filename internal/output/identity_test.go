package output_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/output"
)

var (
	subject = identity.Subject{Mode: v1alpha1.ModeSandbox, Scope: "shop", Name: "shop/george"}
	system  = output.IdentityOptions{Namespace: "system"}
)

func TestTheIdentityIsMadeOnce(t *testing.T) {
	t.Parallel()
	kube := newCluster(t)
	first, err := output.Identity(t.Context(), kube, system)
	if err != nil {
		t.Fatal(err)
	}
	second, err := output.Identity(t.Context(), kube, system)
	if err != nil || first.Digest(subject) != second.Digest(subject) {
		t.Errorf("the second start has another key: %v", err)
	}
	if diff := cmp.Diff([]string{"create"}, kube.writes); diff != "" {
		t.Error(diff)
	}
}

func TestArgoCDKeepsTheIdentity(t *testing.T) {
	t.Parallel()
	kube := newCluster(t)
	if _, err := output.Identity(t.Context(), kube, system); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{}
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: "system", Name: output.IdentitySecret}, secret); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"argocd.argoproj.io/sync-options":    "Prune=false,Delete=false",
		"argocd.argoproj.io/compare-options": "IgnoreExtraneous",
	}
	if diff := cmp.Diff(want, secret.Annotations); diff != "" {
		t.Error(diff)
	}
}

// Both starts find nothing; the one that stores its key second takes that of the first.
func TestRacingStartsAgreeOnTheIdentity(t *testing.T) {
	t.Parallel()
	kube := newCluster(t)
	var winner identity.Key
	raced := false
	late := interceptor.NewClient(kube.WithWatch, interceptor.Funcs{
		Create: func(ctx context.Context, to client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			if !raced {
				raced = true
				var err error
				if winner, err = output.Identity(ctx, kube, system); err != nil {
					return err
				}
			}
			return to.Create(ctx, obj, opts...)
		},
	})
	loser, err := output.Identity(t.Context(), late, system)
	if err != nil || !raced || loser.Digest(subject) != winner.Digest(subject) {
		t.Errorf("raced: %v, %v, the same key: %v", raced, err, loser.Digest(subject) == winner.Digest(subject))
	}
}

func TestADamagedIdentityIsNeverReplaced(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]map[string][]byte{
		"no key":    nil,
		"short key": {"key": []byte("CNRY")},
		"long key":  {"key": []byte(strings.Repeat("CNRY", 16))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kube := newCluster(t, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: output.IdentitySecret}, Data: data,
			})
			_, err := output.Identity(t.Context(), kube, system)
			if err == nil || strings.Contains(err.Error(), "CNRY") || !strings.Contains(err.Error(), "system/"+output.IdentitySecret) ||
				!strings.Contains(err.Error(), "restore the Secret from a backup") {
				t.Errorf("error %v", err)
			}
			if len(kube.writes) > 0 {
				t.Errorf("writes: %v", kube.writes)
			}
		})
	}
}

// A failed read does not count as absence: with a second key, no existing user would be recognized.
func TestNoIdentityIsMadeWhenReadingFails(t *testing.T) {
	t.Parallel()
	kube := newCluster(t)
	away := errors.New("away")
	broken := interceptor.NewClient(kube.WithWatch, interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return away
		},
	})
	if _, err := output.Identity(t.Context(), broken, system); !errors.Is(err, away) || len(kube.writes) > 0 {
		t.Errorf("%v, writes %v", err, kube.writes)
	}
}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"team": "a"}}
}

func TestALostIdentityIsNotReplacedWhereItWasUsed(t *testing.T) {
	t.Parallel()
	proven := &v1alpha1.SmileConnection{ObjectMeta: named("smile")}
	proven.Status.Credentials = &v1alpha1.CredentialsStatus{Fingerprint: "x"}
	refused := &v1alpha1.SmileConnection{ObjectMeta: named("smile")}
	refused.Status.Endpoint = "https://sandbox.smileapi.io/v1"
	created := &v1alpha1.SmileUser{ObjectMeta: named("george")}
	created.Status.UserID = "tenant-1"
	creating := &v1alpha1.SmileUser{ObjectMeta: named("george")}
	creating.Status.CreateAttempt = &v1alpha1.CreateAttempt{ID: "1"}
	adopted := &v1alpha1.SmileUser{ObjectMeta: named("george")}
	adopted.Spec.UserID, adopted.Status.UserID = "tenant-1", "tenant-1"
	inNamespaces := func(namespaces ...string) output.IdentityOptions {
		return output.IdentityOptions{Namespace: "system", Watched: output.Watched{Namespaces: namespaces}}
	}
	ofTeam := func(team string) output.IdentityOptions {
		watched := output.Watched{Selector: labels.SelectorFromSet(labels.Set{"team": team})}
		return output.IdentityOptions{Namespace: "system", Watched: watched}
	}
	for name, c := range map[string]struct {
		objects []client.Object
		options output.IdentityOptions
		shown   string // the object that shows the earlier key; none when empty
	}{
		"nothing was there":               {nil, system, ""},
		"a connection never worked":       {[]client.Object{refused}, system, ""},
		"a connection worked":             {[]client.Object{proven}, system, "SmileConnection shop/smile"},
		"a person was created":            {[]client.Object{refused, created}, system, "SmileUser shop/george"},
		"a person was being created":      {[]client.Object{creating}, system, "SmileUser shop/george"},
		"a person was adopted by id":      {[]client.Object{adopted}, system, ""},
		"in the second watched namespace": {[]client.Object{proven}, inNamespaces("empty", "shop"), "SmileConnection shop/smile"},
		"in a namespace of others":        {[]client.Object{proven, created}, inNamespaces("empty"), ""},
		"with a watched label":            {[]client.Object{proven}, ofTeam("a"), "SmileConnection shop/smile"},
		"with a label of others":          {[]client.Object{proven, created}, ofTeam("b"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kube := newCluster(t, c.objects...)
			_, err := output.Identity(t.Context(), kube, c.options)
			if c.shown == "" {
				if err != nil || len(kube.writes) != 1 {
					t.Errorf("%v, writes %v", err, kube.writes)
				}
				return
			}
			if len(kube.writes) > 0 || err == nil {
				t.Fatalf("%v, writes %v", err, kube.writes)
			}
			for _, part := range []string{"Secret system/" + output.IdentitySecret, c.shown, "restore", "--new-identity-key"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			c.options.New = true
			if _, err := output.Identity(t.Context(), kube, c.options); err != nil || len(kube.writes) != 1 {
				t.Errorf("with a new key intended: %v, writes %v", err, kube.writes)
			}
		})
	}
}

func TestSignsOfAnEarlierIdentityAreReadPageByPage(t *testing.T) {
	t.Parallel()
	kube := newCluster(t)
	const pages = 3
	paged := interceptor.NewClient(kube.WithWatch, interceptor.Funcs{
		List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			connections, ok := list.(*v1alpha1.SmileConnectionList)
			if !ok {
				return nil
			}
			options := (&client.ListOptions{}).ApplyOptions(opts)
			page, _ := strconv.Atoi(options.Continue)
			connection := v1alpha1.SmileConnection{ObjectMeta: named(strconv.Itoa(page))}
			if page < pages-1 {
				list.SetContinue(strconv.Itoa(page + 1))
			} else {
				connection.Status.Credentials = &v1alpha1.CredentialsStatus{Fingerprint: "x"}
			}
			connections.Items = []v1alpha1.SmileConnection{connection}
			return nil
		},
	})
	if _, err := output.Identity(t.Context(), paged, system); err == nil || !strings.Contains(err.Error(), "shop/2") {
		t.Errorf("the last page shows an earlier key: %v", err)
	}
}

// The first replica generates the key and proves a connection with it while the second one starts.
func TestAReplicaThatStartsSecondUsesTheKeyOfTheFirst(t *testing.T) {
	t.Parallel()
	kube := newCluster(t)
	var first identity.Key
	late := interceptor.NewClient(kube.WithWatch, interceptor.Funcs{
		List: func(ctx context.Context, to client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if _, ok := list.(*v1alpha1.SmileConnectionList); ok {
				var err error
				first, err = output.Identity(ctx, kube, system)
				proven := &v1alpha1.SmileConnection{ObjectMeta: named("smile")}
				proven.Status.Credentials = &v1alpha1.CredentialsStatus{Fingerprint: "x"}
				if err := errors.Join(err, kube.Create(ctx, proven)); err != nil {
					return err
				}
			}
			return to.List(ctx, list, opts...)
		},
	})
	second, err := output.Identity(t.Context(), late, system)
	if err != nil || second.Digest(subject) != first.Digest(subject) {
		t.Errorf("%v, the same key: %v", err, second.Digest(subject) == first.Digest(subject))
	}
}

func TestNoIdentityIsMadeWhenLookingForAnEarlierOneFails(t *testing.T) {
	t.Parallel()
	kube := newCluster(t)
	away := errors.New("away")
	broken := interceptor.NewClient(kube.WithWatch, interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return away },
	})
	if _, err := output.Identity(t.Context(), broken, system); !errors.Is(err, away) || len(kube.writes) > 0 {
		t.Errorf("%v, writes %v", err, kube.writes)
	}
}
