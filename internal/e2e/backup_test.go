//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

// apart returns a suite with its own control plane, for tests of everything in a cluster, or of its failures.
func apart(t *testing.T) *suite {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s.fresh(t)
}

// planes counts the control planes of single tests.
var planes atomic.Int32

// fresh starts a control plane of this test's own.
func (s *suite) fresh(t *testing.T) *suite {
	t.Helper()
	own := &suite{root: s.root, dir: t.TempDir(), binary: s.binary, single: true}
	if os.Getenv(logsVariable) != "" {
		own.dir = filepath.Join(s.dir, fmt.Sprintf("%s-%d", t.Name(), planes.Add(1)))
		if err := os.MkdirAll(own.dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if own.plane != nil {
			if err := own.plane.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
	// The control plane ends with its context, and cleanups of the test still need it.
	if err := own.startPlane(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	return own
}

// household describes the people whose data is backed up.
type household struct {
	names []string
	// accounts of the people, by name.
	accounts map[string]string
	// withdrawn are people who withdraw their consent after the backup, and relaxed those of them whose syncs say Retain
	// when they are restored.
	withdrawn, relaxed []string
}

// The first people in each ten: their data was released, or is retained after a disconnection.
func (h *household) released(i int) bool { return i%10 == 0 }
func (h *household) retained(i int) bool { return i%10 == 1 }

// declare creates the people, links their accounts, and has the data fetched.
func (h *household) declare(e *environment) {
	e.t.Helper()
	for _, user := range e.crowd("person", len(h.names)) {
		e.create(user)
		h.names[slices.Index(h.names, "")] = user.GetName()
	}
	e.allReady(len(h.names), 5*time.Minute)
	ids := e.ids()
	for i, name := range h.names {
		h.accounts[name] = e.link(ids[name], "sss_ph").ID
		sync := e.sync(name)
		sync.Spec.RevokeAfterFetch = h.released(i)
		if h.retained(i) {
			sync.Spec.Retention = &v1alpha1.Retention{OnDisconnect: v1alpha1.DisconnectRetain, TTL: &metav1.Duration{Duration: 24 * time.Hour}}
		}
		e.create(sync)
	}
	e.holds(h.names, 5*time.Minute)
	for i, name := range h.names {
		if h.released(i) {
			within(e.t, time.Minute, "the account of "+name+" is revoked", func() (bool, string) {
				sync := e.sync(name)
				return e.get(sync) && sync.Status.Accounts[0].ConnectionStatus == "DISCONNECTED", readiness(sync)
			})
		}
		if h.retained(i) {
			e.disconnect(h.accounts[name])
		}
	}
}

func (e *environment) disconnect(accountID string) {
	e.t.Helper()
	if _, err := e.remote.Disconnect(accountID); err != nil {
		e.t.Fatal(err)
	}
}

// data is the personal data in an output, by key; nil if there is no output.
func (e *environment) data(name string) map[string]string {
	e.t.Helper()
	secret := &corev1.Secret{ObjectMeta: e.named(name + "-data")}
	if !e.get(secret) {
		return nil
	}
	held := map[string]string{}
	for key, value := range secret.Data {
		if key != "index.json" {
			held[key] = string(value)
		}
	}
	return held
}

// holds waits until the outputs of all of these people hold data.
func (e *environment) holds(names []string, limit time.Duration) {
	e.t.Helper()
	within(e.t, limit, "the outputs hold data", func() (bool, string) {
		without := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return len(e.data(name)["identities.json"]) > 4 })
		return len(without) == 0, fmt.Sprintf("%d do not", len(without))
	})
}

// erased waits until no output of these people holds data.
func (e *environment) erased(names []string, limit time.Duration) {
	e.t.Helper()
	within(e.t, limit, "the data of those who withdrew is erased", func() (bool, string) {
		with := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return len(e.data(name)) == 0 })
		return len(with) == 0, fmt.Sprintf("the outputs of %v hold data", with)
	})
}

// restoredTo is the same namespace, with the Secrets that people keep elsewhere, in another cluster.
func (e *environment) restoredTo(t *testing.T, s *suite) *environment {
	t.Helper()
	to := &environment{suite: s, t: t, namespace: e.namespace, remote: e.remote, key: e.key}
	to.create(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.namespace}},
		&corev1.Secret{
			ObjectMeta: to.named("smile-keys"),
			StringData: map[string]string{"apiKey": e.key.Key, "apiSecret": e.key.Secret},
		},
	)
	t.Cleanup(to.nothingForbidden)
	return to
}

