package output_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/output"
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
				var problem *engine.Problem
				if !errors.As(err, &problem) || problem.Reason != v1alpha1.ReasonClusterRefused || problem.Class != engine.Invalid {
					t.Fatalf("got %v", err)
				}
				if !strings.Contains(problem.Message, string(target.Kind)+` "data" (Forbidden)`) || strings.Contains(problem.Message, c.text) != c.shown {
					t.Errorf("it says %q", problem.Message)
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
		var problem *engine.Problem
		if !errors.As(err, &problem) || problem.Class != engine.Transient || !apierrors.IsNotFound(err) {
			t.Errorf("got %v", err)
		}
	}
}
