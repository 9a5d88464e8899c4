package mirror

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/log"
)

var errPanicked = errors.New("a listing panicked")

// recovered turns a panic into an error. The value of the panic is not logged, because it may quote a response of Smile.
func recovered(ctx context.Context, work func() error) (err error) {
	defer func() {
		if recover() != nil {
			panics.Inc()
			log.FromContext(ctx).Error(nil, "a listing panicked and will be retried; the value of the panic is not logged")
			err = errPanicked
		}
	}()
	return work()
}
