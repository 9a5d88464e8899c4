package mirror

import (
	"context"
	"sync"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// providers are those that this process has read. They do not change.
type providers struct {
	mu   sync.Mutex
	byID map[string]smile.Provider
}

func newProviders() *providers { return &providers{byID: map[string]smile.Provider{}} }

func (p *providers) get(id string) (smile.Provider, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	provider, ok := p.byID[id]
	return provider, ok
}

func (p *providers) put(id string, provider smile.Provider) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byID[id] = provider
}

// Provider returns a provider: from memory, or by a call.
func (m *Mirror) Provider(ctx context.Context, id string) (smile.Provider, error) {
	if provider, ok := m.providers.get(id); ok {
		return provider, nil
	}
	provider, err := m.client.Provider(ctx, id)
	if err == nil {
		m.providers.put(id, provider)
	}
	return provider, err
}
