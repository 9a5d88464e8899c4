package mirror

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/identity"
)

// name stands for a UID or a digest: a hash, so that two can be compared and each takes 16 bytes.
type name [16]byte

func nameOf[S ~string](text S) name {
	sum := sha256.Sum256([]byte(text))
	return name(sum[:len(name{})])
}

// Mark stands for the marker that a remote user carries. The zero Mark is that of a user without a marker.
type Mark struct{ owner, subject name }

func markOf(marker identity.Marker) Mark {
	return Mark{owner: nameOf(marker.UID), subject: nameOf(marker.Digest)}
}

// Of reports whether the user was created for the object with this UID.
func (k Mark) Of(uid types.UID) bool { return k != Mark{} && k.owner == nameOf(uid) }

// Same reports whether the user was created for this subject.
func (k Mark) Same(digest identity.Digest) bool { return k != Mark{} && k.subject == nameOf(digest) }

// User is a remote user that carries a marker of ours.
type User struct {
	ID        string
	CreatedAt time.Time
}

// Found are the remote users of a person, the oldest first.
type Found struct {
	// Own were created for the object itself.
	Own []User
	// Same were created for the same subject, by another object.
	Same []User
}

// record is what is known of a remote user. There may be very many, so every byte counts.
type record struct {
	id string
	Mark
	createdAt second
	// seenAt is when the last listing of users, or the last call, that showed the user began, in seconds since the process began.
	seenAt uint32
	// accountsAt and tasksAt are when the last reads of all accounts, and of all tasks, of the user began.
	accountsAt, tasksAt moment
	accounts            []account
	// nextOwned and nextSame are the next users with the same owner and with the same subject.
	nextOwned, nextSame *record
}

func (r *record) user() User { return User{ID: r.id, CreatedAt: r.createdAt.time()} }

func accountsOf(r *record) moment { return r.accountsAt }
func tasksOf(r *record) moment    { return r.tasksAt }

// mostStrangers limits how many users that are not ours are remembered. Each that is forgotten costs a call.
const mostStrangers = 10_000

// users are the records of remote users, by id, owner and subject.
type users struct {
	byID           map[string]*record
	owned, subject map[name]*record
	// strangers are users that objects name and that carry no marker of ours. A marker can be neither added nor removed.
	strangers map[string]bool
	// doubted are users that the last listing of all users, or a call, did not show.
	doubted map[string]bool
}

func newUsers() users {
	return users{
		byID: map[string]*record{}, owned: map[name]*record{}, subject: map[name]*record{},
		strangers: map[string]bool{}, doubted: map[string]bool{},
	}
}

// get returns the record of a user, a new one if there is none.
func (u *users) get(id string) *record {
	found := u.byID[id]
	if found == nil {
		found = &record{id: id}
		u.byID[id] = found
	}
	return found
}

// mark stores the marker that a user carries.
func (u *users) mark(r *record, mark Mark) {
	if r.Mark == mark {
		return
	}
	u.unmark(r)
	r.Mark = mark
	r.nextOwned, r.nextSame = u.owned[mark.owner], u.subject[mark.subject]
	u.owned[mark.owner], u.subject[mark.subject] = r, r
}

// unmark forgets the marker of a user.
func (u *users) unmark(r *record) {
	if r.Mark == (Mark{}) {
		return
	}
	unlink(u.owned, r.owner, r, func(q *record) **record { return &q.nextOwned })
	unlink(u.subject, r.subject, r, func(q *record) **record { return &q.nextSame })
	r.Mark = Mark{}
}

// unlink removes a record from the list of those that share a name.
func unlink(index map[name]*record, of name, out *record, next func(*record) **record) {
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

// markerOf returns the marker of a user; ok is false if it is not known whether the user carries one.
func (u *users) markerOf(id string) (mark Mark, ok bool) {
	if u.strangers[id] {
		return Mark{}, true
	}
	if r := u.byID[id]; r != nil {
		return r.Mark, r.Mark != Mark{}
	}
	return Mark{}, false
}

func (u *users) addStranger(id string) {
	if len(u.strangers) >= mostStrangers {
		clear(u.strangers)
	}
	u.strangers[id] = true
}

// doubt forgets the marker of a user that was not shown, so that it is read again before anything is concluded from its absence.
func (u *users) doubt(r *record) {
	u.unmark(r)
	u.doubted[r.id] = true
}

// find returns the users with the owner or the subject of a marker.
func (u *users) find(mark Mark) Found {
	var found Found
	for r := u.owned[mark.owner]; r != nil; r = r.nextOwned {
		found.Own = append(found.Own, r.user())
	}
	for r := u.subject[mark.subject]; r != nil; r = r.nextSame {
		if r.owner != mark.owner {
			found.Same = append(found.Same, r.user())
		}
	}
	sortUsers(found.Own)
	sortUsers(found.Same)
	return found
}

func sortUsers(users []User) {
	slices.SortFunc(users, func(a, b User) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
}

// duplicated are the ids of the users whose owner has several.
func (u *users) duplicated() (ids []string) {
	for _, first := range u.owned {
		for r := first; r != nil && first.nextOwned != nil; r = r.nextOwned {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// trim drops all but the marker of the users that no object has.
func (u *users) trim(inUse population) {
	for id, r := range u.byID {
		if _, used := inUse[id]; used {
			continue
		}
		r.accounts, r.accountsAt, r.tasksAt = nil, never, never
		if r.Mark == (Mark{}) {
			delete(u.byID, id)
		}
	}
}
