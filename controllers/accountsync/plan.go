package accountsync

import "github.com/smile-operator/smile-operator/internal/problem"

// plan is what a reconcile is going to do with the output. The phases before write complete it.
type plan struct {
	// write is true when the output must be written again.
	write bool
	// refetch is true when the data of all accounts must be fetched for that, not only what is new.
	refetch bool
	// problem is what the data will lack, although everything else is written; nil when it lacks nothing.
	problem *problem.Problem
}

// writeIf plans to write the output again if a reason for it holds.
func (p *plan) writeIf(reason bool) { p.write = p.write || reason }
