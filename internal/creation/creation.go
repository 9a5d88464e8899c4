// Package creation creates users at Smile, each exactly once. The API has no idempotency key and no deletion, so the order of the
// steps is essential:
//
//   - no user is created before a listing has shown that it does not exist (mirror);
//   - the caller stores an intent, over exactly what it has read;
//   - the creation log names the subject, for the next leader (log.go);
//   - the call is sent only while this process is certainly the leader and owns the log;
//   - the outcome of a call is never guessed: if it is unknown, nothing is sent until a listing that is late enough has shown the
//     user or its absence.
//
// It is keyed by the digest of a subject and knows no custom resource. It writes no object except the log.
package creation

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/connection"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

var (
	errReserved = problem.NewWaiting(v1alpha1.ReasonProgressing,
		"the same subject is being created for another object").After(5 * time.Second)
	errInherited = problem.NewWaiting(v1alpha1.ReasonProgressing,
		"the previous leader may have created this user: waiting for a listing at Smile that shows it")
	errElsewhere = problem.NewWaiting(v1alpha1.ReasonProgressing,
		"this user may just have been created with another API key: waiting for a listing at Smile that shows it")
)

// Config is what a Protocol needs.
type Config struct {
	// Mirrors of the remote side.
	Mirrors *mirror.Set
	// Log of what may be open.
	Log *Log
	// Clock of everything.
	Clock clock.PassiveClock
}

// Protocol creates users. It is safe for concurrent use.
type Protocol struct {
	Config

	memory memory

	mu sync.Mutex
	// settled is a time for each API account: a listing that began then or later was read, to find what former leaders or other
	// accounts may have created.
	settled map[string]time.Time
}

// New returns a protocol that has created no user yet.
func New(config Config) *Protocol {
	return &Protocol{Config: config, memory: newMemory(), settled: map[string]time.Time{}}
}

// Intent is an attempt to create a user, as a caller stores it.
type Intent struct {
	// ID of the attempt.
	ID string
	// StartedAt is a time shortly before the call may be sent.
	StartedAt time.Time
}

// Request is a request for a user. One owner makes one request at a time.
type Request struct {
	// Conn to create with.
	Conn *connection.Connection
	// Name of the owner, as it is passed to Forget.
	Name types.NamespacedName
	// Marker of the user: the owner's UID and the digest of the subject.
	Marker identity.Marker
	// Apart means that users of the same subject with other owners do not belong to this owner.
	Apart bool
	// Metadata of the user besides the marker.
	Metadata map[string]string
	// Refused is why no user may be created; nil if one may. An existing user is attached all the same.
	Refused error

	// Intent that is stored; nil if there is none. The protocol changes it, and afterwards the caller must store the result.
	Intent *Intent
	// StoreIntent stores Intent. It fails unless the object that it is stored in is exactly as the caller has read it.
	StoreIntent func(context.Context) error
	// Attach takes one of the users that were found, and reports whether it did.
	Attach func(context.Context, mirror.Found) (bool, error)
	// Claim takes a user that was just created, before another caller can find it.
	Claim func(userID string)
}

// Forget drops what the process remembers of an owner that was deleted. An open call for its subject stays open.
func (p *Protocol) Forget(name types.NamespacedName) { p.memory.forget(name) }

// LastSent is when this process may last have sent a call that creates a user; zero if it never did.
func (p *Protocol) LastSent() time.Time { return p.memory.lastSent() }

// Ensure attaches a user that exists, or creates one. created reports which.
func (p *Protocol) Ensure(ctx context.Context, r *Request) (user smile.CreatedUser, created bool, err error) {
	if err := p.Log.TakeOver(ctx); err != nil {
		return user, false, err
	}
	c := p.creation(r)
	steps := []func(context.Context) (bool, error){c.find, c.settleOwn, c.settleInherited, c.reserve, c.settleElsewhere}
	for _, step := range steps {
		if attached, err := step(ctx); attached || err != nil {
			return user, false, err
		}
	}
	user, err = c.create(ctx)
	return user, err == nil, err
}

// Settle finds the outcome of an attempt if that is unknown. It attaches the user that the attempt has created, and reports
// whether there is one.
func (p *Protocol) Settle(ctx context.Context, r *Request) (attached bool, err error) {
	if err := p.Log.TakeOver(ctx); err != nil {
		return false, err
	}
	return p.creation(r).settleOwn(ctx)
}

// creation is one request being served.
type creation struct {
	*Protocol
	*Request

	mirror  *mirror.Mirror
	subject subject
}

func (p *Protocol) creation(r *Request) *creation {
	key := string(r.Marker.Digest)
	if r.Apart {
		key += "." + string(r.Marker.UID)
	}
	return &creation{
		Protocol: p, Request: r, mirror: p.Mirrors.For(r.Conn),
		subject: subjectOf(key),
	}
}

