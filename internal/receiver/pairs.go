package receiver

import (
	"context"
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/index"
	"github.com/smile-operator/smile-operator/internal/output"
	"github.com/smile-operator/smile-operator/internal/smile"
)

// errUnreadable is a pair that is to be accepted and cannot be read: nothing signed with it may be called forged.
var errUnreadable = errors.New("the Secret of the pairs does not hold the pair")

const (
	// unreadableFor is how long what could not be read is not asked for again.
	unreadableFor = time.Second
	// maxPairs is how many pairs are remembered at most: far more than there are.
	maxPairs = 4096
)

// pairs finds what events of a path are signed with. Pairs never change, so each is read once.
type pairs struct {
	cache client.Reader
	// live lists subscriptions past the cache, in the namespaces, or in all when there are none, by the selector.
	live       client.Reader
	namespaces []string
	selector   labels.Selector
	secrets    *output.Writer
	now        func() time.Time

	// listing and reading, places for one, are held while the API server is asked.
	listing, reading chan struct{}

	mu    sync.Mutex
	known map[string]smile.Sensitive[string]
	// failed are pairs that could not be read.
	failed map[string]failure
	last   snapshot
}

// failure is why a pair could not be read, and when.
type failure struct {
	err error
	at  time.Time
}

// registered is a registration whose events are taken, and its subscription.
type registered struct {
	sub  *v1alpha1.SmileWebhookSubscription
	pair string
}

// snapshot is what the API server said last about all paths there are, by their hashes.
type snapshot struct {
	paths        map[string]registered
	err          error
	began, ended time.Time
}

// find looks for a path where it costs the API server nothing. What the cache does not show may be missing because the
// watch was cut off; known is whether it was there when the API server was asked last.
func (p *pairs) find(ctx context.Context, path string) (found registered, known bool, err error) {
	hash := hook.HashPath(path)
	var cached v1alpha1.SmileWebhookSubscriptionList
	if err := p.cache.List(ctx, &cached, client.MatchingFields{index.PathHash: hash}); err != nil {
		return registered{}, false, err
	}
	if found, known = p.taken(cached.Items)[hash]; known {
		return found, true, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, known = p.last.paths[hash]
	return registered{}, known, nil
}

// confirm looks for a path that the cache does not show. Who registers a pair waits for hook.HeadStart before the call, so
// a listing that began no longer than that before the event came shows every path that events can come to. However many
// forge, one listing is made in that time, or one in unreadableFor while they fail.
func (p *pairs) confirm(ctx context.Context, path string, came time.Time) (registered, error) {
	if err := occupy(ctx, p.listing); err != nil {
		return registered{}, err
	}
	defer func() { <-p.listing }()
	if !p.last.tells(came, p.now()) {
		p.list(ctx)
	}
	if p.last.err != nil {
		return registered{}, p.last.err
	}
	return p.last.paths[hook.HashPath(path)], nil
}

func (s snapshot) tells(came, now time.Time) bool {
	if s.err != nil {
		return now.Sub(s.ended) < unreadableFor
	}
	return s.began.After(came.Add(-hook.HeadStart))
}

// list is not cut short with the request that happens to need it: others wait for the answer. What was known before
// remains when it fails.
func (p *pairs) list(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storing)
	defer cancel()
	latest := snapshot{began: p.now(), paths: p.last.paths}
	all, err := p.all(ctx)
	if latest.err = err; err == nil {
		latest.paths = p.taken(all)
	}
	latest.ended = p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = latest
}

func (p *pairs) all(ctx context.Context) (all []v1alpha1.SmileWebhookSubscription, err error) {
	namespaces := p.namespaces
	if len(namespaces) == 0 {
		namespaces = []string{corev1.NamespaceAll}
	}
	for _, namespace := range namespaces {
		var listed v1alpha1.SmileWebhookSubscriptionList
		err := p.live.List(ctx, &listed, &client.ListOptions{Namespace: namespace, LabelSelector: p.selector})
		if err != nil {
			return nil, err
		}
		all = append(all, listed.Items...)
	}
	return all, nil
}

// taken gives the registrations of subscriptions whose events are taken now, by the hashes of their paths.
func (p *pairs) taken(subs []v1alpha1.SmileWebhookSubscription) map[string]registered {
	paths := map[string]registered{}
	for i := range subs {
		for _, r := range subs[i].Status.Registrations {
			if r.PathHash != "" && (r.AcceptedUntil == nil || r.AcceptedUntil.After(p.now())) {
				paths[r.PathHash] = registered{&subs[i], r.ID}
			}
		}
	}
	return paths
}

// secret gives what events of a pair are signed with. Only the first call for a pair asks the API server.
func (p *pairs) secret(ctx context.Context, r registered, path string) (smile.Sensitive[string], error) {
	key := string(r.sub.UID) + "/" + r.pair
	if secret, ok, err := p.remembered(key); ok {
		return secret, err
	}
	if err := occupy(ctx, p.reading); err != nil {
		return smile.Sensitive[string]{}, err
	}
	defer func() { <-p.reading }()
	if secret, ok, err := p.remembered(key); ok {
		return secret, err
	}
	secret, err := p.read(ctx, r, path)
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
	if ok && p.now().Sub(failed.at) < unreadableFor {
		return secret, true, failed.err
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
		p.failed = map[string]failure{}
	}
	if err != nil {
		p.failed[key] = failure{err, p.now()}
		return
	}
	delete(p.failed, key)
	p.known[key] = secret
}

func (p *pairs) read(ctx context.Context, r registered, path string) (smile.Sensitive[string], error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storing) // others wait for the answer
	defer cancel()
	content, err := p.secrets.Read(ctx, r.sub, output.Target{Kind: output.Secret, Name: r.sub.Status.SecretName})
	if err != nil {
		return smile.Sensitive[string]{}, err
	}
	held, err := hook.ParsePairs(content[hook.KeyPairs])
	if err != nil {
		return smile.Sensitive[string]{}, errUnreadable
	}
	for _, candidate := range held {
		if candidate.ID == r.pair && candidate.Path.Reveal() == path {
			return candidate.Secret, nil
		}
	}
	return smile.Sensitive[string]{}, errUnreadable
}
