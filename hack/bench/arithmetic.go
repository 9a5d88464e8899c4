package main

import (
	"math"
	"slices"
	"time"
)

// pageSize is the number of users or accounts on a page of a listing.
const pageSize = 150

func pages(items int) int { return (items + pageSize - 1) / pageSize }

// percentile returns the smallest value that a given percentage of the values does not exceed. It is 0 if there are no values.
func percentile(values []time.Duration, percent float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// peak returns the largest number of times within any second.
func peak(times []time.Time) int {
	sorted := slices.SortedFunc(slices.Values(times), time.Time.Compare)
	most, first := 0, 0
	for last, at := range sorted {
		for at.Sub(sorted[first]) >= time.Second {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// span is the duration from the earliest to the latest time.
func span(times []time.Time) time.Duration {
	if len(times) == 0 {
		return 0
	}
	return slices.MaxFunc(times, time.Time.Compare).Sub(slices.MinFunc(times, time.Time.Compare))
}

// per converts a count over a window to a rate per unit of time.
func per(unit time.Duration, count int, window time.Duration) float64 {
	return float64(count) / (float64(window) / float64(unit))
}

// perUser is a count divided by users.
func perUser(count, users int) float64 { return float64(count) / float64(users) }

// caused is the difference to the count of a window of the same length in which nothing was done.
func caused(counted, without int) float64 { return float64(max(counted-without, 0)) }
