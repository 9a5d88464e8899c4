package createmodel

// keepLog changes the log while no call waits for it: the leader takes it over, or writes it for other subjects.
func (s *steps) keepLog() {
	switch {
	case s.noLog || s.from.leader.older:
	case !s.from.leader.tookOver:
		s.takeOverLog()
	default:
		to := s.from
		to.writeLog()
		if to != s.from {
			s.add("the log is written for another subject", to)
		}
	}
}

// takeOverLog is the first thing that a leader does: the code of takeover.go.
func (s *steps) takeOverLog() {
	to := s.from
	p, found := &to.leader, s.from.log
	p.tookOver, p.since = true, 0
	if s.inherit && found.named {
		p.entry = note{why: taken, age: found.namedAge}
	}
	switch {
	case s.terms && found.exists && !found.current:
		p.rest = note{why: taken}
	case s.suspect && !found.exists:
		p.rest = note{why: taken}
	case s.suspect && found.unnamed:
		p.rest = note{why: taken, age: found.unnamedAge}
	}
	p.inherited = p.entry.why == taken || p.rest.why == taken
	p.listed = p.listed && !s.after
	to.writeLog()
	if !s.keep {
		to.log.named, to.log.namedAge = false, 0
	}
	if !s.keepSuspicion {
		to.log.unnamed, to.log.unnamedAge = false, 0
	}
	s.add("take over the log", to)
}

// writeLog stores what the leader has in memory.
func (s *state) writeLog() {
	p := s.leader
	s.log = creationLog{exists: true, current: true}
	if p.entry.why != noReason {
		s.log.named, s.log.namedAge = true, p.entry.age
	}
	if p.rest.why != noReason {
		s.log.unnamed, s.log.unnamedAge = true, p.rest.age
	}
}

// grow advances the time by a tick, and drops the entries whose users every later listing shows.
func (p *process) grow() {
	p.doubt = min(p.doubt+1, settled)
	if p.tookOver {
		p.since = min(p.since+1, settled)
	}
	for _, n := range []*note{&p.entry, &p.rest} {
		switch n.why {
		case ended:
			n.over++
		case noReason:
			continue
		}
		n.age = min(n.age+1, ancient)
		if n.why == ended && n.over == settled || n.why == taken && p.since == settled || n.why == open && n.age == ancient {
			*n = note{}
		}
	}
}

func (l *creationLog) grow() {
	if l.named {
		l.namedAge = min(l.namedAge+1, ancient)
	}
	if l.unnamed {
		l.unnamedAge = min(l.unnamedAge+1, ancient)
	}
}

// maySettle reports whether a listing that begins now shows all users that earlier leaders have created: the calls in the log
// ended long before, or are ancient.
func (p process) maySettle() bool {
	recent := func(n note) bool { return n.why == taken && n.age < ancient }
	return p.since == settled || !recent(p.entry) && !recent(p.rest)
}

// nameSubject names the subject in the log, or records that there is no room: the code of names.go.
func (s *steps) nameSubject(i int) {
	to := s.from
	if s.restamp || !s.from.log.named || !s.from.log.current {
		to.leader.entry = note{why: open, by: uint8(i)}
		to.writeLog()
	}
	to.leader.progress[i].at = named
	s.add("name the subject in the log", to)
	if s.full {
		crowded := s.from
		crowded.leader.rest = note{why: open, by: uint8(i)}
		crowded.writeLog()
		crowded.leader.progress[i].at = named
		s.add("the log is full", crowded)
	}
	if !s.mayFail() || s.from.trouble.losses == 2 {
		return
	}
	for _, done := range []bool{false, true} {
		lost := s.from
		lost.trouble.losses++
		if done {
			lost.log = to.log
		}
		if s.acknowledged {
			lost.unsent(i)
		} else {
			lost.leader.entry = note{why: open, by: uint8(i)}
			lost.leader.progress[i].at = named
		}
		s.fail("name the subject in the log, and do not hear of it", lost)
	}
}

// callOver records that the call for an object has ended, and drops it if it has certainly created no user.
func (p *process) callOver(i int, dropped bool) {
	for _, n := range []*note{&p.entry, &p.rest} {
		switch {
		case n.why != open || n.by != uint8(i):
		case dropped && n == &p.entry:
			*n = note{}
		default:
			n.why, n.over = ended, 0
		}
	}
}
