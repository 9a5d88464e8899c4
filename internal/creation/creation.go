// Package creation creates users at Smile, each once. The API knows neither an idempotency key nor a deletion, so the order of the
// steps is everything:
//
//   - nobody is created before a listing has shown that the person is not there (mirror);
//   - the caller stores an intent, over exactly what it has read;
//   - the creation log names the subject, for the next leader (log.go);
//   - the call is sent only while this process is surely the leader, and the log its own;
//   - what became of a call is never guessed: after an unknown outcome nothing is sent until a listing that is late enough has shown
//     the user or its absence.
//
// It is keyed by the digest of a subject and knows no custom resource. It writes no object but the log.
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
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/mirror"
	"github.com/smile-operator/smile-operator/internal/smile"
)

var (
	errUnknown = engine.NewNotReady(v1alpha1.ReasonCreateOutcomeUnknown,
		"a call that creates was interrupted and may have succeeded: waiting for a listing at Smile that shows it; nothing is created meanwhile")
	errReserved = engine.NewWaiting(v1alpha1.ReasonProgressing,
		"the same subject is being created for another object").After(5 * time.Second)
	errInherited = engine.NewWaiting(v1alpha1.ReasonProgressing,
		"the previous leader may have created this user: waiting for a listing at Smile that shows it")
)

// Config is what a Protocol needs.
type Config struct {
	// Mirrors of the remote side.
	Mirrors *mirror.Set
	// Log of what may be open.
	Log *Log
	// Fence refuses calls once this process may no longer be the leader.
	Fence func() error
	// Clock of everything.
	Clock clock.PassiveClock
}

// Protocol creates users. It is safe for concurrent use.
type Protocol struct {
	Config

	memory memory

	mu sync.Mutex
	// settled is, for each API account, when the listing had to begin that last settled what former leaders may have created.
	settled map[string]time.Time
}

// New returns a protocol that has created nobody yet.
func New(config Config) *Protocol {
	return &Protocol{Config: config, memory: newMemory(), settled: map[string]time.Time{}}
}

// Intent is an attempt to create a user, as a caller stores it.
type Intent struct {
	// ID of the attempt.
	ID string
	// StartedAt is shortly before the call may be sent.
	StartedAt time.Time
}

// Request asks for a user. One owner makes one request at a time.
type Request struct {
	// Conn to create with.
	Conn *connection.Connection
	// Name of the owner, which Forget is told.
	Name types.NamespacedName
	// Marker that the user is to carry: the owner's UID and the digest of the subject.
	Marker identity.Marker
	// Apart says that users of the same subject that others own are none of this owner's.
	Apart bool
	// Metadata that the user is to carry beside the marker.
	Metadata map[string]string
	// Refused is why nobody may be created; nil when somebody may. A user who exists is attached all the same.
	Refused error

	// Intent that is stored; nil when there is none. It is changed, and afterwards the caller has to store it as it is then.
	Intent *Intent
	// StoreIntent stores Intent, and fails unless what it is stored in is exactly as the caller has read it.
	StoreIntent func(context.Context) error
	// Attach takes one of the users that were found, and reports whether it did.
	Attach func(context.Context, mirror.Found) (bool, error)
	// Claim takes a user that was just created, before anybody else can find it.
	Claim func(userID string)
}

// Forget is told that an owner is gone. What is open for its subject stays so.
func (p *Protocol) Forget(name types.NamespacedName) { p.memory.forget(name) }

// LastSent is when this process may last have sent a call that creates a user; zero when it never did.
func (p *Protocol) LastSent() time.Time { return p.memory.lastSent() }

// Ensure attaches a user that exists, or creates one; created is false when it was attached.
func (p *Protocol) Ensure(ctx context.Context, r *Request) (user smile.CreatedUser, created bool, err error) {
	if err := p.Log.TakeOver(ctx); err != nil {
		return user, false, err
	}
	c := p.creation(r)
	for _, step := range []func(context.Context) (bool, error){c.find, c.settle, c.succeed, c.reserve} {
		if attached, err := step(ctx); attached || err != nil {
			return user, false, err
		}
	}
	user, err = c.create(ctx)
	return user, err == nil, err
}

// Settle finds out what became of an attempt whose outcome is unknown, if there is one, and attaches the user that it has created.
func (p *Protocol) Settle(ctx context.Context, r *Request) error {
	if err := p.Log.TakeOver(ctx); err != nil {
		return err
	}
	_, err := p.creation(r).settle(ctx)
	return err
}

