package createmodel

// twins is how many objects there may be, each created and deleted once. Both have the same subject: two objects at the same
// time, or one that is deleted and re-created with the same name.
const twins = 2

// Time is counted in ticks. A call that was sent has ended before the next tick, and a lease that is not renewed has expired by
// then. A listing shows a user at most two ticks after its creation; that is the listing lag.
const (
	settled = 2
	// ancient is how old the record of another process must be, so that any listing shows the outcome.
	ancient = 4
)

// state is the whole state of the world. It is compared and used as a key, so it contains no pointers.
type state struct {
	objects [twins]object
	leader  process
	lease   lease
	log     creationLog
	// quiet is for how many ticks no earlier leader can have sent anything. A former version reads this from the lease.
	quiet uint8
	// user is the user at Smile. If there would be a second, the search ends.
	user user
	// wire holds the calls in transit whose sender has ended.
	wire [twins]bool
	// late are calls of a stopped leader that are not sent yet: before the fence or past it. Only the end of the process stops
	// the latter.
	late [twins]phase
	// trouble is the number of faults so far.
	trouble trouble
}

// creationLog is the log as the API server has it. There is one entry, because there is one subject.
type creationLog struct {
	// exists is false if the log was deleted or cannot be read.
	exists bool
	// current is whether its term is that of the last leader. It is false if a leader without a log came after.
	current bool
	// named is whether it names the subject. unnamed is whether it says that there are calls that it does not name.
	named, unnamed bool
	// namedAge and unnamedAge are the recorded ages of these calls, up to ancient.
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
	// attempt in the status; 0 is none. used is how many there were. age is how long ago the attempt was last stored, up to
	// ancient.
	attempt, used, age uint8
	// known is whether the status contains the user's id.
	known bool
}

type user struct {
	// owner is 1 + the object whose marker the user has; 0 if there is no user.
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
	// older is whether it runs a former version, which has no log.
	older bool
	// listed is whether it has a listing that can show that the user does not exist. knows is whether the user is in its memory.
	listed, knows bool
	// doubt is, for a former version, the ticks since an earlier process may have sent something; from settled on, there is no
	// doubt.
	doubt uint8
	// cleared is whether a listing was made that shows everything that earlier leaders have created.
	cleared bool
	// tookOver is whether it has taken over the log. since is for how many ticks.
	tookOver bool
	since    uint8
	// inherited is whether earlier leaders may have sent a call for the subject.
	inherited bool
	// entry is why the log must name the subject. rest is why it must say that there are calls that it does not name.
	entry, rest note
	// reserved is 1 + the object that the subject is reserved for. reservedFor is for how many ticks.
	reserved, reservedFor uint8
	memory                [twins]memory
	progress              [twins]progress
	// behind is whether its cache does not show yet the attempt, or the user's id, that an earlier process has written.
	behind [twins]bool
}

// note is why the log must contain something.
type note struct {
	why why
	// by is the object whose call it is.
	by uint8
	// age is the recorded age of the call, up to ancient.
	age uint8
	// over is for how many ticks the call has ended.
	over uint8
}

type why uint8

const (
	noReason why = iota
	// open: a call of this process whose outcome is not known.
	open
	// ended: a call of this process that has ended, and may have created the user.
	ended
	// taken: the process before has left it.
	taken
)

// memory is what a process remembers of the attempt of an object.
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
	// searched: it has found no user and no open attempt.
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
