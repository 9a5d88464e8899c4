package app

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestOnlyTheLeaderWrites(t *testing.T) {
	t.Parallel()
	var arrived []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived = append(arrived, r.Method)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"s","namespace":"n"}}`)
	}))
	defer server.Close()
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	leading := error(nil)
	c, err := client.New(fenced(&rest.Config{Host: server.URL}, func() error { return leading }),
		client.Options{Scheme: scheme.Scheme, Mapper: mapper})
	if err != nil {
		t.Fatal(err)
	}
	secret := func() *corev1.Secret { return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "s"}} }
	patch := client.RawPatch(types.MergePatchType, []byte("{}"))
	writes := map[string]func() error{
		"create":       func() error { return c.Create(t.Context(), secret()) },
		"update":       func() error { return c.Update(t.Context(), secret()) },
		"patch":        func() error { return c.Patch(t.Context(), secret(), patch) },
		"patch status": func() error { return c.Status().Patch(t.Context(), secret(), patch) },
		"delete":       func() error { return c.Delete(t.Context(), secret()) },
	}

	for name, write := range writes {
		if err := write(); err != nil {
			t.Errorf("the leader cannot %s: %v", name, err)
		}
	}
	if len(arrived) != len(writes) {
		t.Errorf("requests of the leader that arrived: %v", arrived)
	}
	arrived, leading = nil, errNotLeader
	for name, write := range writes {
		if err := write(); !errors.Is(err, errNotLeader) {
			t.Errorf("a process that does not lead gets %v for %s", err, name)
		}
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(secret()), secret()); err != nil {
		t.Errorf("a process that does not lead cannot read: %v", err)
	}
	if got := strings.Join(arrived, " "); got != "GET" {
		t.Errorf("a request arrived from a process that does not lead: %s", got)
	}
}

// The timeout that the lease needs would end every watch of everybody else.
func TestTheTimeoutOfTheLeaseAppliesToTheLeaseOnly(t *testing.T) {
	t.Parallel()
	access := &rest.Config{Host: "http://127.0.0.1:1", UserAgent: "somebody"}
	if _, err := newFencedLock(access, "n", "leader", func(l coordinationv1.LeasesGetter) coordinationv1.LeasesGetter { return l }, clock.RealClock{}); err != nil {
		t.Fatal(err)
	}
	if access.Timeout != 0 || access.UserAgent != "somebody" {
		t.Errorf("the shared configuration was changed: timeout %s, name %q", access.Timeout, access.UserAgent)
	}
}
