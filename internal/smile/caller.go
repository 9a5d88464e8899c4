package smile

import (
	"context"
	"sync"
)

// Place is a caller's place in a line.
type Place interface {
	// GiveUp leaves the line.
	GiveUp()
}

// Caller makes calls for one object, from one reconcile of it to the next. A call whose turn is far away fails with a
// PausedError that is Kept: the caller keeps its place, goes away, and is woken when its turn comes. Once it has had its turn,
// further calls of the same reconcile wait on the spot. A nil Caller always waits on the spot.
type Caller struct {
	wake func()

	mu       sync.Mutex
	place    Place
	hadTurn  bool
	sentAway bool
}

// NewCaller returns a caller that wake has reconciled soon. wake must not block.
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

// End is called when the reconcile ends. Done means that nothing is left to call: then a place that this reconcile has not asked
// for is given up. It reports whether the caller keeps a place.
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

// Wake has the caller's object reconciled soon.
func (c *Caller) Wake() { c.wake() }

// Place returns the caller's place in line; nil when it has none.
func (c *Caller) Place() Place {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.place
}

// Hold notes the caller's place in line; nil when it has none any more.
func (c *Caller) Hold(place Place) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.place = place
}

// SendAway notes that a call was refused because its turn is far away, and that the caller will be woken.
func (c *Caller) SendAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sentAway = true
}

// Proceed notes that the caller has its turn.
func (c *Caller) Proceed() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hadTurn = true
}

// Stays reports whether the caller waits on the spot: it has had its turn, or there is nobody to be woken.
func (c *Caller) Stays() bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hadTurn
}
