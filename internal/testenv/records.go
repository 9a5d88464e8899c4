package testenv

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/auditlog"
)

// Event is an event that an operator recorded about an object.
type Event struct {
	// Object is <namespace>/<name>.
	Object                     string
	Type, Reason, Action, Note string
}

// Records keeps the events and the audit log of an operator, and the leaks in these and in its logs.
type Records struct {
	mu     sync.Mutex
	events []Event
	audit  []auditlog.Record
	leaks  []string
}

// loudest is the highest verbosity that the operator's flags permit. Above it Kubernetes' client logs whole Secrets.
const loudest = 7

// Eventf implements events.EventRecorder.
func (r *Records) Eventf(regarding, _ runtime.Object, kind, reason, action, note string, args ...any) {
	recorded := Event{
		Object: client.ObjectKeyFromObject(regarding.(client.Object)).String(),
		Type:   kind, Reason: reason, Action: action, Note: fmt.Sprintf(note, args...),
	}
	r.mu.Lock()
	r.events = append(r.events, recorded)
	r.mu.Unlock()
	r.inspect(fmt.Sprintf("%+v", recorded))
}

// logger returns a logger whose lines are only inspected.
func (r *Records) logger() logr.Logger {
	return funcr.New(func(prefix, args string) { r.inspect(prefix + " " + args) }, funcr.Options{Verbosity: loudest})
}

func (r *Records) inspect(recorded string) {
	if !strings.Contains(recorded, Canary) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaks = append(r.leaks, recorded)
}

// leaked are the events and log lines that contain secrets or personal data.
func (r *Records) leaked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.leaks)
}

// Write implements io.Writer for the audit log, which writes line by line.
func (r *Records) Write(line []byte) (int, error) {
	var record auditlog.Record
	if err := json.Unmarshal(line, &record); err != nil {
		return 0, err
	}
	r.mu.Lock()
	r.audit = append(r.audit, record)
	r.mu.Unlock()
	r.inspect(string(line))
	return len(line), nil
}

// Audit is the audit log about an object, oldest record first.
func (r *Records) Audit(of client.Object) []auditlog.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.audit), func(record auditlog.Record) bool {
		return record.Namespace != of.GetNamespace() || record.Name != of.GetName() || record.UID != string(of.GetUID())
	})
}

// Events are all events about an object, oldest first.
func (r *Records) Events(of client.Object) []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := client.ObjectKeyFromObject(of).String()
	return slices.DeleteFunc(slices.Clone(r.events), func(e Event) bool { return e.Object != name })
}

// Reasons are those of the events of an object, oldest first.
func (r *Records) Reasons(of client.Object) []string {
	var reasons []string
	for _, e := range r.Events(of) {
		reasons = append(reasons, e.Reason)
	}
	return reasons
}
