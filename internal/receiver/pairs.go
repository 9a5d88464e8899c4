package receiver

import (
	"context"
	"errors"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/engine"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// errUnreadable is a pair that is to be accepted and cannot be read: nothing signed with it may be called forged.
var errUnreadable = errors.New("the Secret of the pairs does not hold the pair")

const (
	// unreadableFor is how long a pair that could not be read is not asked for again.
	unreadableFor = time.Second
	// maxPairs is how many pairs are remembered at most: far more than there are.
	maxPairs = 4096
)

// pairs finds what events of a path are signed with. Pairs never change, so each is read once.
type pairs struct {
	cache   client.Reader
	secrets *output.Writer
	now     func() time.Time

	// reading is held while the API server is asked, by one at a time.
	reading sync.Mutex
	mu      sync.Mutex
	known   map[string]smile.Sensitive[string]
	// failed are pairs that could not be read, and when.
	failed map[string]time.Time
}

// find gives the subscription of a path and the registration whose events come to it; ok is false for a path that is
// none, at no cost to the API server.
func (p *pairs) find(ctx context.Context, path string) (sub *v1alpha1.SmileWebhookSubscription, pair string, ok bool, err error) {
	hash := hook.HashPath(path)
	var found v1alpha1.SmileWebhookSubscriptionList
	if err := p.cache.List(ctx, &found, client.MatchingFields{engine.IndexPath: hash}); err != nil {
		return nil, "", false, err
	}
	for i := range found.Items {
		for _, r := range found.Items[i].Status.Registrations {
			accepted := r.AcceptedUntil == nil || r.AcceptedUntil.After(p.now())
			if r.PathHash == hash && accepted {
				return &found.Items[i], r.ID, true, nil
			}
		}
	}
	return nil, "", false, nil
}

// secret gives what events of a pair are signed with. Only the first call for a pair asks the API server.
func (p *pairs) secret(ctx context.Context, sub *v1alpha1.SmileWebhookSubscription, pair, path string) (smile.Sensitive[string], error) {
	key := string(sub.UID) + "/" + pair
	if secret, ok, err := p.remembered(key); ok {
		return secret, err
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	if secret, ok, err := p.remembered(key); ok {
		return secret, err
	}
	secret, err := p.read(ctx, sub, pair, path)
	p.remember(key, secret, err)
	return secret, err
}

func (p *pairs) remembered(key string) (secret smile.Sensitive[string], ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if secret, ok := p.known[key]; ok {
		return secret, true, nil
	}
	failed, ok := p.failed[key]
	if ok && p.now().Sub(failed) < unreadableFor {
		return secret, true, errUnreadable
	}
	return secret, false, nil
}

func (p *pairs) remember(key string, secret smile.Sensitive[string], err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= maxPairs || p.known == nil {
		p.known = map[string]smile.Sensitive[string]{}
	}
	if len(p.failed) >= maxPairs || p.failed == nil {
		p.failed = map[string]time.Time{}
	}
	if err != nil {
		p.failed[key] = p.now()
		return
	}
	delete(p.failed, key)
	p.known[key] = secret
}

func (p *pairs) read(ctx context.Context, sub *v1alpha1.SmileWebhookSubscription, pair, path string) (smile.Sensitive[string], error) {
	ctx, cancel := context.WithTimeout(ctx, storing)
	defer cancel()
	content, err := p.secrets.Read(ctx, sub, output.Target{Kind: output.Secret, Name: sub.Status.SecretName})
	if err != nil {
		return smile.Sensitive[string]{}, err
	}
	held, err := hook.ParsePairs(content[hook.KeyPairs])
	if err != nil {
		return smile.Sensitive[string]{}, errUnreadable
	}
	for _, candidate := range held {
		if candidate.ID == pair && candidate.Path.Reveal() == path {
			return candidate.Secret, nil
		}
	}
	return smile.Sensitive[string]{}, errUnreadable
}
