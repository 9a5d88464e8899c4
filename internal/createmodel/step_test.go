package createmodel

// protocol is the set of rules that are kept, and of faults that occur. The zero value breaks every rule.
type protocol struct {
	// lock: an intent is not written over an object that was changed since it was read.
	lock bool
	// wait: nothing is sent while the outcome of an attempt is unknown.
	wait bool
	// renew: an attempt that is sent again is stored again with the time.
	renew bool
	// fence: a call is sent only by a process whose lease is fresh.
	fence bool
	// reserve: of two objects with one subject, one creates at a time.
	reserve bool
	// keepFirst: a user is in memory before its subject is free again.
	keepFirst bool
	// searchAgain: memory is searched again after the subject was reserved.
	searchAgain bool
	// remember: an attempt of this process stays open even if the status has lost it.
	remember bool
	logRules
	// noLog: there is no creation log.
	noLog bool

	// sameName: the second object is the first one declared again, so that it exists only after the other; else they
	// have different names and name the same subject.
	sameName bool
	// single: there is one object, which is not deleted.
	single bool
	// late: a leader that was stopped between fence and sending sends when it is woken.
	late bool
	// rollback: the status of an object may be rolled back; rollbackLog: the log may be rolled back with it.
	rollback, rollbackLog bool
	// erase: the log may be deleted.
	erase bool
	// full: the log may have no room for a name.
	full bool
	// older: a former version, which keeps no log, may lead in between.
	older bool
	// most is the largest number of faults.
	most uint8
}

// logRules are the rules of the creation log.
type logRules struct {
	// takeOver: no user is created before the log is taken over.
	takeOver bool
	// inherit: the next leader waits for what the log names.
	inherit bool
	// keep: a leader writes what it has inherited into the log of its own.
	keep bool
	// suspect: a leader delays all subjects if the log is missing, or records that it does not name all calls.
	suspect bool
	// terms: it also does so if another process led since the log was written.
	terms bool
	// keepSuspicion: the log records that, so that the next leader does so too.
	keepSuspicion bool
	// after: a listing from before the takeover does not count.
	after bool
	// again: what was inherited is settled by a listing, not by time alone.
	again bool
	// name: a call is sent only when the log names it.
	name bool
	// acknowledged: a write of the log that failed counts as not stored.
	acknowledged bool
	// restamp: each call is named again, with its own time.
	restamp bool
	// lag: a name stays for the settle time after the user was created.
	lag bool
	// keepUnknown: a name stays while the outcome is unknown.
	keepUnknown bool
	// keepDeleted: a name stays when the object is deleted.
	keepDeleted bool
}

// move is a state that can follow.
type move struct {
	to   state
	what string
	// bad is true for faults and for actions of people. Without such moves, every state must lead to a final state.
	bad bool
	// twice is whether a second user was created.
	twice bool
}

// steps collects what can follow a state.
type steps struct {
	protocol
	from  state
	moves []move
}

func (s *steps) add(what string, to state) { s.moves = append(s.moves, move{to: to, what: what}) }
func (s *steps) fail(what string, to state) {
	s.moves = append(s.moves, move{to: to, what: what, bad: true})
}

// next returns all states that can follow a state.
func (p protocol) next(from state) []move {
	s := &steps{protocol: p, from: from}
	s.people()
	s.world()
	for i := range twins {
		if s.from.leader.alive {
			s.smile(i)
		}
		if s.leads() {
			s.reconcile(i)
		}
	}
	if s.leads() {
		s.keepLog()
	}
	s.tick()
	s.processes()
	return s.moves
}

func (s *steps) leads() bool {
	return s.from.leader.alive && !s.from.leader.stopped && s.from.lease == held
}

// people create and delete objects.
func (s *steps) people() {
	for i := range twins {
		to := s.from
		switch s.from.objects[i].life {
		case undeclared:
			if i > 0 && (s.single || s.from.objects[i-1].life == undeclared || s.sameName && s.from.objects[i-1].life == live) {
				continue // the other way round is the same
			}
			to.objects[i] = object{life: live}
			s.fail("declare", to)
		case live:
			if s.single {
				continue
			}
			to.objects[i] = object{life: deleted}
			to.touch(i)
			to.leader.memory[i] = memory{} // Gone
			to.leader.behind[i] = false
			if !s.keepDeleted && to.leader.entry.why != taken {
				to.leader.entry = note{}
			}
			s.fail("delete", to)
		}
	}
}

// touch marks an object as changed since its reconcile read it.
func (s *state) touch(i int) {
	if s.leader.progress[i].at != idle {
		s.leader.progress[i].stale = true
	}
}

// world is what happens at Smile and in the API server.
func (s *steps) world() {
	if s.from.user.owner != 0 && !s.from.user.listed {
		to := s.from
		to.user.listed = true
		s.add("listings show the user", to)
	}
	if s.erase && s.from.log.exists && s.mayFail() && s.from.trouble.erasures == 0 {
		to := s.from
		to.log = creationLog{}
		to.trouble.erasures++
		s.fail("the log is deleted", to)
	}
	for i := range twins {
		if s.from.leader.behind[i] {
			to := s.from
			to.leader.behind[i] = false
			s.add("the cache catches up", to)
		}
		if s.from.wire[i] {
			to := s.from
			to.wire[i] = false
			s.add("a call on its way is lost", to)
			s.commit("a call on its way makes a user", to, i)
		}
		if past := s.from.late[i]; past == fenced && s.late || past == named && !s.fence {
			to := s.from
			to.late[i], to.wire[i] = idle, true
			s.fail("the stopped leader sends", to)
		}
		s.restore(i)
	}
}

