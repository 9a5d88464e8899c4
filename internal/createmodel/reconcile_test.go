package createmodel

// reconcile does the next step of the reconcile of an object: the code of internal/creation.
func (s *steps) reconcile(i int) {
	switch s.from.leader.progress[i].at {
	case idle:
		s.search(i)
	case searched:
		s.hold(i)
	case reserved:
		s.intend(i)
	case intended:
		if s.name && !s.from.leader.older {
			s.nameSubject(i)
		} else {
			s.checkFence(i)
		}
	case named:
		s.checkFence(i)
	case fenced:
		to := s.from
		to.leader.progress[i].at = sent
		if s.older {
			to.quiet = 0
		}
		s.add("send", to)
	case created:
		s.answer(i)
	case refused:
		to := s.from
		to.unsent(i)
		s.add("the answer says no", to)
	case answered:
		to := s.from
		to.leader.knows = true
		to.leader.free(i)
		to.leader.progress[i].at = kept
		s.add("keep the user in memory", to)
	case kept:
		s.store(i)
	}
}

// search begins a reconcile: it looks for the user, and for an earlier attempt that forbids to create one.
func (s *steps) search(i int) {
	to, o := s.from, s.from.objects[i]
	if to.leader.behind[i] {
		o.attempt, o.known = 0, false
	}
	if o.life != live || o.known || s.takeOver && !to.leader.tookOver && !to.leader.older {
		return
	}
	if !to.leader.listed {
		to.leader.listed = true
		to.list()
		s.add("list the users", to)
		return
	}
	if to.leader.knows {
		s.attach(i, to)
		return
	}
	m := &to.leader.memory[i]
	ours := o.attempt != 0 && m.attempt == o.attempt && m.outcome != nothing
	lost := o.attempt == 0 && m.outcome == unknown && s.remember
	switch {
	case o.attempt != 0 && !ours:
		*m = memory{outcome: unknown, attempt: o.attempt, foreign: true}
		to.leader.reserve(i)
		s.add("see an attempt", to)
	case s.wait && (ours && m.outcome == unknown || lost):
		foreign := m.foreign && !to.leader.older && o.age == ancient && to.leader.maySettle()
		if m.seenFor < settled && !foreign {
			return
		}
		to.list()
		if to.leader.knows {
			s.attach(i, to)
			return
		}
		if !m.foreign {
			to.leader.callOver(i, true)
		}
		*m = memory{}
		to.leader.free(i)
		s.doubt(i, to, true)
	default:
		s.doubt(i, to, o.attempt == 0)
	}
}

// list lists all users again.
func (s *state) list() {
	p := &s.leader
	p.knows = p.knows || s.user.listed
	p.cleared = p.cleared || p.older && p.doubt == settled || !p.older && p.tookOver && p.maySettle()
}

// attach attaches the found user to the object, unless another object has it.
func (s *steps) attach(i int, to state) {
	if other := to.objects[1-i]; other.life == live && other.known {
		return
	}
	to.objects[i].known, to.objects[i].attempt, to.objects[i].age = true, 0, 0
	to.touch(i)
	to.leader.memory[i] = memory{}
	to.leader.free(i)
	to.leader.progress[i] = progress{}
	s.add("attach", to)
}

// doubt makes an object wait if an earlier process may have sent a call for its subject.
func (s *steps) doubt(i int, to state, fresh bool) {
	p := &to.leader
	if p.older && !p.cleared || !p.older && p.inherited && !p.cleared {
		if p.older && p.doubt < settled || !p.older && !p.maySettle() {
			return
		}
		if s.again || p.older {
			to.list()
		}
		p.cleared = true
		if p.knows {
			s.attach(i, to)
			return
		}
	}
	to.leader.progress[i] = progress{at: searched, fresh: fresh, stale: to.leader.behind[i]}
	s.add("find nobody", to)
}

// hold reserves the subject.
func (s *steps) hold(i int) {
	to := s.from
	p := &to.leader
	if s.reserve && p.reserved != 0 && p.reserved != uint8(i+1) {
		if p.reservedFor < settled {
			p.progress[i] = progress{}
			s.add("the subject is another's", to)
			return
		}
		to.list()
		p.reserved = 0
	}
	p.reserve(i)
	if s.searchAgain && p.knows {
		p.free(i)
		p.progress[i] = progress{}
		s.add("find the user after all", to)
		return
	}
	p.progress[i].at = reserved
	s.add("reserve", to)
}

