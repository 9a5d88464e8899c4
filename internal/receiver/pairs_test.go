package receiver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/hook"
)

// Whoever waits for the answer that another has asked for waits no longer than for their own.
func TestNobodyWaitsForAListingForEver(t *testing.T) {
	d := newDesk(t)
	d.pairs.listing <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.pairs.confirm(ctx, hook.NewPath().Reveal(), time.Now()); !errors.Is(err, context.Canceled) {
		t.Errorf("while another lists: %v", err)
	}
	<-d.pairs.listing
	if found, err := d.pairs.confirm(t.Context(), pairOf.Path.Reveal(), time.Now()); err != nil || found.sub == nil {
		t.Errorf("afterwards: %v, %v", found, err)
	}
}
