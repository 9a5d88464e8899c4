package creation

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/identity"
)

func TestAttempts(t *testing.T) {
	t.Parallel()
	george := types.NamespacedName{Namespace: "n", Name: "george"}
	with := func(id string) *Request {
		request := &Request{Name: george, Marker: identity.Marker{UID: "1"}}
		if id != "" {
			request.Intent = &Intent{ID: id}
		}
		return request
	}
	m := newMemory()
	expect := func(id string, now time.Time, since time.Time, unknown bool) {
		t.Helper()
		if open, u := m.open(with(id), now); u != unknown || unknown && !open.seen.Equal(since) {
			t.Errorf("attempt %q: since %v, unknown %v", id, open.seen, u)
		}
	}
	later := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	expect("", noon, time.Time{}, false)
	expect("of another process", noon, noon, true)
	expect("of another process", later(1), noon, true)
	if last := m.lastSent(); !last.IsZero() {
		t.Errorf("a sending time %v is reported although nothing was sent", last)
	}
	made := new(call)
	m.sending(with("ours"), made, later(2))
	expect("ours", later(3), later(2), true)
	expect("", later(3), later(2), true)
	m.notCreated(with("ours"))
	expect("ours", later(4), time.Time{}, false)
	expect("", later(4), time.Time{}, false)
	m.sending(with("ours"), made, later(5))
	expect("ours", later(6), later(5), true)
	if last := m.lastSent(); !last.Equal(later(5)) {
		t.Errorf("last sent at %v", last)
	}
	namesake := with("")
	namesake.Marker.UID = "2"
	if _, unknown := m.open(namesake, later(7)); unknown || m.end(namesake) != nil {
		t.Error("an attempt is open for another owner of the same name")
	}
	m.sending(with("ours"), made, later(7))
	if m.end(with("ours")) != made || m.end(with("ours")) != nil {
		t.Error("the open call is not returned exactly once")
	}
	expect("another one", later(7), later(7), true)
	m.end(with(""))
	expect("", later(8), time.Time{}, false)
	expect("ours", later(8), later(8), true)
	m.forget(george)
	if len(m.attempts) != 0 {
		t.Errorf("%d attempts are left", len(m.attempts))
	}
}

func TestASubjectIsReservedForOne(t *testing.T) {
	t.Parallel()
	m, d := newMemory(), subjectOf("d")
	mine := reservation{"1", noon}
	later := noon.Add(time.Minute)
	expect := func(step string, want, got reservation) {
		t.Helper()
		if want != got {
			t.Errorf("%s: %v, want %v", step, got, want)
		}
	}
	expect("the first", mine, m.reserve(d, "1", noon))
	expect("the second", mine, m.reserve(d, "2", later))
	expect("of another subject", reservation{"2", later}, m.reserve(subjectOf("e"), "2", later))
	if m.renew(d, "2", later) || m.renew(subjectOf("absent"), "1", later) {
		t.Error("a caller renewed a place of another caller")
	}
	expect("after that", mine, m.reserve(d, "2", later))
	if !m.renew(d, "1", later) {
		t.Error("the holder cannot renew")
	}
	if m.handOver(d, mine, "2", later) {
		t.Error("a reservation was passed on that its holder has renewed")
	}
	mine.since = later
	expect("renewed", mine, m.reserve(d, "2", later))
	m.free(d, "2")
	expect("freed by a stranger", mine, m.reserve(d, "2", later))
	m.free(d, "1")
	if m.renew(d, "1", later) {
		t.Error("renewed a place that nobody holds")
	}
	expect("freed by the holder", reservation{"2", later}, m.reserve(d, "2", later))
	if !m.handOver(d, reservation{"2", later}, "1", noon) {
		t.Error("a reservation was not passed on")
	}
	expect("passed on", reservation{"1", noon}, m.reserve(d, "2", later))
}

func TestOutcomesAreRememberedForOtherAccounts(t *testing.T) {
	t.Parallel()
	m, d := newMemory(), subjectOf("d")
	m.created(d, "a", noon)
	if _, ok := m.elsewhere(d, "a"); ok {
		t.Error("it counts as created with another API account")
	}
	if at, ok := m.elsewhere(d, "b"); !ok || !at.Equal(noon) {
		t.Errorf("%v, %v", at, ok)
	}
	m.created(subjectOf("e"), "a", noon.Add(remembered))
	if _, ok := m.elsewhere(d, "b"); !ok {
		t.Error("forgotten too early")
	}
	m.created(subjectOf("f"), "a", noon.Add(remembered+pruneInterval))
	if _, ok := m.elsewhere(d, "b"); ok || len(m.outcomes.of) != 2 {
		t.Errorf("%d outcomes are left", len(m.outcomes.of))
	}
}
