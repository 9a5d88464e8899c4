package creation

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	takeOverTries = 5
	// requestTimeout bounds each request for the log.
	requestTimeout = 10 * time.Second
)

var errBusy = errors.New("the creation log changed repeatedly while it was being taken over")

// inheritance is the content of the log when it was taken over.
type inheritance struct {
	// sent is when a call for each subject was last named, by the wall clock of the process that named it.
	sent map[subject]time.Time
	// everybody is when the last call that the log does not name may have been sent; zero if the log names all calls.
	everybody time.Time
	// oldest is when the earliest of all these calls was sent.
	oldest time.Time
	// ancientAt is when a call was last found to be ancient.
	ancientAt time.Time
}

// stored is the log as the API server has it.
type stored struct {
	lease *coordinationv1.Lease // nil if there is none
	record
	readable bool
}

func (l *Log) read(ctx context.Context) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	lease := new(coordinationv1.Lease)
	err := l.config.Leases.Get(ctx, l.config.Name, lease)
	if apierrors.IsNotFound(err) {
		return stored{}, nil
	}
	if err != nil {
		return stored{}, fmt.Errorf("reading the creation log: %w", err)
	}
	content, err := decode(lease.Annotations[v1alpha1.AnnotationCreations])
	return stored{lease: lease, record: content, readable: err == nil}, nil
}

// takeOver reads the log, keeps the names in it, and writes the term of this process. A write that failed may have been stored,
// so the next try reads the log again.
func (l *Log) takeOver(ctx context.Context) error {
	for range takeOverTries {
		err := l.tryTakeOver(ctx)
		if err == nil || !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return errBusy
}

// tryTakeOver fails if a third process has taken over the log since it was first read, because that is the leader now.
func (l *Log) tryTakeOver(ctx context.Context) error {
	found, err := l.read(ctx)
	if err != nil {
		return err
	}
	own, follows, err := l.termAfter(found)
	if err != nil {
		return err
	}
	switch {
	case l.former == nil:
		l.former = &found.term
	case found.lease != nil && found.term != *l.former && found.term != own:
		l.lose()
		return ErrTakenOver
	}
	inherited, err := l.inherit(ctx, found, follows || found.term == own)
	if err != nil {
		return err
	}
	return l.claim(ctx, found.lease, own, inherited)
}

// termAfter returns the term of this process, and reports whether it directly follows the one that wrote the log.
func (l *Log) termAfter(found stored) (own term, follows bool, err error) {
	if l.config.Term == nil {
		if found.term.holder == l.self {
			return found.term, true, nil
		}
		return term{number: found.term.number + 1, holder: l.self, acquired: l.config.Clock.Now().UnixMicro()}, true, nil
	}
	leads, led := l.config.Term()
	if !led {
		return term{}, false, errors.New("only the leader can take over the creation log")
	}
	own = term{number: leads.Number, holder: leads.Holder, acquired: leads.Acquired.UnixMicro()}
	return own, leads.follows(found.term), nil
}

// follows reports whether no other process led between the one that wrote a term and this one. The number alone does not show
// that: it restarts at 0 in a Lease that was deleted, and a leader of a version without the log also increments it.
func (t Term) follows(former term) bool {
	return t.Former != nil && t.Number == former.number+1 && t.Former.Acquired.UnixMicro() == former.acquired &&
		(t.Former.Holder == "" || t.Former.Holder == former.holder)
}

// inherit returns the calls that may be open according to the log that was found.
func (l *Log) inherit(ctx context.Context, found stored, follows bool) (inheritance, error) {
	now := l.config.Clock.Now()
	got := inheritance{sent: found.sent, oldest: now}
	switch {
	case found.lease == nil:
		used, err := l.config.Used(ctx)
		if err != nil {
			return got, fmt.Errorf("checking whether users were created before: %w", err)
		}
		if used {
			got.everybody = now
		}
	case !found.readable || !follows:
		got.everybody = now
	case !found.unnamed.IsZero():
		got.everybody = found.unnamed
		got.oldest = earlier(now, found.unnamed)
	}
	for _, sent := range got.sent {
		got.oldest = earlier(got.oldest, sent)
	}
	return got, nil
}

// claim writes the term of this process, over exactly the log that was read.
func (l *Log) claim(ctx context.Context, lease *coordinationv1.Lease, own term, inherited inheritance) error {
	l.mu.Lock()
	l.term, l.inherited = own, inherited
	content := l.content()
	l.mu.Unlock()
	written, err := l.put(ctx, lease, content)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lease, l.takenOver = written, l.config.Clock.Now()
	return nil
}

// put stores a content over a Lease as it was read, or in a new one, and returns the Lease as it is then.
func (l *Log) put(ctx context.Context, over *coordinationv1.Lease, content record) (*coordinationv1.Lease, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: l.config.Name.Namespace, Name: l.config.Name.Name}}
	if over != nil {
		lease = over.DeepCopy()
	}
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	lease.Annotations[v1alpha1.AnnotationCreations] = content.encode()
	lease.Spec.HolderIdentity = &content.term.holder
	var err error
	if over == nil {
		err = l.config.Leases.Create(ctx, lease)
	} else {
		err = l.config.Leases.Update(ctx, lease)
	}
	if err != nil {
		return nil, fmt.Errorf("writing the creation log: %w", err)
	}
	return lease, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// mayBeOpen reports whether an earlier leader may have sent a call for a subject whose outcome is open. A listing that begins at
// settled or later shows the outcome.
func (l *Log) mayBeOpen(of subject, remote func() (time.Time, bool)) (settled time.Time, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent, open := l.inherited.sent[of]
	if !l.inherited.everybody.IsZero() {
		sent, open = later(sent, l.inherited.everybody), true
	}
	settled = l.takenOver.Add(smile.ListingLag)
	if !open || l.config.Clock.Now().After(settled) {
		return settled, open
	}
	return earlier(settled, l.settledIfAncient(sent, settled, remote)), true
}

// settledBy is the earliest time at which a listing may begin that shows the outcome of an attempt of another process. A listing
// that begins at settled shows it in any case.
func (l *Log) settledBy(of subject, stored, settled time.Time, remote func() (time.Time, bool)) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	stored = later(later(stored, l.inherited.everybody), l.inherited.sent[of])
	return earlier(settled, l.settledIfAncient(stored, settled, remote))
}

// settledIfAncient is the earliest time at which a listing may begin that shows the outcome of a call of another process: now, if
// the call is ancient by the wall clock and by Smile's; otherwise settled.
func (l *Log) settledIfAncient(sent, settled time.Time, remote func() (time.Time, bool)) time.Time {
	now, old := l.config.Clock.Now(), sent.Add(ancient)
	if host, ok := remote(); !ok || host.Before(old) || now.Before(old) {
		return settled
	}
	if l.inherited.ancientAt.IsZero() || l.inherited.ancientAt.Before(old) {
		l.inherited.ancientAt = now
	}
	return l.inherited.ancientAt
}

// oldest is when the earliest call that may have been open at the takeover was sent.
func (l *Log) oldest() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inherited.oldest
}
