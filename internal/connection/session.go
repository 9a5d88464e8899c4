package connection

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/problem"
	"github.com/smile-operator/smile-operator/internal/smile"
	"github.com/smile-operator/smile-operator/internal/smile/transport"
)

// trust is what the Secret of a connection permits about the API host.
type trust struct {
	// exempt is whether the vendor's hosts may be at the exempt addresses.
	exempt bool
	// authorities are certificate authorities in PEM format, which are trusted in addition to those of the operator.
	authorities string
}

// session is what this process knows of one key pair at one endpoint. Connections with the same pair share one, with its breaker.
type session struct {
	// account identifies the API account: canonical endpoint and API key, hashed.
	account string
	// endpoint as the connection names it.
	endpoint string
	trust    trust
	// fingerprint identifies the key pair, and may be shown.
	fingerprint string
	mode        v1alpha1.Mode

	transport *transport.Transport
	breaker   breaker
	// prober makes calls that the breaker does not stop.
	prober *smile.Client
	// changed is called when something that the connection's status shows has changed.
	changed func(*session)

	// clocks has the time of the API host, host.
	clocks *transport.Clocks
	host   string
	// timing is held while the time is requested from the host, and guards timeAsked, the time of the last such call.
	timing    sync.Mutex
	timeAsked time.Time

	// first runs the first create of a pair alone, because only a token shows the mode of the pair.
	first firstCreate

	mu            sync.Mutex
	proven        bool
	modeConfirmed bool
	knownUser     string
	// unseen are users that the pair could not see, and when they were requested.
	unseen map[string]time.Time
}

func (r *Registry) newSession(endpoint *url.URL, pair transport.Credentials, trusted trust) *session {
	s := &session{
		endpoint: endpoint.String(), trust: trusted, changed: r.changed,
		clocks: r.clocks, host: transport.HostPort(endpoint),
	}
	s.breaker.clock = r.config.Clock
	s.transport = transport.New(transport.Config{
		Credentials: func() transport.Credentials { return pair },
		Fence:       r.fence,
		Budget:      r.config.Budgets.For(transport.BudgetHost(endpoint)),
		Host:        r.config.Budgets.Host(transport.HostName(endpoint)),
		Hosts:       r.config.Hosts,
		Roots:       trusting(r.config.Roots, trusted.authorities),
		Metrics:     r.config.Metrics,
		Clocks:      r.clocks,
		UserAgent:   r.config.UserAgent,

		AllowExemptAddresses: trusted.exempt,
	})
	s.prober = smile.NewClient(endpoint, s.transport)
	return s
}

// observe is called with the error of each ordinary call. One refusal causes one probe. If the probe is refused too, the pair is
// bad. If it succeeds, the refusal is a problem of the object that made the call.
func (s *session) observe(ctx context.Context, err error) error {
	if !smile.IsDenied(err) {
		return err
	}
	if s.breaker.startProbe(smile.IsForbidden(err)) {
		_ = s.probe(context.WithoutCancel(ctx), s.prober.Probe)
	}
	if s.breaker.denied() {
		s.changed(s)
		return errDenied.Because(err)
	}
	if smile.IsForbidden(err) {
		return err
	}
	return problem.NewTransient(v1alpha1.ReasonSmileUnavailable,
		"Smile refused the key pair once and accepted it right after: retried with backoff").Because(err)
}

// probe makes a call and reports the result to the breaker. A panic proves nothing, and blocks no other call.
func (s *session) probe(ctx context.Context, call func(context.Context) error) error {
	denied, succeeded := false, false
	defer func() { s.breaker.probed(denied, succeeded) }()
	err := call(ctx)
	denied, succeeded = smile.IsDenied(err), err == nil
	return err
}

