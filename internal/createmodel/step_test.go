package createmodel

// protocol says which of its rules are kept, and which trouble the world makes. The zero value breaks every rule.
type protocol struct {
	// lock: an intent is not written over an object that was changed since it was read.
	lock bool
	// wait: nothing is sent while the outcome of an attempt is unknown.
	wait bool
	// fence: a call is sent only by a process whose lease is fresh.
	fence bool
	// reserve: of two objects with one subject, one creates at a time.
	reserve bool
	// keepFirst: a user is in memory before its subject is free again.
	keepFirst bool
	// lookAgain: memory is looked at once more after the subject was reserved.
	lookAgain bool
	// remember: an attempt that this process made stays open though the status has lost it.
	remember bool
	// succeed: the leader doubts what others may have sent before it, until a late enough listing.
	succeed bool

	// sameName: the second object is the first one declared again, so that it exists only after the other; else they
	// have different names and name the same subject.
	sameName bool
	// late: a leader that was stopped between fence and sending sends when it is woken.
	late bool
	// rollback: the status of an object may become what it was before.
	rollback bool
	// most is how much trouble there may be.
	most uint8
}

// move is a state that can follow.
type move struct {
	to   state
	what string
	// bad is what nobody can count on: trouble, or what people do. Without it, all must come to a good end.
	bad bool
	// twice is whether a second user was made.
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

// next gives all that can follow a state.
func (p protocol) next(from state) []move {
	s := &steps{protocol: p, from: from}
	s.people()
	s.world()
	for i := range twins {
		if s.from.leader.alive {
			s.smile(i)
		}
		if s.from.leader.alive && !s.from.leader.stopped && s.from.lease == held {
			s.reconcile(i)
		}
	}
	s.tick()
	s.processes()
	return s.moves
}

// people declare and delete objects.
func (s *steps) people() {
	for i := range twins {
		to := s.from
		switch s.from.objects[i].life {
		case undeclared:
			if i > 0 && (s.from.objects[i-1].life == undeclared || s.sameName && s.from.objects[i-1].life == live) {
				continue // the other way round is the same
			}
			to.objects[i] = object{life: live}
			s.fail("declare", to)
		case live:
			to.objects[i] = object{life: deleted}
			to.touch(i)
			to.leader.memory[i] = memory{} // Gone
			to.leader.behind[i] = false
			s.fail("delete", to)
		}
	}
}

// touch tells the passes that their object has changed.
func (s *state) touch(i int) {
	if s.leader.passes[i].at != idle {
		s.leader.passes[i].stale = true
	}
}

// world is what happens at Smile and to the API server's memory.
func (s *steps) world() {
	if s.from.user.owner != 0 && !s.from.user.listed {
		to := s.from
		to.user.listed = true
		s.add("listings show the user", to)
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
		if past := s.from.late[i]; past == fenced && s.late || past == intended && !s.fence {
			to := s.from
			to.late[i], to.wire[i] = idle, true
			s.fail("the stopped leader sends", to)
		}
		s.restore(i)
	}
}

// commit makes a user.
func (s *steps) commit(what string, to state, i int) {
	twice := to.user.owner != 0
	if !twice {
		to.user = user{owner: uint8(i + 1)}
	}
	s.moves = append(s.moves, move{to: to, what: what, twice: twice})
}

// restore gives an object a status that it had before: none, or its last attempt.
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
		to.objects[i].attempt, to.objects[i].known = attempt, false
		to.touch(i)
		to.trouble.rollbacks++
		s.fail("the status is what it was before", to)
	}
}

func (s *steps) mayFail() bool { return s.from.trouble.total() < s.most }

// tick lets time pass, once everything that takes less time has come to its end.
func (s *steps) tick() {
	to := s.from
	running := to.leader.alive && !to.leader.stopped
	for i := range twins {
		p := &to.leader.passes[i]
		switch {
		case to.wire[i], p.at == sent:
			return
		case running && p.at == intended && !p.waited:
			p.waited = true
		case running && p.at != idle:
			return
		}
		to.objects[i].age = min(to.objects[i].age+1, old)
		to.leader.memory[i].seenFor = min(to.leader.memory[i].seenFor+1, settled)
		if to.leader.memory[i].outcome != unknown {
			to.leader.memory[i].seenFor = 0
		}
		if to.objects[i].life != live {
			to.objects[i].age = 0
		}
	}
	if to.leader.reserved != 0 {
		to.leader.reservedFor = min(to.leader.reservedFor+1, settled)
	}
	to.leader.doubt = min(to.leader.doubt+1, settled)
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
		s.takeOver()
	}
}

func (p process) resting() bool {
	for _, pass := range p.passes {
		if pass.at != idle {
			return false
		}
	}
	return true
}

// without is the state after the leader's process has ended: what it has sent goes its way, or waits to be sent if it
// was only stopped.
func (s state) without() state {
	for i, p := range s.leader.passes {
		s.wire[i] = s.wire[i] || p.at == sent
		if s.leader.stopped && (p.at == intended || p.at == fenced) {
			s.late[i] = p.at
		}
	}
	s.leader = process{doubt: settled}
	return s
}

// takeOver makes another process the leader. Whoever ended in good order has told when it last sent something.
func (s *steps) takeOver() {
	to := s.from.without()
	to.leader = process{alive: true, doubt: settled}
	if s.succeed {
		to.leader.doubt = 0
		if s.from.lease == free {
			to.leader.doubt = s.from.quiet
		}
		to.quiet = to.leader.doubt
	}
	for i := range twins {
		to.leader.behind[i] = to.objects[i].life == live && (to.objects[i].known || to.objects[i].attempt != 0)
		to.objects[i].settledAtStart = s.sameName && to.objects[i].life == live && to.objects[i].age >= old
	}
	to.lease = held
	s.add("a process takes over", to)
}
