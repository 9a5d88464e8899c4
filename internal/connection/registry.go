package connection

import (
	"context"
	"crypto/x509"
	"maps"
	"net/url"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

// Config is what a registry needs.
type Config struct {
	// Connections reads SmileConnections, from the cache.
	Connections client.Reader
	// Secrets reads Secrets, live.
	Secrets client.Reader
	// Hosts are the hosts that key pairs may be sent to.
	Hosts *transport.HostPolicy
	// Budgets holds the call budget of each API host; the vendor's hosts share one.
	Budgets *transport.BudgetSet
	// RequestsPerSecond is the budget of a host; 0 means unlimited.
	RequestsPerSecond float64
	// Roots returns the certificate authorities to trust for the API hosts, as transport.Config.Roots does. If Roots is nil, the
	// system pool is used. A connection may add its own.
	Roots func() *x509.CertPool
	// Metrics of the calls.
	Metrics *transport.Metrics
	// Identity keys the fingerprints.
	Identity identity.Key
	// Clock of the breakers and revoke limits, which is compared with those of the API hosts.
	Clock clock.PassiveClock
	// UserAgent of the calls.
	UserAgent string
	// Selector is the label selector of the objects that this process reads; "" if it reads all.
	Selector string
}

// Registry holds the connections of this process.
type Registry struct {
	config Config
	fence  transport.Fence
	clocks *transport.Clocks
	events chan event.TypedGenericEvent[*v1alpha1.SmileConnection]
	// standby is used while this process does not lead.
	standby standbyReads

	mu          sync.Mutex
	connections map[types.NamespacedName]*Connection
	// good holds the former connection of each name whose pair was proven.
	good     map[types.NamespacedName]*Connection
	limiters map[types.NamespacedName]*revokeLimiter
	// listings holds the share of each API account.
	listings map[string]*listings
}

// NewRegistry makes an empty registry. Nothing at Smile is changed while fence refuses.
func NewRegistry(config Config, fence transport.Fence) *Registry {
	return &Registry{
		config:      config,
		fence:       fence,
		clocks:      transport.NewClocks(config.Clock),
		events:      make(chan event.TypedGenericEvent[*v1alpha1.SmileConnection], 1024),
		connections: map[types.NamespacedName]*Connection{},
		good:        map[types.NamespacedName]*Connection{},
		limiters:    map[types.NamespacedName]*revokeLimiter{},
		listings:    map[string]*listings{},
	}
}

// Events are the connections that must be reconciled because something that their status shows has changed.
func (r *Registry) Events() <-chan event.TypedGenericEvent[*v1alpha1.SmileConnection] {
	return r.events
}

// For returns the connection that an object of a namespace names. If it is not ready, the error is a problem that says so on the
// right condition. While a changed pair has not been proven, the last proven one is still used.
func (r *Registry) For(ctx context.Context, namespace string, ref v1alpha1.ConnectionReference) (*Connection, error) {
	name := types.NamespacedName{Namespace: namespace, Name: ref.Name}
	var obj v1alpha1.SmileConnection
	err := r.config.Connections.Get(ctx, name, &obj)
	switch {
	case apierrors.IsNotFound(err):
		return nil, r.notFound()
	case err != nil:
		return nil, err
	case obj.Spec.Suspend:
		return nil, errSuspended
	case meta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionReady) == nil:
		return nil, errUnchecked
	case meta.IsStatusConditionTrue(obj.Status.Conditions, v1alpha1.ConditionReady):
		return r.ready(ctx, &obj)
	}
	if former := r.former(&obj); former != nil {
		return former, nil
	}
	return nil, errNotReady
}

