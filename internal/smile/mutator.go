package smile

import (
	"context"
	"net/url"
)

// Mutator is a Client that can also change something at Smile. No such change can be undone, so only package connection
// makes these calls.
type Mutator struct{ *Client }

// NewMutator returns a mutator of the API at base.
func NewMutator(base *url.URL, doer Doer) *Mutator { return &Mutator{NewClient(base, doer)} }

// Observed returns a mutator whose calls are observed, see Client.Observed.
func (m *Mutator) Observed(observe func(context.Context, error) error) *Mutator {
	return &Mutator{m.Client.Observed(observe)}
}
