package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
)

func TestOrdinaryErrorsAreNotShown(t *testing.T) {
	t.Parallel()
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "smileusers"}, "george", errors.New("changed"))
	for err, want := range map[error]bool{
		conflict: true, fmt.Errorf("writing: %w", conflict): true, context.Canceled: true,
		&smile.UnsentError{Cause: context.Canceled}: true,
		context.DeadlineExceeded:                    false, errors.New("other"): false,
	} {
		if isOrdinary(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		found   problem.Problem
		atLeast time.Duration
	}{
		{problem.Problem{Class: problem.Throttled}, 30 * time.Second},
		{problem.Problem{Class: problem.NotReady}, 5 * time.Minute},
		{problem.Problem{Class: problem.Denied}, 15 * time.Minute},
		{problem.Problem{Class: problem.Invalid}, 15 * time.Minute},
	} {
		for range 100 {
			if got := retryAfter(&test.found); got < test.atLeast || got > test.atLeast+test.atLeast/10 {
				t.Fatalf("class %d: %v", test.found.Class, got)
			}
		}
		test.found.RetryAfter = 7 * time.Second
		if got := retryAfter(&test.found); got != 7*time.Second {
			t.Errorf("class %d: %v though it says 7 s", test.found.Class, got)
		}
	}
}