func (p *process) reserve(i int) {
	if p.reserved == 0 || p.reserved == uint8(i+1) {
		p.reserved, p.reservedFor = uint8(i+1), 0
	}
}

func (p *process) free(i int) {
	if p.reserved == uint8(i+1) {
		p.reserved, p.reservedFor = 0, 0
	}
}

// intend writes the attempt.
func (s *steps) intend(i int) {
	to, p := s.from, s.from.leader.progress[i]
	if to.objects[i].life != live || p.stale && s.lock {
		to.leader.free(i)
		to.leader.progress[i] = progress{}
		s.add("a conflict", to)
		return
	}
	o := &to.objects[i]
	if p.fresh {
		o.used++
		o.attempt = o.used
	}
	if p.fresh || s.renew && !to.leader.older {
		o.age = 0
	}
	if s.mayFail() && s.from.trouble.losses < 2 {
		lost := to
		lost.leader.free(i)
		lost.leader.progress[i] = progress{}
		lost.trouble.losses++
		s.fail("write the attempt, and do not hear of it", lost)
	}
	to.leader.progress[i] = progress{at: intended}
	s.add("write the attempt", to)
}

// checkFence is the last check before the call is sent.
func (s *steps) checkFence(i int) {
	to := s.from
	if s.reserve && to.leader.reserved != uint8(i+1) {
		to.unsent(i)
		s.add("the subject is another's by now", to)
		return
	}
	to.leader.reserve(i)
	to.leader.memory[i] = memory{outcome: unknown, attempt: to.objects[i].attempt}
	if to.leader.progress[i].stale {
		to.leader.memory[i].attempt = to.objects[i].used
	}
	to.leader.progress[i].at = fenced
	s.add("pass the fence", to)
}

// unsent records that a call has certainly created no user.
func (s *state) unsent(i int) {
	s.leader.memory[i] = memory{outcome: unsent, attempt: s.objects[i].used}
	s.leader.callOver(i, true)
	s.leader.free(i)
	s.leader.progress[i] = progress{}
}

// smile handles a call that has arrived, even if its sender no longer waits for the response.
func (s *steps) smile(i int) {
	if s.from.leader.progress[i].at != sent {
		return
	}
	made := s.from
	made.leader.progress[i].at = created
	s.commit("Smile makes the user", made, i)
	if !s.mayFail() {
		return
	}
	no := s.from
	no.leader.progress[i].at = refused
	no.trouble.refusals++
	s.fail("Smile refuses", no)
	if s.from.trouble.losses == 2 || s.from.leader.stopped {
		return
	}
	lost := s.from
	lost.doubtful(i, s.keepUnknown)
	lost.trouble.losses++
	s.fail("a call is lost on its way", lost)
	lost.wire[i] = true
	s.fail("a call is given up while it is on its way", lost)
}

// doubtful records that a call has an unknown outcome.
func (s *state) doubtful(i int, keep bool) {
	if !keep {
		s.leader.callOver(i, true)
	}
	if s.objects[i].life == live { // else Gone
		s.leader.memory[i] = memory{outcome: unknown, attempt: s.objects[i].used}
	}
	s.leader.reserve(i)
	s.leader.progress[i] = progress{}
}

// answer delivers the response, or loses it.
func (s *steps) answer(i int) {
	to := s.from
	to.leader.memory[i] = memory{}
	to.leader.callOver(i, !s.lag)
	if s.keepFirst {
		to.leader.knows = true
		to.leader.free(i)
		to.leader.progress[i].at = kept
	} else {
		to.leader.free(i)
		to.leader.progress[i].at = answered
	}
	s.add("the answer comes", to)
	if s.mayFail() && s.from.trouble.losses < 2 {
		lost := s.from
		lost.doubtful(i, s.keepUnknown)
		lost.trouble.losses++
		s.fail("the answer is lost", lost)
	}
}

// store writes the user's id into the status of the object, if it is still the same.
func (s *steps) store(i int) {
	to := s.from
	to.leader.progress[i] = progress{}
	if to.objects[i].life == live {
		if s.mayFail() && s.from.trouble.losses < 2 {
			lost := to
			lost.trouble.losses++
			s.fail("the status cannot be written", lost)
		}
		to.objects[i].known, to.objects[i].attempt, to.objects[i].age = true, 0, 0
	}
	s.add("store", to)
}
