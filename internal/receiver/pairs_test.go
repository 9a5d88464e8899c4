package receiver

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A request that waits for the read of another one waits no longer than its own context lasts.
func TestSharedReadsHeedTheContext(t *testing.T) {
	d := newFixture(t)
	path := pairOf.Path.Reveal()
	found, _, err := d.pairs.find(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		held chan struct{}
		ask  func(context.Context) error
	}{
		"a listing": {d.pairs.listing, func(ctx context.Context) error {
			_, err := d.pairs.confirm(ctx, path, time.Now())
			return err
		}},
		"a read of a pair": {d.pairs.reading, func(ctx context.Context) error {
			_, err := d.pairs.secret(ctx, found, path)
			return err
		}},
	} {
		test.held <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := test.ask(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("during %s: %v", name, err)
		}
		<-test.held
		if err := test.ask(t.Context()); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
}