// commit creates a user.
func (s *steps) commit(what string, to state, i int) {
	twice := to.user.owner != 0
	if !twice {
		to.user = user{owner: uint8(i + 1)}
	}
	s.moves = append(s.moves, move{to: to, what: what, twice: twice})
}

// restore sets the status of an object back: to none, or to its last attempt. With a backup of everything, the log is set back,
// too.
func (s *steps) restore(i int) {
	o := s.from.objects[i]
	if !s.rollback || !s.mayFail() || s.from.trouble.rollbacks > 0 || o.life != live {
		return
	}
	for _, attempt := range []uint8{0, o.used} {
		if o.attempt == attempt && !o.known {
			continue
		}
		to := s.from
		to.objects[i].attempt, to.objects[i].known, to.objects[i].age = attempt, false, 0
		if attempt != 0 {
			to.objects[i].age = ancient
		}
		to.touch(i)
		to.trouble.rollbacks++
		if s.rollbackLog {
			to.log = creationLog{exists: to.log.exists, current: to.log.current}
		}
		s.fail("the status is what it was before", to)
	}
}

func (s *steps) mayFail() bool { return s.from.trouble.total() < s.most }

// tick advances the time, once everything that takes less time has ended.
func (s *steps) tick() {
	to := s.from
	running := to.leader.alive && !to.leader.stopped
	for i := range twins {
		p := &to.leader.progress[i]
		switch {
		case to.wire[i], p.at == sent:
			return
		case running && (p.at == intended || p.at == named) && !p.waited:
			p.waited = true
		case running && p.at != idle:
			return
		}
		if to.objects[i].attempt != 0 {
			to.objects[i].age = min(to.objects[i].age+1, ancient)
		}
		to.leader.memory[i].seenFor = min(to.leader.memory[i].seenFor+1, settled)
		if to.leader.memory[i].outcome != unknown {
			to.leader.memory[i].seenFor = 0
		}
	}
	if to.leader.reserved != 0 {
		to.leader.reservedFor = min(to.leader.reservedFor+1, settled)
	}
	to.leader.grow()
	to.log.grow()
	to.quiet = min(to.quiet+1, settled)
	if to.user.owner != 0 {
		to.user.age = min(to.user.age+1, settled)
		to.user.listed = to.user.listed || to.user.age == settled
	}
	if to.lease == held && !running {
		to.lease = expired
	}
	if to != s.from {
		s.add("tick", to)
	}
}

// processes start, end, stop and take over.
func (s *steps) processes() {
	p := s.from.leader
	running := p.alive && !p.stopped
	if running && s.mayFail() && s.from.trouble.crashes < 2 {
		to := s.from.without()
		to.trouble.crashes++
		s.fail("the leader dies", to)
	}
	if running && s.mayFail() && s.from.trouble.exits == 0 && p.resting() {
		to := s.from.without()
		if p.doubt < settled {
			to.quiet = min(to.quiet, p.doubt)
		}
		to.lease = free
		to.trouble.exits++
		s.fail("the leader ends in good order", to)
	}
	if running && s.mayFail() && s.from.trouble.stops == 0 {
		to := s.from
		to.leader.stopped = true
		to.trouble.stops++
		s.fail("the leader is stopped", to)
	}
	if p.stopped && s.from.lease == held {
		to := s.from
		to.leader.stopped = false
		s.add("the leader goes on in time", to)
	}
	if s.from.lease == expired || s.from.lease == free && !p.alive {
		s.takeOverLease()
	}
}

func (p process) resting() bool {
	for _, each := range p.progress {
		if each.at != idle {
			return false
		}
	}
	return true
}

// without is the state after the leader's process has ended. Calls that it has sent are on their way. If it was only stopped,
// calls may still be sent later.
func (s state) without() state {
	for i, p := range s.leader.progress {
		s.wire[i] = s.wire[i] || p.at == sent
		if s.leader.stopped && (p.at == named || p.at == fenced) {
			s.late[i] = p.at
		}
	}
	s.leader = process{doubt: settled}
	return s
}

// takeOverLease makes another process the leader. A process that ended in good order has recorded when it last sent something;
// only a former version reads that. A standby may have listed the users at any time before.
func (s *steps) takeOverLease() {
	to := s.from.without()
	to.leader = process{alive: true, doubt: settled}
	for i := range twins {
		to.leader.behind[i] = to.objects[i].life == live && (to.objects[i].known || to.objects[i].attempt != 0)
	}
	to.lease = held
	if s.older {
		to.quiet = s.from.quiet
		if s.from.lease == expired {
			to.quiet = 0
		}
		former := to
		former.leader.older, former.leader.doubt = true, to.quiet
		former.log.current = false
		s.fail("a process of a former version takes over", former)
	}
	s.add("a process takes over", to)
	to.leader.listed = true
	s.add("a process that has listed the users takes over", to)
}