// prove checks, with at most one call, that the pair works and that it belongs to the tenant of knownUser, if that is not empty.
// A pair that was proven is not checked again. A user that the pair cannot see is requested again as rarely as a refused pair is
// probed.
func (s *session) prove(ctx context.Context, knownUser string) error {
	switch {
	case knownUser == "" && s.isProven() && !s.breaker.denied():
		return nil
	case !s.breaker.probeDue():
		return errRefused
	case s.cannotSee(knownUser):
		return errOtherTenant
	}
	err := s.probe(ctx, func(ctx context.Context) error { return s.probeUser(ctx, knownUser) })
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.proven = true
	case errors.Is(err, errOtherTenant):
		if s.unseen == nil {
			s.unseen = map[string]time.Time{}
		}
		s.unseen[knownUser] = s.breaker.clock.Now()
	case smile.IsDenied(err):
		return errRefused.Because(err)
	}
	return err
}

// probeUser requests a user that the pair should see, or anything if knownUser is empty. If the pair cannot see the user, it may
// still work.
func (s *session) probeUser(ctx context.Context, knownUser string) error {
	if knownUser == "" {
		return s.prober.Probe(ctx)
	}
	_, err := s.prober.User(ctx, knownUser)
	if smile.IsNotFound(err) || smile.IsForbidden(err) {
		return errOtherTenant
	}
	return err
}

// cannotSee reports whether it was found, within the last probeInterval, that the pair cannot see a user.
func (s *session) cannotSee(userID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, ok := s.unseen[userID]
	return ok && s.breaker.clock.Since(asked) < probeInterval
}

func (s *session) isProven() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proven
}

// provenFor reports whether the status of a connection shows that this very pair was proven for it.
func (s *session) provenFor(obj *v1alpha1.SmileConnection) bool {
	held := obj.Status.Credentials
	return held != nil && held.Fingerprint == s.fingerprint &&
		meta.IsStatusConditionTrue(obj.Status.Conditions, v1alpha1.ConditionCredentialsValid)
}

// restore takes what an earlier process stored about this very pair.
func (s *session) restore(credentials *v1alpha1.CredentialsStatus, proven, wrongMode bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if credentials == nil || credentials.Fingerprint != s.fingerprint {
		return
	}
	s.proven = s.proven || proven
	s.modeConfirmed = s.modeConfirmed || credentials.ModeConfirmed
	if wrongMode {
		s.breaker.setWrongMode()
	}
}

// learn takes what a token shows: the mode of the pair, and a user that the pair can see.
func (s *session) learn(mode smile.Mode, userID string) {
	s.mu.Lock()
	changed := false
	switch {
	case mode == "":
	case mode != wireMode(s.mode):
		s.breaker.setWrongMode()
		changed = true
	default:
		changed = !s.modeConfirmed || s.knownUser == ""
		s.modeConfirmed = true
		if s.knownUser == "" {
			s.knownUser = userID
		}
	}
	s.mu.Unlock()
	if changed {
		s.changed(s)
	}
}

func (s *session) confirmed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.modeConfirmed
}

func wireMode(mode v1alpha1.Mode) smile.Mode {
	if mode == v1alpha1.ModeProduction {
		return smile.ModeProduction
	}
	return smile.ModeSandbox
}

// gate sends the calls of one connection through its share of the budget and the breaker of its key pair. The breaker is checked
// again once the call has its slot, so that calls that were queued are not sent after a refusal.
type gate struct {
	session *session
	share   *transport.Share
	// listings is the share of the API account, for calls that read for all of its connections.
	listings *listings
	// flow names the connection, so that connections take turns.
	flow string
}

// calling is the context of calls that go through the gate.
func (g gate) calling(ctx context.Context) context.Context {
	flow, share := g.flow, g.share
	if ForAll(ctx) {
		flow, share = g.listings.of(g.flow, g.share)
	}
	return transport.WithShare(transport.WithFlow(ctx, flow), share)
}

func (g gate) Do(req *http.Request) (*http.Response, error) {
	ctx := g.calling(req.Context())
	if err := g.session.breaker.refusal(); err != nil {
		return nil, &smile.UnsentError{Cause: err}
	}
	return g.session.transport.Do(req.WithContext(smile.WithCheck(ctx, g.session.breaker.refusal)))
}