// ready returns the connection of an object that is Ready: with the pair that is in the Secret, or the last one that was proven.
func (r *Registry) ready(ctx context.Context, obj *v1alpha1.SmileConnection) (*Connection, error) {
	name := client.ObjectKeyFromObject(obj)
	conn := r.current(name, obj)
	if conn == nil {
		var err error
		if conn, err = r.Refresh(ctx, obj); err != nil {
			return nil, err
		}
	}
	if conn.proven.Load() {
		return conn, nil
	}
	if last := r.lastProven(name); last != nil && last.uid == obj.UID {
		return last, nil
	}
	return nil, errChecking
}

// former returns the last connection whose pair was proven, if the pair that is now in the Secret is refused and the former one
// still works; otherwise nil. Nothing except the pair may have changed, because any other defect must stop the connection.
func (r *Registry) former(obj *v1alpha1.SmileConnection) *Connection {
	ready := meta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Reason != v1alpha1.ReasonInvalidCredentials {
		return nil
	}
	name := client.ObjectKeyFromObject(obj)
	present, last := r.current(name, obj), r.lastProven(name)
	if present == nil || last == nil || !last.replaceable(present) || last.Usable() != nil {
		return nil
	}
	return last
}

// Refused is the problem of a connection whose key pair is refused. Its message says whether the former pair is still used.
func (r *Registry) Refused(conn *Connection) *problem.Problem {
	if last := r.lastProven(conn.Name); last != nil && last.replaceable(conn) && last.Usable() == nil {
		return errFormerUsed
	}
	return errRefused
}

// ProvenAccount identifies the API account of a connection. ok is false if this process has not proven its pair.
func (r *Registry) ProvenAccount(namespace string, ref v1alpha1.ConnectionReference) (account string, ok bool) {
	conn := r.lastProven(types.NamespacedName{Namespace: namespace, Name: ref.Name})
	if conn == nil {
		return "", false
	}
	return conn.Account(), true
}

// lastProven is the last connection of a name whose pair was proven; nil if there was none.
func (r *Registry) lastProven(name types.NamespacedName) *Connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range []*Connection{r.connections[name], r.good[name]} {
		if conn != nil && conn.proven.Load() {
			return conn
		}
	}
	return nil
}

// ForUndo returns the connection to undo something with: the one that is ready, else the last one that was proven, even if its
// Secret or the SmileConnection itself was deleted.
func (r *Registry) ForUndo(ctx context.Context, namespace string, ref v1alpha1.ConnectionReference) (*Connection, error) {
	conn, err := r.For(ctx, namespace, ref)
	if err == nil {
		return conn, nil
	}
	if last := r.lastProven(types.NamespacedName{Namespace: namespace, Name: ref.Name}); last != nil {
		return last, nil
	}
	return nil, err
}

// Refresh reads the Secret of a connection again and returns the connection as it is now. The error says what is wrong with the
// spec or the Secret. After an error, ForUndo still returns the last proven connection.
func (r *Registry) Refresh(ctx context.Context, obj *v1alpha1.SmileConnection) (*Connection, error) {
	secret, err := SecretReference(obj).Read(ctx, r.config.Secrets)
	if err != nil {
		return nil, err
	}
	endpoint, err := r.endpoint(obj, secret)
	if err != nil {
		return nil, err
	}
	pair, undeclared, err := r.permittedPair(obj, secret)
	if err != nil {
		return nil, err
	}
	authorities, err := authoritiesFrom(secret)
	if err != nil {
		return nil, err
	}
	conn := r.build(obj, endpoint, pair, trust{
		exempt: secret.Annotations[v1alpha1.AnnotationAllowVendorAddresses] == "true", authorities: authorities,
	})
	conn.AdoptionAllowed = secret.Annotations[v1alpha1.AnnotationAllowAdoption] == "true"
	conn.Undeclared = undeclared
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.connections[conn.Name]
	if last != nil && last.proven.Load() {
		r.good[conn.Name] = last
	}
	if last != nil && last.Account() != conn.Account() {
		r.leave(last)
	}
	r.connections[conn.Name] = conn
	r.listingsOf(conn.Account()).join(conn.Name, obj.Spec.RequestsPerSecond)
	return conn, nil
}

