package index

import (
	"context"
	"errors"
	"slices"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
)

type fakeIndexer struct {
	names []string
	err   error
}

func (f *fakeIndexer) IndexField(_ context.Context, _ client.Object, name string, _ client.IndexerFunc) error {
	f.names = append(f.names, name)
	return f.err
}

func TestRegister(t *testing.T) {
	t.Parallel()
	indexer := &fakeIndexer{}
	if err := Register(t.Context(), indexer); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{Connection, RemoteUser, User, PathHash} {
		if !slices.Contains(indexer.names, name) {
			t.Errorf("%s is not indexed", name)
		}
	}
	refused := errors.New("refused")
	if err := Register(t.Context(), &fakeIndexer{err: refused}); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}

func TestPathHashesOmitRegistrationsWithoutPath(t *testing.T) {
	t.Parallel()
	sub := &v1alpha1.SmileWebhookSubscription{Status: v1alpha1.SmileWebhookSubscriptionStatus{
		Registrations: []v1alpha1.WebhookRegistration{{PathHash: "a"}, {URL: "https://app.example.com"}, {PathHash: "b"}},
	}}
	if got := pathHashes(sub); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q", got)
	}
}