// creation is one request being served.
type creation struct {
	*Protocol
	*Request

	known   *mirror.Mirror
	slot    slot
	subject subject
}

func (p *Protocol) creation(r *Request) *creation {
	key := string(r.Marker.Digest)
	if r.Apart {
		key += "." + string(r.Marker.UID)
	}
	return &creation{
		Protocol: p, Request: r, known: p.Mirrors.For(r.Conn),
		slot: slot{r.Conn.Account(), key}, subject: subjectOf(key),
	}
}

// find looks for the user in memory, which a listing has filled that began after the takeover.
func (c *creation) find(ctx context.Context) (attached bool, err error) {
	found, err := c.known.Find(ctx, c.Conn.Client, c.Marker, c.Log.since())
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

// over takes note that it is known what became of everything that was tried for the owner. ended is told the call that was open.
func (c *creation) over(ended func(*call)) {
	if open := c.memory.settled(c.Request); open != nil {
		ended(open)
	}
	c.free()
	c.Intent = nil
}

func (c *creation) free() { c.memory.free(c.slot, c.Marker.UID) }

// create stores the intent, has the log name the subject, and sends the call.
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
	created, err := c.Conn.CreateUser(smile.WithFence(ctx, func() error { return c.fence(named) }), c.metadata())
	switch {
	case err == nil:
		c.keep(named, created)
		return created, nil
	case smile.NotCreated(err):
		c.Log.drop(named)
		return created, c.notCreated(err)
	default:
		c.memory.sending(c.Request, named, c.Clock.Now())
		c.memory.renew(c.slot, c.Marker.UID, c.Clock.Now())
		c.Log.unknown(named)
		c.known.Suspect()
		return created, errUnknown.After(settleTime).Because(err)
	}
}

// intend stores the intent, once the call is about to have its turn: while others go first, nothing is written, and the log names
// nobody. That nobody may be created is said last, when no user was found that exists under the subject or may exist after an attempt.
func (c *creation) intend(ctx context.Context) error {
	if c.Refused != nil {
		return c.Refused
	}
	if err := c.Conn.TurnToCreate(ctx); err != nil {
		return err
	}
	return c.storeIntent(ctx)
}

// notCreated takes note that the attempt has certainly created nobody. A process that ends does not leave an intent of which the
// next one could not know that.
func (c *creation) notCreated(err error) error {
	c.memory.notCreated(c.Request)
	c.free()
	if errors.Is(err, context.Canceled) {
		c.Intent = nil
	}
	return err
}

// keep takes note of a user that was created, before anybody else may create the subject.
func (c *creation) keep(named *call, created smile.CreatedUser) {
	c.memory.sending(c.Request, named, c.Clock.Now())
	marked := created.User // whether or not the answer told its marker
	marked.ExternalMetadata = map[string]string{v1alpha1.MetadataOwner: c.Marker.String()}
	c.known.Add(marked)
	c.Claim(marked.ID)
	c.over(c.Log.created)
}

// fence is asked when the call has its turn, which may be long after the subject was reserved: by then another owner of the same
// subject may have found that nothing came of the reservation, and taken it.
func (c *creation) fence(named *call) error {
	if err := c.Fence(); err != nil {
		return err
	}
	if !c.memory.renew(c.slot, c.Marker.UID, c.Clock.Now()) {
		return errReserved
	}
	return c.Log.permits(named)
}

// storeIntent stores that the owner is about to be created, or again after an attempt that is known to have created nothing. When
// it was stored says when the call may have been sent.
func (c *creation) storeIntent(ctx context.Context) error {
	now := c.Clock.Now()
	if c.Intent == nil {
		c.Intent = &Intent{ID: string(uuid.NewUUID()), StartedAt: now}
	}
	if now.Sub(c.Intent.StartedAt).Abs() > freshness {
		c.Intent = &Intent{ID: c.Intent.ID, StartedAt: now}
	}
	return c.StoreIntent(ctx)
}

func (c *creation) metadata() map[string]string {
	pairs := map[string]string{}
	for key, value := range c.Metadata {
		pairs[key] = value
	}
	pairs[v1alpha1.MetadataOwner] = c.Marker.String()
	return pairs
}
