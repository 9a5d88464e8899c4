package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func runOf(figures ...figure) result { return result{Figures: figures} }

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{5, 1, 3}, 3}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("the median of %v is %v, want %v", tt.values, got, tt.want)
		}
	}
}

func TestCompare(t *testing.T) {
	calls := func(x float64) figure { return figure{Name: "calls", Measured: x} }
	for name, tt := range map[string]struct {
		base, head []float64
		want       verdict
	}{
		"the same":           {[]float64{1, 1, 1}, []float64{1, 1, 1}, notWorse},
		"better":             {[]float64{5, 4, 6}, []float64{1, 2, 3}, notWorse},
		"worse by a tenth":   {[]float64{10, 10, 10}, []float64{11, 11, 11}, notWorse},
		"worse by more":      {[]float64{10, 10, 10}, []float64{11.2, 11.3, 9}, worse},
		"worse once":         {[]float64{10, 10, 10}, []float64{10, 30, 10}, notWorse},
		"nonzero after zero": {[]float64{0, 0, 0}, []float64{1, 1, 0}, worse},
		"new":                {nil, []float64{1}, incomparable},
		"gone":               {[]float64{1}, nil, incomparable},
	} {
		var base, head []result
		for _, x := range tt.base {
			base = append(base, runOf(calls(x)))
		}
		for _, x := range tt.head {
			head = append(head, runOf(calls(x)))
		}
		got := compare(base, head)
		if len(got) != 1 || got[0].Verdict != tt.want {
			t.Errorf("%s: %+v, want %s", name, got, tt.want)
		}
	}
}

func TestComparisonTable(t *testing.T) {
	c := comparison{Figures: compare(
		[]result{runOf(figure{Name: "memory", Unit: "MiB", Measured: 100}, figure{Name: "bare loop", Measured: 5, Reference: true})},
		[]result{runOf(figure{Name: "memory", Unit: "MiB", Measured: 150}, figure{Name: "writes", Measured: 2})},
	)}
	want := `
FIGURE  BASE     HEAD     CHANGE  VERDICT
memory  100 MiB  150 MiB  +50 %   worse
writes  0        0        -       incomparable
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), c.table()); diff != "" {
		t.Error(diff)
	}
	if c.worse() != 1 {
		t.Errorf("%d are worse", c.worse())
	}
}

func TestHigherIsBetter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		base, head float64
		want       verdict
	}{{100, 80, worse}, {100, 95, notWorse}, {80, 100, notWorse}} {
		c := compared{AtLeast: true, Base: []float64{test.base}, Head: []float64{test.head}}
		if c.judge(); c.Verdict != test.want {
			t.Errorf("%v to %v is %s", test.base, test.head, c.Verdict)
		}
	}
	if f := (figure{Target: atMost(0.6), AtLeast: true, Measured: 0.7}).judged(); f.Verdict != met {
		t.Errorf("above the minimum the verdict is %s", f.Verdict)
	}
	if f := (figure{Target: atMost(0.6), AtLeast: true, Measured: 0.5}).judged(); f.Verdict != missed {
		t.Errorf("below the minimum the verdict is %s", f.Verdict)
	}
}
