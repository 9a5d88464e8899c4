package output_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/problem"
)

// refusing refuses all writes with an error.
func refusing(kube *cluster, err error) client.WithWatch {
	return interceptor.NewClient(kube.WithWatch, interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return err },
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error { return err },
		Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error { return err },
	})
}

func TestARefusedWriteNamesTheObjectButQuotesNothingOfIt(t *testing.T) {
	t.Parallel()
	held := output.Content{"identities.json": []byte(`{"lastName": "Estrada-Villanueva"}`)}
	encoded := base64.StdEncoding.EncodeToString(held["identities.json"])
	for name, c := range map[string]struct {
		text  string
		shown bool
	}{
		"a policy's text":        {"this team may not store people's data", true},
		"the content":            {`denied: {"lastName": "Estrada-Villanueva"}`, false},
		"a part of the content":  {"denied: Estrada-Villanueva is known", false},
		"the content in base64":  {"denied: " + encoded, false},
		"the beginning of it":    {"denied: " + encoded[:20], false},
		"the content, cut short": {strings.Repeat("x", 230) + encoded, false},
	} {
		for _, target := range targets {
			t.Run(string(target.Kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				kube := refusing(newCluster(t), apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "data", errors.New(c.text)))
				_, err := output.NewWriter(kube).Write(t.Context(), owner, output.Absent(target), held, nil)
				var refused *problem.Problem
				if !errors.As(err, &refused) || refused.Reason != v1alpha1.ReasonClusterRefused || refused.Class != problem.Invalid {
					t.Fatalf("got %v", err)
				}
				if !strings.Contains(refused.Message, string(target.Kind)+` "data" (Forbidden)`) || strings.Contains(refused.Message, c.text) != c.shown {
					t.Errorf("it says %q", refused.Message)
				}
			})
		}
	}
}

// An object that is deleted between reading and writing it is no refusal: the next try finds it absent.
func TestAnObjectDeletedMeanwhileIsReadAgain(t *testing.T) {
	t.Parallel()
	for _, target := range targets {
		kube := newCluster(t, stored(target, before, false, ours))
		gone := refusing(kube, apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "data"))
		writer := output.NewWriter(gone)
		open, err := writer.Open(t.Context(), owner, target)
		if err != nil {
			t.Fatal(err)
		}
		_, err = writer.Write(t.Context(), owner, open, after, nil)
		var refused *problem.Problem
		if !errors.As(err, &refused) || refused.Class != problem.Transient || !apierrors.IsNotFound(err) {
			t.Errorf("got %v", err)
		}
	}
}

// A check asks about the very object that would be written, and changes nothing.
func TestCheckAsksWithoutWriting(t *testing.T) {
	t.Parallel()
	denied := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "data", errors.New("no"))
	for _, target := range targets {
		for name, c := range map[string]struct {
			present client.Object
			verb    string
		}{
			"absent":    {nil, "create"},
			"present":   {stored(target, before, false, ours), "update"},
			"immutable": {stored(target, before, true, ours), "delete"},
		} {
			t.Run(string(target.Kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				kube := newCluster(t)
				if c.present != nil {
					kube = newCluster(t, c.present)
				}
				untouched := kube.get(t, target)
				writer := output.NewWriter(kube)
				open, err := writer.Open(t.Context(), owner, target)
				if err != nil {
					t.Fatal(err)
				}
				if err := writer.Check(t.Context(), owner, open, after, metadata(map[string]v1alpha1.LabelValue{"team": "a"}, nil)); err != nil {
					t.Error(err)
				}
				if len(kube.writes) != 1 || !strings.HasPrefix(kube.writes[0], c.verb) {
					t.Errorf("asked %v", kube.writes)
				}
				if diff := cmp.Diff(untouched, kube.get(t, target)); diff != "" {
					t.Errorf("it was changed:\n%s", diff)
				}
				err = output.NewWriter(refusing(kube, denied)).Check(t.Context(), owner, open, after, nil)
				if !problem.Is(err, v1alpha1.ReasonClusterRefused) {
					t.Errorf("a refusal is %v", err)
				}
				if changed, err := writer.Write(t.Context(), owner, open, after, nil); !changed || err != nil {
					t.Errorf("afterwards it cannot be written: %v, %v", changed, err)
				}
			})
		}
	}
}
