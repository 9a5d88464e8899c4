package createmodel

import (
	"fmt"
	"strings"
)

// origin is a state that can be reached, and how.
type origin struct {
	parent int32
	what   string
}

// exploration is all states that can be reached.
type exploration struct {
	states []state
	ways   []origin
	index  map[state]int32
	// good are the moves from each state without faults and without actions of people.
	good [][]int32
	// twice are the paths to a second user.
	twice []string
	moves int
}

// start is a cluster in which the operator was never run, and has just taken over the empty log.
func start() state {
	return state{
		leader: process{alive: true, doubt: settled, cleared: true, tookOver: true, since: settled},
		lease:  held, log: creationLog{exists: true, current: true}, quiet: settled,
	}
}

// explore adds all states that can be reached, breadth first, so that it finds a shortest path to each. If requested, it ends
// when a second user is found.
func explore(p protocol, first bool) *exploration {
	e := &exploration{index: map[state]int32{}}
	e.add(start(), origin{parent: -1})
	for at := int32(0); int(at) < len(e.states); at++ {
		for _, m := range p.next(e.states[at]) {
			e.moves++
			if m.twice {
				e.twice = append(e.twice, e.way(at)+m.what)
				if first {
					return e
				}
				continue
			}
			to := e.add(m.to, origin{parent: at, what: m.what})
			if !m.bad {
				e.good[at] = append(e.good[at], to)
			}
		}
	}
	return e
}

func (e *exploration) add(s state, how origin) int32 {
	at, known := e.index[s]
	if !known {
		at = int32(len(e.states))
		e.index[s] = at
		e.states, e.ways, e.good = append(e.states, s), append(e.ways, how), append(e.good, nil)
	}
	return at
}

// way lists the steps to a state.
func (e *exploration) way(at int32) string {
	var steps []string
	for ; e.ways[at].parent >= 0; at = e.ways[at].parent {
		steps = append(steps, e.ways[at].what)
	}
	var text strings.Builder
	for i := len(steps) - 1; i >= 0; i-- {
		fmt.Fprintf(&text, "%s; ", steps[i])
	}
	return text.String()
}

// done reports whether the state is final: each object has the user, or another object has it.
func (s state) done() bool {
	someone := false
	for _, o := range s.objects {
		someone = someone || o.life == live && o.known
	}
	for _, o := range s.objects {
		if o.life == live && !o.known && !someone {
			return false
		}
	}
	return !someone || s.user.owner != 0
}

// stuck returns the path to a state from which no path without faults leads to a final state, or to a final state that is left
// again; "" if there is none.
func (e *exploration) stuck() string {
	back := make([][]int32, len(e.states))
	reaches := make([]bool, len(e.states))
	var queue []int32
	for from, tos := range e.good {
		for _, to := range tos {
			back[to] = append(back[to], int32(from))
			if e.states[from].done() && !e.states[to].done() {
				return "leaves the end: " + e.way(int32(from)) + "then " + e.way(to)
			}
		}
		if e.states[from].done() {
			reaches[from] = true
			queue = append(queue, int32(from))
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, from := range back[queue[0]] {
			if !reaches[from] {
				reaches[from] = true
				queue = append(queue, from)
			}
		}
	}
	for at, ok := range reaches {
		if !ok {
			return fmt.Sprintf("never ends: %s\n%+v", e.way(int32(at)), e.states[at])
		}
	}
	return ""
}
