package uninstall

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Object is an object of the operator.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Message says why the deletion of the object does not end.
	Message string `json:"message,omitempty"`

	resource schema.GroupResource
}

func (o Object) String() string { return o.Kind + " " + o.Namespace + "/" + o.Name }

// Report is what an uninstall did, or would do.
type Report struct {
	// DryRun is true if nothing was changed.
	DryRun bool `json:"dryRun"`
	// ReleasedUntil is until when the operator does not hold the released objects again.
	ReleasedUntil time.Time `json:"releasedUntil"`
	// Released objects have no finalizer of the operator any more.
	Released []Object `json:"released"`
	// Completed deletions did at Smile what their policy says; in a dry run, all deletions that have begun.
	Completed []Object `json:"completed"`
	// Orphaned are objects whose deletion ended without that.
	Orphaned []Object `json:"orphaned"`
	// Left are objects that could not be released.
	Left []Object `json:"left"`
}

// plan is the report of a dry run.
func (r *Report) plan(found []object) {
	for _, o := range found {
		if o.deleting {
			r.Completed = append(r.Completed, o.Object)
		} else {
			r.Released = append(r.Released, o.Object)
		}
	}
	r.sort()
}

// sort gives lists that do not depend on timing, and that are never null in JSON.
func (r *Report) sort() {
	for _, list := range []*[]Object{&r.Released, &r.Completed, &r.Orphaned, &r.Left} {
		*list = slices.AppendSeq([]Object{}, slices.Values(*list))
		slices.SortFunc(*list, func(a, b Object) int {
			return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), strings.Compare(a.String(), b.String()))
		})
	}
}

// Names are the released objects as kubectl names them.
func (r *Report) Names() []string {
	var names []string
	for _, o := range r.Released {
		names = append(names, o.resource.String()+"/"+o.Name)
	}
	return names
}

// shown is how many objects of a list are named. A list of thousands helps nobody.
const shown = 10

// Write writes the report for people.
func (r *Report) Write(out io.Writer) {
	if r.DryRun {
		r.list(out, "Would be released, so that their deletion changes nothing at Smile", r.Released)
		r.list(out, "Are being deleted, and would have time to do what their policy says", r.Completed)
		fmt.Fprintln(out, "Nothing was changed.")
		return
	}
	r.list(out, "Released", r.Released)
	r.list(out, "Deleted by the operator, as their policy says", r.Completed)
	r.list(out, "Deleted without what their policy says, so that it stays at Smile", r.Orphaned)
	r.list(out, "Not released", r.Left)
	if len(r.Left) > 0 {
		return
	}
	fmt.Fprintf(out, `Nothing waits for the operator. Remove it before %s, in the way in which you installed it.
If it still runs then, it holds its objects again.
The CustomResourceDefinitions, all objects and the Secret smile-operator-identity stay. With them, a new installation
finds every user again.
`, r.ReleasedUntil.Format("15:04 MST"))
}

func (*Report) list(out io.Writer, what string, objects []Object) {
	if len(objects) == 0 {
		return
	}
	fmt.Fprintf(out, "%s: %s\n", what, count(len(objects)))
	for i, o := range objects {
		if i == shown {
			fmt.Fprintf(out, "  and %d more\n", len(objects)-shown)
			return
		}
		fmt.Fprintf(out, "  %s\n", o)
		if o.Message != "" {
			fmt.Fprintf(out, "    %s\n", o.Message)
		}
	}
}

func count(n int) string {
	if n == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}