// records reads an audit log, and counts its records by action and reason.
func records(t *testing.T, path string) map[string]int {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	counts := map[string]int{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var record auditlog.Record
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil || record.Time.IsZero() {
			t.Fatalf("the record %q: %v", lines.Text(), err)
		}
		counts[fmt.Sprintf("%s %s %s", record.Action, record.Reason, record.Outcome)]++
	}
	if err := errors.Join(lines.Err(), file.Close()); err != nil {
		t.Fatal(err)
	}
	return counts
}

// TestBackup follows docs/backup.md: it backs up 100 people, three of whom withdraw their consent afterwards, and
// restores them into another cluster. For two of the three, only the erasure ledger says that their data must not come
// back.
func TestBackup(t *testing.T) {
	t.Parallel()
	n := 100
	if testing.Short() {
		n = 20
	}
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	docs := s.page(t, "backup.md")
	e := s.fresh(t).environment(t, sandbox.Options{}, v1alpha1.SmileConnectionSpec{
		ResyncInterval: &metav1.Duration{Duration: time.Minute},
	})
	audit := filepath.Join(e.dir, "smile-audit.log")
	o := e.operator(t, "--lease-name="+defaultLease, "--audit-log="+audit, "--api-requests-per-second=0")
	people := &household{names: make([]string, n), accounts: map[string]string{}}
	people.declare(e)
	docs.run(t, e.suite, "backup")
	before := map[string]map[string]string{}
	for _, name := range people.names {
		before[name] = e.data(name)
	}

	people.withdrawn, people.relaxed = people.names[2:5], people.names[3:5]
	for _, name := range people.withdrawn {
		e.disconnect(people.accounts[name])
	}
	e.erased(people.withdrawn, 3*time.Minute)
	docs.run(t, e.suite, "ledger")
	o.stop()
	if got := records(t, audit)["Erased Withdrawn Succeeded"]; got != len(people.withdrawn) {
		t.Errorf("%d erasures are in the audit log: %v", got, records(t, audit))
	}

	to := e.restoredTo(t, s.fresh(t))
	docs.run(t, to.suite, "restore")
	for _, name := range people.relaxed {
		to.patch(to.sync(name), `{"spec":{"retention":{"onDisconnect":"Retain","ttl":"24h"}}}`)
	}
	restored := filepath.Join(to.dir, "smile-audit.log")
	to.operator(t, "--lease-name="+defaultLease, "--audit-log="+restored, "--api-requests-per-second=0", "--output-check-interval=20s")
	began := time.Now()
	to.erased(people.withdrawn, time.Minute)
	to.allReady(n, 2*time.Minute)
	to.syncsReady(people.names, 2*time.Minute)
	within(t, 2*time.Minute, "the outputs were checked three times", func() (bool, string) {
		return time.Since(began) > time.Minute, time.Since(began).String()
	})
	for _, name := range people.names {
		want := before[name]
		if slices.Contains(people.withdrawn, name) {
			want = map[string]string{}
		}
		if diff := cmp.Diff(want, to.data(name)); diff != "" {
			t.Errorf("the data of %s is not what it was: %s", name, diff)
		}
	}
	to.eachOnce(n)
	counts := records(t, restored)
	t.Logf("the audit log after the restore: %v", counts)
	if refused := counts["NotTakenBack InErasureLedger Succeeded"]; refused != len(people.withdrawn) {
		t.Errorf("%d copies were refused because of the ledger", refused)
	}
}

// syncsReady waits until all syncs are Ready.
func (e *environment) syncsReady(names []string, limit time.Duration) {
	e.t.Helper()
	within(e.t, limit, "all syncs are Ready", func() (bool, string) {
		var all v1alpha1.SmileAccountSyncList
		if err := e.admin.List(e.t.Context(), &all, client.InNamespace(e.namespace)); err != nil {
			return false, err.Error()
		}
		states, ready := map[string]int{}, 0
		for _, sync := range all.Items {
			state := readiness(&sync)
			states[state]++
			if len(state) > 5 && state[:5] == "True/" {
				ready++
			}
		}
		return ready == len(names) && ready == len(all.Items), listed(states)
	})
}
