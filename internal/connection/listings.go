package connection

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

type forAllKey struct{}

// WithAll marks calls that are made for all connections of an API account, whichever connection sends them. They do not use
// that connection's share of the budget, and do not keep its pace.
func WithAll(ctx context.Context) context.Context { return context.WithValue(ctx, forAllKey{}, true) }

// ForAll reports whether calls are made for all connections of an API account.
func ForAll(ctx context.Context) bool { return ctx.Value(forAllKey{}) != nil }

// listings is the share of the budget for calls that read for all connections of one API account. Its pace is that of the fastest
// connection. A single connection has one share for everything, so that all its calls together keep its pace.
type listings struct {
	account string
	share   transport.Share

	mu sync.Mutex
	// paces are how many calls a second each connection may make; 0 is as many as the budget permits.
	paces map[types.NamespacedName]int32
}

// listingsOf returns the share of an API account, always the same one. The caller holds the lock of the registry.
func (r *Registry) listingsOf(account string) *listings {
	l := r.listings[account]
	if l == nil {
		l = &listings{account: account, paces: map[types.NamespacedName]int32{}}
		r.listings[account] = l
	}
	return l
}

// join records that a connection uses the API account, and its pace.
func (l *listings) join(name types.NamespacedName, requestsPerSecond int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paces[name] = requestsPerSecond
	l.adapt()
}

// leave records that a connection no longer uses its API account. The caller holds the lock of the registry.
func (r *Registry) leave(conn *Connection) {
	l := r.listingsOf(conn.Account())
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.paces, conn.Name)
	l.adapt()
	if len(l.paces) == 0 {
		delete(r.listings, l.account)
	}
}

func (l *listings) adapt() {
	fastest := int32(0)
	for _, pace := range l.paces {
		if pace == 0 {
			fastest = 0
			break
		}
		fastest = max(fastest, pace)
	}
	l.share.Limit(int64(fastest))
}

// of returns flow and share of the calls that are made for all connections. The arguments are those of the connection that
// sends them.
func (l *listings) of(flow string, own *transport.Share) (string, *transport.Share) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.paces) < 2 {
		return flow, own
	}
	return "account " + l.account, &l.share
}
