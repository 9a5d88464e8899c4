package mirror

import (
	"context"
	"crypto/sha256"
	"math"
	"time"
	"unique"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// name is what is kept of a UID or a digest: enough to tell that two are the same, in 16 bytes.
type name [16]byte

func nameOf[S ~string](text S) name {
	sum := sha256.Sum256([]byte(text))
	return name(sum[:len(name{})])
}

// Mark is what is known of the marker that a remote user carries. The zero Mark is that of a user without one.
type Mark struct{ owner, subject name }

func markOf(marker identity.Marker) Mark {
	return Mark{owner: nameOf(marker.UID), subject: nameOf(marker.Digest)}
}

// Of tells whether the user was created for the object with this UID.
func (k Mark) Of(uid types.UID) bool { return k != Mark{} && k.owner == nameOf(uid) }

// Same tells whether the user was created for this subject.
func (k Mark) Same(digest identity.Digest) bool { return k != Mark{} && k.subject == nameOf(digest) }

// person is a remote user. There may be very many, so that every byte counts.
type person struct {
	id string
	Mark
	createdAt second
	// seenAt is, in seconds since the process began, the beginning of the last listing of users, or of the call, that
	// showed the user.
	seenAt uint32
	// accountsAt and tasksAt are when the reads began that told last of all accounts, and of all tasks.
	accountsAt, tasksAt moment
	accounts            []account
	// nextOwned and nextSame lead to the other users of the same owner and the same subject.
	nextOwned, nextSame *person
}

// account is an account of a user, with what its tasks tell.
type account struct {
	id                   string
	facts                unique.Handle[facts]
	createdAt, updatedAt second
	gathered             Gathered
	// listed is false while only a task has told of the account.
	listed bool
}

// facts are what few accounts do not share with many others.
type facts struct {
	provider string
	status   smile.ConnectionStatus
	code     smile.AccountErrorCode
	monitor  smile.MonitorStatus
}

// Gathered tells of the data of an account that Smile has finished to gather. The zero Gathered is none.
type Gathered struct {
	// last is when the newest task finished, by Smile's clock.
	last second
	// Tasks is how many finished in that very second.
	Tasks int32
}

// Last is when the newest task finished, by Smile's clock.
func (g Gathered) Last() time.Time { return g.last.time() }

// add counts a task that finished.
func (g *Gathered) add(finished second) {
	switch {
	case finished > g.last:
		g.last, g.Tasks = finished, 1
	case finished == g.last:
		g.Tasks++
	}
}

// Newer tells whether this is news to whoever knows of tasks that finished at last.
func (g Gathered) Newer(last time.Time, tasks int32) bool {
	return g.last > secondOf(last) || g.last == secondOf(last) && g.Tasks > tasks
}

func (g Gathered) newest(other Gathered) Gathered {
	if other.last > g.last || other.last == g.last && other.Tasks > g.Tasks {
		return other
	}
	return g
}

// second is a point in time of Smile's clock, which tells no more than seconds: Unix time, 0 when it is not known.
type second uint32

func secondOf(at time.Time) second {
	if at.IsZero() {
		return 0
	}
	return second(min(max(at.Unix(), 0), math.MaxUint32))
}

func (s second) time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}

// people are the users that are known, found by id, owner and subject.
type people struct {
	byID           map[string]*person
	owned, subject map[name]*person
}

func newPeople() people {
	return people{byID: map[string]*person{}, owned: map[name]*person{}, subject: map[name]*person{}}
}

// get gives the entry of a user, a new one if need be.
func (p *people) get(id string) *person {
	found := p.byID[id]
	if found == nil {
		found = &person{id: id}
		p.byID[id] = found
	}
	return found
}

// mark notes the marker that a user carries.
func (p *people) mark(found *person, mark Mark) {
	if found.Mark == mark {
		return
	}
	p.unmark(found)
	found.Mark = mark
	found.nextOwned, found.nextSame = p.owned[mark.owner], p.subject[mark.subject]
	p.owned[mark.owner], p.subject[mark.subject] = found, found
}

// unmark takes back what mark noted.
func (p *people) unmark(found *person) {
	if found.Mark == (Mark{}) {
		return
	}
	unlink(p.owned, found.owner, found, func(q *person) **person { return &q.nextOwned })
	unlink(p.subject, found.subject, found, func(q *person) **person { return &q.nextSame })
	found.Mark = Mark{}
}

// retire forgets of users whom no object has all but whose they are.
func (p *people) retire(lives population) {
	for id, known := range p.byID {
		if _, alive := lives[id]; alive {
			continue
		}
		known.accounts, known.accountsAt, known.tasksAt = nil, never, never
		if known.Mark == (Mark{}) {
			delete(p.byID, id)
		}
	}
}

