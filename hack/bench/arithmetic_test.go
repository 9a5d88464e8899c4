package main

import (
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := 100; i > 0; i-- {
		hundred = append(hundred, time.Duration(i))
	}
	for _, tt := range []struct {
		values  []time.Duration
		percent float64
		want    time.Duration
	}{
		{nil, 99, 0},
		{[]time.Duration{7}, 99, 7},
		{[]time.Duration{3, 1, 2}, 50, 2},
		{[]time.Duration{4, 3, 1, 2}, 50, 2},
		{hundred, 99, 99},
		{hundred, 100, 100},
		{hundred, 0, 1},
	} {
		if got := percentile(tt.values, tt.percent); got != tt.want {
			t.Errorf("percentile %v of %v is %d, want %d", tt.percent, tt.values, got, tt.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("percentile sorted what it was given")
	}
}

func at(milliseconds ...int) []time.Time {
	times := make([]time.Time, len(milliseconds))
	for i, ms := range milliseconds {
		times[i] = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
	}
	return times
}

func TestPeak(t *testing.T) {
	for name, tt := range map[string]struct {
		times []time.Time
		want  int
	}{
		"nothing":             {nil, 0},
		"one":                 {at(5), 1},
		"a second apart":      {at(0, 1000, 2000), 1},
		"just within":         {at(0, 999, 1998), 2},
		"across full seconds": {at(100, 900, 950, 1050, 1099, 1100), 5},
		"in any order":        {at(2500, 0, 2000, 2999, 500), 3},
	} {
		if got := peak(tt.times); got != tt.want {
			t.Errorf("%s: the peak is %d, want %d", name, got, tt.want)
		}
	}
}

func TestSpan(t *testing.T) {
	if got := span(nil); got != 0 {
		t.Errorf("the span of no times is %s", got)
	}
	if got := span(at(500, 200, 1700)); got != 1500*time.Millisecond {
		t.Errorf("it spans %s", got)
	}
}

func TestRates(t *testing.T) {
	for name, tt := range map[string]struct{ got, want float64 }{
		"calls a poll":          {per(time.Minute, 21, 3*time.Minute), 7},
		"writes an hour":        {per(time.Hour, 2, 3*time.Minute), 40},
		"none":                  {per(time.Hour, 0, time.Minute), 0},
		"calls of each":         {perUser(340, 300), 340.0 / 300},
		"caused by a restart":   {caused(12, 5), 7},
		"less than before":      {caused(3, 5), 0},
		"pages of none":         {float64(pages(0)), 0},
		"pages of a full one":   {float64(pages(150)), 1},
		"pages of one more":     {float64(pages(151)), 2},
		"pages of ten thousand": {float64(pages(10_000)), 67},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
}