// find searches the mirror for the user. The mirror must contain a listing that began after the takeover.
func (c *creation) find(ctx context.Context) (attached bool, err error) {
	found, err := c.mirror.Find(ctx, c.Marker, c.Log.since())
	if err != nil {
		return false, err
	}
	return c.attach(ctx, found)
}

func (c *creation) attach(ctx context.Context, found mirror.Found) (bool, error) {
	attached, err := c.Attach(ctx, found)
	if attached && err == nil {
		c.over(c.Log.created) // another listing may not show the user yet
	}
	return attached, err
}

// over records that the outcomes of all attempts for the owner are known. ended is called with the call that was open.
func (c *creation) over(ended func(*call)) {
	if open := c.memory.end(c.Request); open != nil {
		ended(open)
	}
	c.free()
	c.Intent = nil
}

func (c *creation) free() { c.memory.free(c.subject, c.Marker.UID) }

// create stores the intent, names the subject in the log, and sends the call.
func (c *creation) create(ctx context.Context) (smile.CreatedUser, error) {
	if err := c.intend(ctx); err != nil {
		c.free()
		return smile.CreatedUser{}, err
	}
	named, err := c.Log.name(ctx, c.subject)
	if err != nil {
		return smile.CreatedUser{}, c.notCreated(err)
	}
	c.memory.sending(c.Request, named, c.Clock.Now())
	created, err := c.Conn.CreateUser(ctx, c.metadata(), func() error { return c.mayBeSent(named) })
	switch {
	case err == nil:
		c.keep(named, created)
		return created, nil
	case smile.NotCreated(err):
		c.Log.drop(named)
		return created, c.notCreated(err)
	default:
		c.memory.sending(c.Request, named, c.Clock.Now())
		c.memory.renew(c.subject, c.Marker.UID, c.Clock.Now())
		c.memory.created(c.subject, c.Conn.Account(), c.Clock.Now())
		c.Log.unknown(named)
		c.mirror.SuspectDuplicate()
		return created, connection.ErrOutcomeUnknown.After(smile.ListingLag).Because(err)
	}
}

// intend stores the intent when the turn of the call is near. Before that, neither intent nor log is written. A refusal is
// returned last, when no user of the subject was found and no attempt may have created one.
func (c *creation) intend(ctx context.Context) error {
	if c.Refused != nil {
		return c.Refused
	}
	if err := c.Conn.TurnToCreate(ctx); err != nil {
		return err
	}
	return c.storeIntent(ctx)
}

// notCreated records that the attempt has certainly created no user. A process that ends removes its intent, because the next
// process could not know that.
func (c *creation) notCreated(err error) error {
	c.memory.notCreated(c.Request)
	c.free()
	if errors.Is(err, context.Canceled) {
		c.Intent = nil
	}
	return err
}

// keep records a user that was created, before another owner may create the subject.
func (c *creation) keep(named *call, created smile.CreatedUser) {
	c.memory.sending(c.Request, named, c.Clock.Now())
	marked := created.User // whether or not the response contains its marker
	marked.ExternalMetadata = map[string]string{v1alpha1.MetadataOwner: c.Marker.String()}
	c.mirror.Add(marked)
	c.Claim(marked.ID)
	c.memory.created(c.subject, c.Conn.Account(), c.Clock.Now())
	c.over(c.Log.created)
}

// mayBeSent is checked when the call has its turn. That may be long after the subject was reserved: by then another owner of the
// same subject may have settled the reservation and taken the subject.
func (c *creation) mayBeSent(named *call) error {
	if !c.memory.renew(c.subject, c.Marker.UID, c.Clock.Now()) {
		return errReserved
	}
	return c.Log.permits(named)
}

// storeIntent stores the intent to create a user. It does so again after an attempt that certainly created nothing, because the
// time of the intent must show when the call may have been sent.
func (c *creation) storeIntent(ctx context.Context) error {
	now := c.Clock.Now()
	if c.Intent == nil {
		c.Intent = &Intent{ID: string(uuid.NewUUID()), StartedAt: now}
	}
	if now.Sub(c.Intent.StartedAt).Abs() > freshness {
		c.Intent = &Intent{ID: c.Intent.ID, StartedAt: now}
	}
	if err := c.StoreIntent(ctx); err != nil {
		return c.notCreated(err) // it may be stored all the same, now or with the caller's other changes
	}
	return nil
}

func (c *creation) metadata() map[string]string {
	pairs := map[string]string{}
	for key, value := range c.Metadata {
		pairs[key] = value
	}
	pairs[v1alpha1.MetadataOwner] = c.Marker.String()
	return pairs
}
