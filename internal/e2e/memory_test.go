//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const mebibyte = 1 << 20

// hostile are responses that exhaust the memory or the timeouts of a client. They end when the client has closed the connection.
var hostile = map[string]func(w http.ResponseWriter, r *http.Request){
	"a header that drips": func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nX-Slow: "))
		drip(r, func() error { _, err := conn.Write([]byte("x")); return err })
	},
	"a body that drips": func(w http.ResponseWriter, r *http.Request) {
		opening(w)
		drip(r, func() error {
			_, err := w.Write([]byte(" "))
			w.(http.Flusher).Flush()
			return err
		})
	},
	"a body without an end": func(w http.ResponseWriter, _ *http.Request) {
		opening(w)
		item := bytes.Repeat([]byte(`{"id":"`+strings.Repeat("x", 200)+`"},`), 200)
		for {
			if _, err := w.Write(item); err != nil {
				return
			}
		}
	},
	"a gzip bomb": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(bomb())
	},
}

// mostGrown is by how many MiB memory may grow meanwhile. All responses together hold 8 MiB at most (internal/smile/memory.go),
// and what was read may be collected a little later.
const mostGrown = 32.0

func opening(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"code":"OK","message":"Success","requestId":"1","data":{"nextCursor":null,"items":[`))
}

// drip sends a byte ten times a second, as long as the client reads.
func drip(r *http.Request, send func() error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			if send() != nil {
				return
			}
		}
	}
}

// bomb is 512 MiB of JSON, compressed.
var bomb = sync.OnceValue(func() []byte {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = writer.Write([]byte(`{"code":"OK","data":{"items":["`))
	blank := make([]byte, mebibyte)
	for i := range blank {
		blank[i] = 'x'
	}
	for range 512 {
		_, _ = writer.Write(blank)
	}
	_ = writer.Close()
	return packed.Bytes()
})

// TestHostileAnswersTakeLittleMemory has Smile answer in ways that are meant to exhaust its client, while users are to be
// created, tokens issued and accounts read.
func TestHostileAnswersTakeLittleMemory(t *testing.T) {
	t.Parallel()
	const (
		known, created = 30, 10
		span           = 20 * time.Second
	)
	e := newEnvironment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{ResyncInterval: &metav1.Duration{Duration: time.Minute}})
	e.asReleased()
	bomb() // before anything is measured
	var now atomic.Pointer[func(http.ResponseWriter, *http.Request)]
	smile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := now.Load(); answer != nil {
			(*answer)(w, r)
			return
		}
		e.remote.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		smile.CloseClientConnections()
		smile.Close()
	})
	o := e.newOperator(t, e.only(), "--sandbox-endpoint="+smile.URL+"/v1")
	o.start()
	e.create(e.crowd("known", known)...)
	e.allReady(known, 2*time.Minute)
	before := o.most(t, 3*time.Second)
	for name, answer := range hostile {
		now.Store(&answer)
		for _, user := range e.users() {
			e.annotate(&user, v1alpha1.AnnotationRequestedAt, name)
		}
		for _, user := range e.crowd(fmt.Sprintf("new-%d", len(e.users())), created) {
			user.(*v1alpha1.SmileUser).Spec.LinkToken = &v1alpha1.LinkTokenSpec{SecretName: user.GetName()}
			e.create(user)
		}
		grown := (o.most(t, span) - before) / mebibyte
		t.Logf("%s: memory grew by %.1f MiB from %.1f MiB", name, grown, before/mebibyte)
		if grown > mostGrown {
			t.Errorf("%s: memory grew by %.1f MiB, want %.0f MiB at most", name, grown, mostGrown)
		}
		if ended := o.alive(); ended != "" {
			t.Fatal(ended)
		}
	}
	now.Store(nil)
	all := known + len(hostile)*created
	took := e.allReady(all, 10*time.Minute)
	e.eachOnce(all)
	t.Logf("%d users Ready %s after Smile answered again", all, seconds(took))
}

// most is the largest resident memory of the operator during a time.
func (o *operator) most(t *testing.T, span time.Duration) float64 {
	t.Helper()
	most := 0.0
	during(t, span, func() string {
		most = max(most, o.metric("process_resident_memory_bytes"))
		return ""
	})
	return most
}

// TestUnrelatedSecretsTakeNoMemory fills the cluster with 300 MB of Secrets that are none of the operator's.
func TestUnrelatedSecretsTakeNoMemory(t *testing.T) {
	if !long() {
		t.Skip("E2E_LONG is not set: the API server takes a gigabyte for this")
	}
	const (
		secrets = 300
		users   = 50
		limit   = 5.0 // MiB
	)
	e := apart(t).environment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{})
	e.asReleased()
	e.create(e.crowd("user", users)...)
	o := e.operator(t)
	e.allReady(users, 2*time.Minute)
	o.stop()
	// settled is the smallest memory of a process during a time after its start, because garbage collections occur at any time.
	settled := func() float64 {
		o.start()
		within(t, time.Minute, "all users were reconciled", func() (bool, string) {
			reconciles := o.metric("controller_runtime_reconcile_total", "smileuser")
			return reconciles >= users, fmt.Sprintf("%v reconciles", reconciles)
		})
		return o.least(t, 10*time.Second)
	}
	before := settled()
	payload := bytes.Repeat([]byte("x"), mebibyte-1024)
	for i := range secrets {
		e.create(&corev1.Secret{ObjectMeta: e.named(fmt.Sprintf("unrelated-%d", i)), Data: map[string][]byte{"payload": payload}})
	}
	while := o.least(t, 10*time.Second)
	o.stop()
	after := settled()
	t.Logf("with %d MB of unrelated Secrets: %.1f MiB before, %.1f MiB while they were created, %.1f MiB after a restart",
		secrets, before/mebibyte, while/mebibyte, after/mebibyte)
	// Only processes of the same age are compared, because memory grows by a few MiB some time after a start.
	if grown := (after - before) / mebibyte; grown > limit {
		t.Errorf("memory grew by %.1f MiB, want %.0f MiB at most", grown, limit)
	}
}

// least is the smallest resident memory of the operator during a time.
func (o *operator) least(t *testing.T, span time.Duration) float64 {
	t.Helper()
	least := o.metric("process_resident_memory_bytes")
	during(t, span, func() string {
		if now := o.metric("process_resident_memory_bytes"); now > 0 {
			least = min(least, now)
		}
		return ""
	})
	return least
}
