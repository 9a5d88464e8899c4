//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// failure is how the API server fails a write.
type failure struct {
	name string
	// committed: the write was stored nevertheless.
	committed bool
	status    metav1.Status
}

var writeFailures = []failure{
	{name: "409", status: apierrors.NewConflict(schema.GroupResource{Resource: "things"}, "thing", errors.New("it was changed")).Status()},
	{name: "500", status: apierrors.NewInternalError(errors.New("etcdserver: request timed out")).Status()},
	{name: "504 though done", committed: true, status: apierrors.NewTimeoutError("the request did not complete in time", 0).Status()},
}

func (f failure) answer(w http.ResponseWriter) {
	status := f.status
	status.Kind, status.APIVersion = "Status", "v1"
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status)
}

// TestFailedWrites records every write to the API server on each journey, and travels again once for each write and each
// failure of it. The same process must bring everything to the same end.
func TestFailedWrites(t *testing.T) {
	t.Parallel()
	eachJourney(t, func(t *testing.T, j journey) {
		points := writesTo("Kubernetes", j.record(t))
		var heads []string
		for _, how := range writeFailures {
			heads = append(heads, how.name)
		}
		results := newTable(points, heads...)
		t.Cleanup(func() {
			t.Logf("%s: %d writes, each failed in %d ways\n%s", j.name, len(points), len(writeFailures), results)
		})
		for _, at := range points {
			for column, how := range writeFailures {
				t.Run(fmt.Sprintf("%s: %s", at, how.name), func(t *testing.T) {
					t.Parallel()
					results.note(at, column, "FAILED")
					results.note(at, column, j.withFailure(t, at, how))
				})
			}
		}
	})
}

func writesTo(side string, points []point) []point {
	var writes []point
	for _, at := range points {
		if strings.HasPrefix(at.call, side+" ") && !strings.HasPrefix(at.call, side+" "+http.MethodGet+" ") {
			writes = append(writes, at)
		}
	}
	return writes
}

// withFailure runs the journey with a write that fails once. It returns the time to the end of the journey.
func (j journey) withFailure(t *testing.T, at point, how failure) string {
	e := j.set(t)
	through := newTap(e.namespace)
	through.fail(at, how)
	o := e.tapped(through, e.journeyFlags()...)
	o.start()
	made := through.reaches(t, at)
	took := j.ends(e)
	if ended := o.alive(); ended != "" {
		t.Fatal(ended)
	}
	if !made {
		return notRepeated
	}
	return seconds(took)
}
