package creation

import "time"

const (
	// remembered is how long the outcome of a call is remembered for other API accounts: longer than the longest interval
	// between two listings of the users of an account.
	remembered = 25 * time.Hour
	// pruneInterval is how often older outcomes are dropped.
	pruneInterval = time.Hour
)

// outcome is the last call for a subject that may have created a user.
type outcome struct {
	// account that the call was made with.
	account string
	// at is when it ended.
	at time.Time
}

// outcomes are the calls of this process that may have created users. Another account of the same tenant needs them, for example
// after a rotation of keys: its first listing may be too early to show the users that were created before.
type outcomes struct {
	of     map[subject]outcome
	pruned time.Time
}

func newOutcomes() outcomes { return outcomes{of: map[subject]outcome{}} }

func (o *outcomes) add(of subject, last outcome) {
	o.of[of] = last
	if last.at.Sub(o.pruned) < pruneInterval {
		return
	}
	o.pruned = last.at
	for each, earlier := range o.of {
		if last.at.Sub(earlier.at) > remembered {
			delete(o.of, each)
		}
	}
}
