package auditlog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/auditlog"
)

var (
	noon   = time.Date(2026, 3, 31, 20, 0, 0, 123456000, time.FixedZone("Manila", 8*3600))
	sync1  = &v1alpha1.SmileAccountSync{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "george", UID: "uid-1"}}
	erased = auditlog.Record{
		Actor: "SmileAccountSync", Object: auditlog.ObjectOf("SmileAccountSync", sync1), Account: "digest",
		Action: auditlog.ActionErased, Reason: auditlog.ReasonWithdrawn,
		Datapoints: []string{"IDENTITIES", "INCOMES"}, Outcome: auditlog.OutcomeSucceeded,
	}
)

func TestARecordIsOneLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := auditlog.New(&out, clocktesting.NewFakePassiveClock(noon), logr.Discard())
	log.Write(erased)
	plain := auditlog.Record{
		Actor: "SmileUser", Object: auditlog.Object{Namespace: "shop", Kind: "SmileUser", Name: "ge\norge", UID: "uid-2"},
		Action: auditlog.ActionRevoked, Reason: auditlog.ReasonObjectDeleted, Outcome: auditlog.OutcomeUnknown,
	}
	log.Write(plain)
	want := `{"time":"2026-03-31T12:00:00.123456Z","actor":"SmileAccountSync","namespace":"shop","kind":"SmileAccountSync","name":"george",` +
		`"uid":"uid-1","account":"digest","action":"Erased","reason":"Withdrawn","datapoints":["IDENTITIES","INCOMES"],"outcome":"Succeeded"}` + "\n" +
		`{"time":"2026-03-31T12:00:00.123456Z","actor":"SmileUser","namespace":"shop","kind":"SmileUser","name":"ge\norge",` +
		`"uid":"uid-2","action":"Revoked","reason":"ObjectDeleted","outcome":"Unknown"}` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// A file is appended to by each process that opens it, and only its owner may read it.
func TestAFileIsAppendedTo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	const processes, writers, each = 2, 8, 50
	for range processes {
		out, err := auditlog.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		log := auditlog.New(out, clocktesting.NewFakePassiveClock(noon), logr.Discard())
		var work sync.WaitGroup
		for range writers {
			work.Go(func() {
				for range each {
					log.Write(erased)
				}
			})
		}
		work.Wait()
		if err := out.(io.Closer).Close(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != processes*writers*each {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		var got auditlog.Record
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.Name != "george" || got.UID != "uid-1" {
			t.Fatalf("the line %q: %v", line, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := auditlog.Open(filepath.Join(path, "audit.log")); err == nil {
		t.Error("an invalid path can be opened")
	}
}

// disk accepts some bytes of each write, and then fails.
type disk struct {
	bytes.Buffer
	room int
}

func (d *disk) Write(text []byte) (int, error) {
	if d.room < 0 {
		return d.Buffer.Write(text)
	}
	n, _ := d.Buffer.Write(text[:min(d.room, len(text))])
	d.room -= n
	return n, &os.PathError{Op: "write", Path: "/somewhere", Err: errors.New("no space left on device")}
}

// A failed write is counted, and logged once a minute. The incomplete line does not damage the next record.
func TestAFailureIsCountedAndLogged(t *testing.T) {
	out, clock := &disk{room: 40}, clocktesting.NewFakePassiveClock(noon)
	var logged []string
	log := auditlog.New(out, clock, funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{}))
	written, failed := count(t, "true"), count(t, "false")
	for _, at := range []time.Duration{0, time.Second, 59 * time.Second, time.Minute} {
		clock.SetTime(noon.Add(at))
		log.Write(erased)
	}
	if got := count(t, "false") - failed; got != 4 || len(logged) != 2 {
		t.Errorf("%v failures counted, logged %q", got, logged)
	}
	if !strings.Contains(logged[0], "no space left on device") || strings.Contains(logged[0], "/somewhere") {
		t.Errorf("logged %q", logged[0])
	}
	out.room = -1
	log.Write(erased)
	log.Write(erased)
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 4 || count(t, "true")-written != 2 {
		t.Fatalf("wrote %q", out)
	}
	for _, line := range lines[1:3] {
		var got auditlog.Record
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Errorf("the line %q: %v", line, err)
		}
	}
}

// count reads the counter of records.
func count(t *testing.T, written string) float64 {
	t.Helper()
	families, err := metrics.Registry.(prometheus.Gatherer).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "smile_operator_audit_records_total" && fmt.Sprint(metric.GetLabel()[0].GetValue()) == written {
				return metric.GetCounter().GetValue()
			}
		}
	}
	t.Fatal("records are not counted")
	return 0
}
