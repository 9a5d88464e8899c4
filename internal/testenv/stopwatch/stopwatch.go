// Package stopwatch measures whether the same work takes longer in one case than in another. It is for tests.
package stopwatch

import (
	"math"
	"slices"
	"time"
)

const (
	// Apart is the least Welch's t of two cases that differ.
	Apart = 4.5
	// repeats is how often the measurement is repeated at most. The machine may be busy during one.
	repeats = 4
	// block is how many measurements of each case are compared with each other. The speed of the machine varies between blocks.
	block = 200
	// kept is the share of a block that is used. What takes longer shows more about the machine than about the cases.
	kept = 0.5
)

// Difference returns how clearly two cases differ, from n measurements of each: Welch's t, the least of several repetitions.
// Cases that differ do so each time. Before each measurement, set selects the case, so that the same code at the same place is
// measured.
func Difference(n int, set func(which int), run func()) float64 {
	best := math.Inf(1)
	for range repeats {
		if best = min(best, math.Abs(Take(n, set, run).welch())); best < Apart {
			break
		}
	}
	return best
}

// Samples are how long two cases took, in nanoseconds.
type Samples struct {
	took [2][]float64
	// relative are the same samples, minus the average of their block.
	relative [2][]float64
}

// Take measures two cases n times, each as often before the other as after it.
func Take(n int, set func(which int), run func()) Samples {
	var s Samples
	var latest [2][]float64
	for i := range n {
		for _, which := range [2]int{i & 1, i&1 ^ 1} {
			set(which)
			began := time.Now()
			run()
			latest[which] = append(latest[which], float64(time.Since(began)))
		}
		if len(latest[0]) == block || i == n-1 {
			s.add(latest)
			latest = [2][]float64{latest[0][:0], latest[1][:0]}
		}
	}
	return s
}

// add adds a block, without its slowest samples of either case.
func (s *Samples) add(latest [2][]float64) {
	all := slices.Concat(latest[0], latest[1])
	slices.Sort(all)
	all = all[:int(math.Ceil(kept*float64(len(all))))]
	level, most := mean(all), all[len(all)-1]
	for which, some := range latest {
		for _, took := range some {
			if took <= most {
				s.took[which] = append(s.took[which], took)
				s.relative[which] = append(s.relative[which], took-level)
			}
		}
	}
}

// Means are how long the cases take on average.
func (s Samples) Means() (a, b float64) { return mean(s.took[0]), mean(s.took[1]) }

func (s Samples) welch() float64 {
	a, b := s.relative[0], s.relative[1]
	if len(a) == 0 || len(b) == 0 {
		return math.Inf(1) // one always takes longer
	}
	return (mean(a) - mean(b)) / math.Sqrt(variance(a)/float64(len(a))+variance(b)/float64(len(b))+1e-9)
}

func mean(x []float64) (m float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	return m
}

func variance(x []float64) (sum float64) {
	m := mean(x)
	for _, v := range x {
		sum += (v - m) * (v - m) / float64(len(x))
	}
	return sum
}