// unlink takes a person out of the list of those that share a name.
func unlink(index map[name]*person, of name, out *person, next func(*person) **person) {
	head := index[of]
	for at := &head; *at != nil; at = next(*at) {
		if *at == out {
			*at, *next(out) = *next(out), nil
			break
		}
	}
	if head == nil {
		delete(index, of)
	} else {
		index[of] = head
	}
}

// User is a remote user that carries a marker of ours.
type User struct {
	ID        string
	CreatedAt time.Time
}

// Add records a user that this process created or saw, and tells whether it is marked as ours.
func (m *shared) Add(remote smile.User) bool {
	return m.add(remote, m.set.now())
}

func (m *shared) add(remote smile.User, seenAt moment) bool {
	marker, ok, err := identity.ParseMarker(remote.ExternalMetadata)
	if !ok || err != nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.people.get(remote.ID)
	known.createdAt, known.seenAt = secondOf(remote.CreatedAt), max(known.seenAt, seenAt.seconds())
	delete(m.doubted, remote.ID)
	m.people.mark(known, markOf(marker))
	return true
}

// Found are the remote users of a person, the oldest first.
type Found struct {
	// Own were created for the object itself.
	Own []User
	// Same were created for the same subject, by another object.
	Same []User
}

// Find looks for the remote users of an object and its subject. It answers only from a listing that began at a time or
// later, and makes one if there is none yet: of all users, or of the newest where an earlier listing has shown all.
func (m *Mirror) Find(ctx context.Context, wanted identity.Marker, after time.Time) (Found, error) {
	m.mu.Lock()
	missing, listed := m.walks.missing(after)
	m.mu.Unlock()
	if !listed {
		if err := m.walk(ctx, missing); err != nil {
			return Found{}, err
		}
	}
	return m.find(wanted), nil
}

// Settle looks for the users of an object after a creation whose outcome is unknown: in a listing, walked twice,
// that started at settled or later and reaches back two days before the attempt. What that does not show was not
// created.
func (m *Mirror) Settle(ctx context.Context, wanted identity.Marker, attempted, settled time.Time) (Found, error) {
	since := attempted.UTC().Truncate(day).AddDate(0, 0, -2)
	if err := m.walk(ctx, clearing(since, settled)); err != nil {
		return Found{}, err
	}
	return m.find(wanted), nil
}

func (m *shared) find(wanted identity.Marker) Found {
	m.mu.Lock()
	defer m.mu.Unlock()
	mark := markOf(wanted)
	var found Found
	for p := m.people.owned[mark.owner]; p != nil; p = p.nextOwned {
		found.Own = append(found.Own, p.user())
	}
	for p := m.people.subject[mark.subject]; p != nil; p = p.nextSame {
		if p.owner != mark.owner {
			found.Same = append(found.Same, p.user())
		}
	}
	sortUsers(found.Own)
	sortUsers(found.Same)
	return found
}

// Doubted tells whether a user should be asked about, because a listing of all did not show it any more.
func (m *shared) Doubted(userID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.doubted[userID]
}

// Duplicates is how many users besides the one named were created for an object, as far as listings have shown.
func (m *shared) Duplicates(uid types.UID, userID string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	others := 0
	for p := m.people.owned[nameOf(uid)]; p != nil; p = p.nextOwned {
		if p.id != userID {
			others++
		}
	}
	return others
}

func (p *person) user() User { return User{ID: p.id, CreatedAt: p.createdAt.time()} }

// mostStrangers bounds what is remembered of users that are not ours. To forget them costs a call each.
const mostStrangers = 10_000

// Proven tells whether it is known whose a remote user is, so that nobody need ask.
func (m *shared) Proven(userID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.people.byID[userID]
	return m.strangers[userID] || known != nil && known.Mark != (Mark{})
}

// Marker gives the marker of a remote user, from memory or by one call.
func (m *Mirror) Marker(ctx context.Context, userID string) (Mark, error) {
	m.mu.Lock()
	known, stranger := m.people.byID[userID], m.strangers[userID]
	if stranger || known != nil && known.Mark != (Mark{}) {
		defer m.mu.Unlock()
		if stranger {
			return Mark{}, nil
		}
		return known.Mark, nil
	}
	m.mu.Unlock()
	remote, err := m.client.User(ctx, userID)
	if err != nil {
		return Mark{}, err
	}
	marked := m.Add(remote)
	m.mu.Lock()
	defer m.mu.Unlock()
	if marked {
		return m.people.byID[userID].Mark, nil
	}
	if len(m.strangers) >= mostStrangers {
		clear(m.strangers)
	}
	m.strangers[userID] = true
	return Mark{}, nil
}
