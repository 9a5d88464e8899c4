package createmodel

// twins is how many objects there may be, each declared and deleted once. Both have the same subject: they are two
// declared at a time, or one that is deleted and declared again under the same name.
const twins = 2

// Time is counted in ticks. A call that was sent is over before the next tick, and a lease that is not renewed has
// expired by then; a listing shows a user two ticks after its creation at the latest, which is the settle time.
const (
	settled = 2
	// old is how many ticks before a leader took over an object must have been declared, for the leader to be sure
	// that nothing for its subject was sent later than a settle time ago.
	old = 3
)

// state is everything. It is compared and used as a key, so it holds no pointers.
type state struct {
	objects [twins]object
	leader  process
	lease   lease
	// quiet is for how many ticks no leader before the present one can have sent anything.
	quiet uint8
	// user is the one at Smile; there is never a second, or the search ends.
	user user
	// wire are calls on their way whose sender is gone.
	wire [twins]bool
	// late are calls of a stopped leader that are not sent yet: before the fence or past it. Nothing but the end of their
	// process stops the latter.
	late [twins]phase
	// trouble that there was.
	trouble trouble
}

type trouble struct {
	crashes, stops, exits, losses, refusals, rollbacks uint8
}

func (t trouble) total() uint8 {
	return t.crashes + t.stops + t.exits + t.losses + t.refusals + t.rollbacks
}

type life uint8

const (
	undeclared life = iota
	live
	deleted
)

// object is a SmileUser as the API server has it.
type object struct {
	life life
	// age in ticks, up to old.
	age uint8
	// attempt in the status; 0 is none. used is how many there were.
	attempt, used uint8
	// known is whether the status has the user's id.
	known bool
	// settledAtStart is whether it was old when the present leader took over.
	settledAtStart bool
}

type user struct {
	// owner is 1 + the object whose mark it carries; 0 when there is no user.
	owner uint8
	age   uint8
	// listed is whether listings show it.
	listed bool
}

type lease uint8

const (
	free lease = iota
	held
	expired
)

type process struct {
	alive, stopped bool
	// listed is whether it has listed the users, and knows whether the user is in its memory.
	listed, knows bool
	// doubt is the number of ticks since one before it may have sent something; settled and more is none.
	doubt uint8
	// cleared is whether a listing was made that started when there was no doubt any more.
	cleared bool
	// reserved is 1 + the object for which the subject is reserved, and since how many ticks.
	reserved, reservedFor uint8
	memory                [twins]memory
	passes                [twins]pass
	// behind is whether its cache does not show the attempt, or the user's id, that a process before it has written.
	behind [twins]bool
}

// memory is what a process knows of the attempt of an object.
type memory struct {
	outcome outcome
	attempt uint8
	seenFor uint8
}

type outcome uint8

const (
	nothing outcome = iota
	unknown
	unsent
)

// pass is a reconciliation of an object, as far as it has come.
type pass struct {
	at phase
	// stale is whether the object was changed after the pass has read it.
	stale bool
	// fresh is whether the pass will write a new attempt, not the one that is there.
	fresh bool
	// waited is whether a tick has passed while the call waited for its turn.
	waited bool
}

type phase uint8

const (
	idle phase = iota
	// looked: it has found no user, and that nothing is open.
	looked
	// reserved: the subject is the object's.
	reserved
	// intended: the attempt is in the status, and the call waits for its turn.
	intended
	// fenced: the fence has let the call pass.
	fenced
	// sent: the call is at Smile.
	sent
	// created and refused: the answer is on its way.
	created
	refused
	// answered: the answer has come, and is not in memory yet.
	answered
	// kept: the user is in memory, and not in the status yet.
	kept
)