func (r *Registry) current(name types.NamespacedName, obj *v1alpha1.SmileConnection) *Connection {
	conn := r.present(name)
	if conn == nil || conn.uid != obj.UID || conn.generation != obj.Generation {
		return nil
	}
	return conn
}

// present is the connection of a name as it was last read; nil if it was not.
func (r *Registry) present(name types.NamespacedName) *Connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.connections[name]
}

// build makes a connection.
func (r *Registry) build(
	obj *v1alpha1.SmileConnection, endpoint *url.URL, pair transport.Credentials, trusted trust,
) *Connection {
	s := r.session(obj, endpoint, pair, trusted)
	rate := r.config.RequestsPerSecond
	if own := float64(obj.Spec.RequestsPerSecond); own > 0 && (rate == 0 || own < rate) {
		rate = own
	}
	conn := &Connection{
		Name:              client.ObjectKeyFromObject(obj),
		Mode:              obj.Spec.Mode,
		Endpoint:          endpoint.String(),
		RequestsPerSecond: rate,
		ResyncInterval:    defaultResyncInterval,
		RevokesPerDay:     revokesPerDay(obj),
		Observes:          obj.Spec.ManagementPolicy == v1alpha1.PolicyObserve,
		session:           s,
		limiter:           r.limiterOf(obj),
		uid:               obj.UID,
		generation:        obj.Generation,
	}
	if obj.Spec.ResyncInterval != nil {
		conn.ResyncInterval = obj.Spec.ResyncInterval.Duration
	}
	conn.proven.Store(s.provenFor(obj))
	if last := r.present(conn.Name); last != nil && last.uid == obj.UID && last.session == s {
		conn.Client, conn.mutator, conn.gate = last.Client, last.mutator, last.gate
		conn.gate.share.Limit(int64(obj.Spec.RequestsPerSecond))
		conn.proven.Store(last.proven.Load())
		return conn
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	conn.gate = gate{session: s, share: new(transport.Share), flow: conn.Name.String(), listings: r.listingsOf(s.account)}
	conn.gate.share.Limit(int64(obj.Spec.RequestsPerSecond))
	conn.mutator = smile.NewMutator(endpoint, conn.gate).Observed(s.observe)
	conn.Client = conn.mutator.Client
	return conn
}

// session returns the session of a key pair at an endpoint, the existing one if there is one.
func (r *Registry) session(
	obj *v1alpha1.SmileConnection, endpoint *url.URL, pair transport.Credentials, trusted trust,
) *session {
	account := r.config.Identity.Fingerprint("account", []byte(transport.Canonical(endpoint).String()), []byte(pair.Key.Reveal()))
	fingerprint := r.fingerprint(pair)
	s := r.find(func(s *session) bool {
		return s.endpoint == endpoint.String() && s.trust == trusted && s.fingerprint == fingerprint && s.mode == obj.Spec.Mode
	})
	if s == nil {
		s = r.newSession(endpoint, pair, trusted)
		s.account, s.fingerprint, s.mode = account, fingerprint, obj.Spec.Mode
	}
	ready := meta.FindStatusCondition(obj.Status.Conditions, v1alpha1.ConditionReady)
	s.restore(obj.Status.Credentials, s.provenFor(obj), ready != nil && ready.Reason == v1alpha1.ReasonModeMismatch)
	return s
}

// find returns a session that matches; nil if there is none. An alias of a host has a session of its own, because whether the
// alias can be reached must be proven too.
func (r *Registry) find(matches func(*session) bool) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.held() {
		if matches(conn.session) {
			return conn.session
		}
	}
	return nil
}

// held are the connections that may be used, and the former ones that still can be. The caller holds the lock.
func (r *Registry) held() []*Connection {
	all := slices.Collect(maps.Values(r.connections))
	for _, former := range r.good {
		if !former.session.breaker.denied() {
			all = append(all, former)
		}
	}
	return all
}
