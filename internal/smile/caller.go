package smile

import (
	"context"
	"sync"
)

// Place is a caller's place in a queue.
type Place interface {
	// GiveUp leaves the queue.
	GiveUp()
}

// Caller makes the calls for one object, across its reconciles. A call whose turn is far away fails with a PausedError that is
// Kept: the reconcile ends, the caller keeps its place, and the object is reconciled again when the turn is near. Further calls
// of that reconcile block until they have a slot. The calls of a nil Caller always block.
type Caller struct {
	wake func()

	mu       sync.Mutex
	place    Place
	hadTurn  bool
	sentAway bool
}

// NewCaller returns a caller. wake must cause a reconcile of its object soon, and must not block.
func NewCaller(wake func()) *Caller { return &Caller{wake: wake} }

type callerKey struct{}

// WithCaller names the caller of the calls of a context.
func WithCaller(ctx context.Context, caller *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// CallerFrom returns the caller of the calls of a context; nil if none is named.
func CallerFrom(ctx context.Context) *Caller {
	caller, _ := ctx.Value(callerKey{}).(*Caller)
	return caller
}

// Begin is called when a reconcile begins.
func (c *Caller) Begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hadTurn, c.sentAway = false, false
}

// End is called when the reconcile ends. done means that no calls are left to make: then the caller gives up its place, unless
// this reconcile has requested it. End reports whether the caller keeps a place.
func (c *Caller) End(done bool) (keeps bool) {
	c.mu.Lock()
	place, keep := c.place, c.sentAway || !done
	c.mu.Unlock()
	if place == nil || keep {
		return place != nil
	}
	c.Forget()
	return false
}

// Forget gives up the caller's place, if it has one.
func (c *Caller) Forget() {
	c.mu.Lock()
	place := c.place
	c.place = nil
	c.mu.Unlock()
	if place != nil {
		place.GiveUp()
	}
}

// Wake causes a reconcile of the caller's object soon.
func (c *Caller) Wake() { c.wake() }

// Place returns the caller's place in the queue; nil if it has none.
func (c *Caller) Place() Place {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.place
}

// Hold records the caller's place in the queue; nil if it has none any more.
func (c *Caller) Hold(place Place) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.place = place
}

// SendAway records that a call was refused because its turn is far away, and that the caller will be woken.
func (c *Caller) SendAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sentAway = true
}

// Proceed records that the caller has its turn.
func (c *Caller) Proceed() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hadTurn = true
}

// Stays reports whether calls block until they have a slot: the caller has had its turn, or is nil.
func (c *Caller) Stays() bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hadTurn
}
