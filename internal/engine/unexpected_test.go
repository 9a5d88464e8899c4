package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
)

type surprise struct{}

func (surprise) Error() string { return "surprise" }

func TestAnUnexpectedErrorIsLoggedWithItsType(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"unexpected": {fmt.Errorf("reading: %w", surprise{}), `"error"="reading: surprise" "type"="engine.surprise"`},
		"joined":     {errors.Join(surprise{}, errors.New("also")), `"type"="engine.surprise"`},
		"expected":   {problem.NewTransient(v1alpha1.ReasonSmileUnavailable, "m"), `"reason"="SmileUnavailable"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines []string
			logger := funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{Verbosity: 1})
			l := newLife(t)
			l.phase = func(context.Context, *Run[*v1alpha1.SmileUser]) error { return test.err }
			if _, err := l.Reconcile(log.IntoContext(t.Context(), logger), requestFor(l.user)); err == nil {
				t.Fatal("the reconcile did not fail")
			}
			if len(lines) == 0 || !strings.Contains(lines[0], test.want) {
				t.Errorf("logged %q, want %s", lines, test.want)
			}
		})
	}
}
