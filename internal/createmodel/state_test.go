package createmodel

// twins is how many objects there may be, each declared and deleted once. Both have the same subject: they are two
// declared at a time, or one that is deleted and declared again under the same name.
const twins = 2

// Time is counted in ticks. A call that was sent is over before the next tick, and a lease that is not renewed has
// expired by then; a listing shows a user two ticks after its creation at the latest, which is the settle time.
const (
	settled = 2
	// ancient is how old what another process has recorded must be, to be settled by the next listing.
	ancient = 4
)

// state is everything. It is compared and used as a key, so it holds no pointers.
type state struct {
	objects [twins]object
	leader  process
	lease   lease
	log     creationLog
	// quiet is for how many ticks no leader before the present one can have sent anything, as the lease tells a former version.
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

// creationLog is the log as the API server has it. Of one subject there is one entry.
type creationLog struct {
	// exists is false when it was deleted, or cannot be read.
	exists bool
	// current is whether its term is that of the last leader: false when one led since that keeps no log.
	current bool
	// named is whether the subject is in it, and unnamed whether it says that there are calls that are not.
	named, unnamed bool
	// namedAge and unnamedAge are how long ago what they tell of was sent, as far as is recorded, up to ancient.
	namedAge, unnamedAge uint8
}

type trouble struct {
	crashes, stops, exits, losses, refusals, rollbacks, erasures uint8
}

func (t trouble) total() uint8 {
	return t.crashes + t.stops + t.exits + t.losses + t.refusals + t.rollbacks + t.erasures
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
	// attempt in the status; 0 is none. used is how many there were, and age how long ago the attempt was stored last, up to ancient.
	attempt, used, age uint8
	// known is whether the status has the user's id.
	known bool
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
	// older is whether it is of a former version, which keeps no log.
	older bool
	// listed is whether it has a listing from which it may conclude that nobody exists, and knows whether the user is in its memory.
	listed, knows bool
	// doubt is, for a former version, the number of ticks since one before it may have sent something; settled and more is none.
	doubt uint8
	// cleared is whether a listing was made that shows all that leaders before it have created.
	cleared bool
	// tookOver is whether the log is its own, and since for how many ticks.
	tookOver bool
	since    uint8
	// inherited is whether leaders before it may have sent a call for the subject.
	inherited bool
	// entry is what the process has in memory for the log to hold of the subject, and rest of calls that it cannot name.
	entry, rest note
	// reserved is 1 + the object for which the subject is reserved, and since how many ticks.
	reserved, reservedFor uint8
	memory                [twins]memory
	progress              [twins]progress
	// behind is whether its cache does not show the attempt, or the user's id, that a process before it has written.
	behind [twins]bool
}

// note is why the log has to hold something.
type note struct {
	why why
	// by is the object whose call it is.
	by uint8
	// age is how long ago what it tells of was sent, as far as is recorded, up to ancient.
	age uint8
	// over is for how many ticks the call has been over.
	over uint8
}

type why uint8

const (
	noReason why = iota
	// open: a call of this process, whose outcome is not known.
	open
	// ended: a call of this process that is over, and may have created somebody.
	ended
	// taken: what the process before has left.
	taken
)

// memory is what a process knows of the attempt of an object.
type memory struct {
	outcome outcome
	attempt uint8
	seenFor uint8
	// foreign is whether another process has made the attempt.
	foreign bool
}

type outcome uint8

const (
	nothing outcome = iota
	unknown
	unsent
)

// progress is how far the reconcile of an object has come.
type progress struct {
	at phase
	// stale is whether the object was changed after the reconcile read it.
	stale bool
	// fresh is whether the reconcile will write a new attempt, not the one that is there.
	fresh bool
	// waited is whether a tick has passed while the call waited for its turn.
	waited bool
}

type phase uint8

const (
	idle phase = iota
	// searched: it has found no user, and that nothing is open.
	searched
	// reserved: the subject is the object's.
	reserved
	// intended: the attempt is in the status.
	intended
	// named: the log names the subject, and the call waits for its turn.
	named
	// fenced: the fence permitted the call.
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
