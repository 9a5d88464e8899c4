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

// errUnreadable is a registered pair that cannot be read. No request to its path may be called a forgery.
var errUnreadable = errors.New("the Secret of the pairs does not hold the pair")

const (
	// failureInterval is after how long a read that failed is repeated.
	failureInterval = time.Second
	// maxPairs limits how many pairs are remembered: there are far fewer.
	maxPairs = 4096
)

// pairs finds the secret with which the events of a path are signed. Pairs never change, so each is read once.
type pairs struct {
	cache client.Reader
	lister
	outputs *output.Writer
	now     func() time.Time

	// listing and reading each allow one request to the API server at a time.
	listing, reading chan struct{}

	mu sync.Mutex
	// last is what the API server last showed.
	last snapshot
	// secrets are those that were read.
	secrets secrets
}

// registered is a registration whose events are accepted, and its subscription.
type registered struct {
	sub  *v1alpha1.SmileWebhookSubscription
	pair string
}

// snapshot is what the API server showed of all registered paths, by their hashes.
type snapshot struct {
	paths        map[string]registered
	err          error
	began, ended time.Time
}

// find looks for a path without a request to the API server. The cache may lack a path because its watch was interrupted; listed
// is whether the API server showed the path in the last snapshot.
func (p *pairs) find(ctx context.Context, path string) (found registered, listed bool, err error) {
	hash := hook.HashPath(path)
	var cached v1alpha1.SmileWebhookSubscriptionList
	if err := p.cache.List(ctx, &cached, client.MatchingFields{index.PathHash: hash}); err != nil {
		return registered{}, false, err
	}
	if found, listed = accepting(cached.Items, p.now())[hash]; listed {
		return found, true, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, listed = p.last.paths[hash]
	return registered{}, listed, nil
}

// confirm looks for a path that the cache does not show. After a pair is stored, hook.HeadStart passes before Smile is called. So
// a snapshot that began less than that before the request arrived shows every path to which genuine events can come. However many
// forgeries arrive, there is one snapshot in that time, or one in failureInterval while they fail.
func (p *pairs) confirm(ctx context.Context, path string, arrived time.Time) (registered, error) {
	if err := acquire(ctx, p.listing); err != nil {
		return registered{}, err
	}
	defer func() { <-p.listing }()
	if !p.last.suffices(arrived, p.now()) {
		p.refresh(ctx)
	}
	if p.last.err != nil {
		return registered{}, p.last.err
	}
	return p.last.paths[hook.HashPath(path)], nil
}

func (s snapshot) suffices(arrived, now time.Time) bool {
	if s.err != nil {
		return now.Sub(s.ended) < failureInterval
	}
	return s.began.After(arrived.Add(-hook.HeadStart))
}

// refresh makes a snapshot. It does not end with the request that causes it, because others wait for it. If it fails, the paths
// of the one before remain.
func (p *pairs) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	latest := snapshot{began: p.now(), paths: p.last.paths}
	all, err := p.list(ctx)
	if latest.err = err; err == nil {
		latest.paths = accepting(all, p.now())
	}
	latest.ended = p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = latest
}

// lister lists the subscriptions that the cache has, from the API server.
type lister struct {
	live       client.Reader
	namespaces []string // all if there are none
	selector   labels.Selector
}

func (l lister) list(ctx context.Context) (all []v1alpha1.SmileWebhookSubscription, err error) {
	namespaces := l.namespaces
	if len(namespaces) == 0 {
		namespaces = []string{corev1.NamespaceAll}
	}
	for _, namespace := range namespaces {
		var listed v1alpha1.SmileWebhookSubscriptionList
		err := l.live.List(ctx, &listed, &client.ListOptions{Namespace: namespace, LabelSelector: l.selector})
		if err != nil {
			return nil, err
		}
		all = append(all, listed.Items...)
	}
	return all, nil
}

// accepting returns the registrations whose events are accepted now, by the hashes of their paths.
func accepting(subs []v1alpha1.SmileWebhookSubscription, now time.Time) map[string]registered {
	paths := map[string]registered{}
	for i := range subs {
		for _, r := range subs[i].Status.Registrations {
			if r.PathHash != "" && (r.AcceptedUntil == nil || r.AcceptedUntil.After(now)) {
				paths[r.PathHash] = registered{&subs[i], r.ID}
			}
		}
	}
	return paths
}

// secret returns the secret with which the events of a pair are signed. Only the first call for a pair asks the API server.
func (p *pairs) secret(ctx context.Context, r registered, path string) (smile.Sensitive[string], error) {
	key := string(r.sub.UID) + "/" + r.pair
	if secret, ok, err := p.remembered(key); ok {
		return secret, err
	}
	if err := acquire(ctx, p.reading); err != nil {
		return smile.Sensitive[string]{}, err
	}
	defer func() { <-p.reading }()
	if secret, ok, err := p.remembered(key); ok {
		return secret, err
	}
	secret, err := p.read(ctx, r, path)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secrets.put(key, secret, err, p.now())
	return secret, err
}

func (p *pairs) remembered(key string) (secret smile.Sensitive[string], ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.secrets.get(key, p.now())
}

func (p *pairs) read(ctx context.Context, r registered, path string) (smile.Sensitive[string], error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout) // others wait for it
	defer cancel()
	content, err := p.outputs.Read(ctx, r.sub, output.Target{Kind: output.Secret, Name: r.sub.Status.SecretName})
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

// secrets are the results of reads of pairs.
type secrets struct {
	byPair map[string]smile.Sensitive[string]
	failed map[string]failure
}

// failure is why a pair could not be read, and when.
type failure struct {
	err error
	at  time.Time
}

// get returns the result of the last read; ok is false if the pair must be read.
func (s *secrets) get(key string, now time.Time) (secret smile.Sensitive[string], ok bool, err error) {
	if secret, ok := s.byPair[key]; ok {
		return secret, true, nil
	}
	failed, ok := s.failed[key]
	if ok && now.Sub(failed.at) < failureInterval {
		return secret, true, failed.err
	}
	return secret, false, nil
}

func (s *secrets) put(key string, secret smile.Sensitive[string], err error, now time.Time) {
	if len(s.byPair) >= maxPairs || s.byPair == nil {
		s.byPair = map[string]smile.Sensitive[string]{}
	}
	if len(s.failed) >= maxPairs || s.failed == nil {
		s.failed = map[string]failure{}
	}
	if err != nil {
		s.failed[key] = failure{err, now}
		return
	}
	delete(s.failed, key)
	s.byPair[key] = secret
}
