package sandbox

import (
	"net/http"
	"sync"
	"time"
)

// Sandbox is an emulated Smile. It is an http.Handler that serves every vendor
// host by path alone. What time does is caught up with when somebody looks, or
// when the alarm rings.
type Sandbox struct {
	clock     clock
	alarm     *alarm // set to the next appointment of any tenant
	office    *office
	hookForm  form
	ids       *idSource
	canaries  *canaries
	behaviour behaviour
	linker    *linker
	tenants   map[string]*tenant // by key, fixed
	keys      []string           // in the order of the options

	faults  faults
	journal journal
	stats   requests
	meter   meter
	limiter *limiter

	handler   http.Handler
	closed    chan struct{}
	closeOnce sync.Once
}

// New makes a sandbox. An error says which option is wrong.
func New(options Options) (*Sandbox, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	options = options.withDefaults()
	b, err := newBehaviour(options.Quirks)
	if err != nil {
		return nil, err
	}
	tenants, err := newTenants(options.Keys)
	if err != nil {
		return nil, err
	}
	everybody, err := people()
	if err != nil {
		return nil, err
	}
	ids := newIDSource(options.Seed)
	marks := &canaries{prefix: options.Canary, ids: ids}
	s := &Sandbox{
		clock: clock{wall: options.Now}, hookForm: webhookForm(options.AllowHTTPWebhooks), ids: ids, canaries: marks, behaviour: b, tenants: tenants,
		linker:  &linker{ids: ids, canaries: marks, people: everybody, linkDelay: options.LinkDelay, dataDelay: options.DataDelay, dataLife: options.DataLife},
		stats:   requests{counts: map[string]map[int]int{}},
		meter:   meter{wall: options.Now},
		limiter: newLimiter(options.RateLimit, options.Now),
		closed:  make(chan struct{}),
	}
	for _, pair := range options.Keys {
		s.keys = append(s.keys, pair.Key)
	}
	s.alarm = &alarm{clock: &s.clock, ring: s.catchUp}
	s.office = newOffice(options, &s.clock, ids, &s.behaviour)
	for _, t := range tenants {
		t.box = s
	}
	s.handler = s.routes()
	return s, nil
}

// ServeHTTP serves the Open API under /v1/ and the control API under /_sandbox/.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.handler.ServeHTTP(w, r)
}

// Close lets go of every call that a fault holds, and stops sending events. It
// may be called repeatedly.
func (s *Sandbox) Close() {
	s.closeOnce.Do(func() {
		close(s.closed)
		s.alarm.stop()
		s.office.close()
	})
}

// catchUp lets everything happen that is due, and sets the alarm anew.
func (s *Sandbox) catchUp() {
	now := s.clock.now()
	for _, t := range s.tenants {
		t.catchUp(now)
		if next := t.next.Load(); next != never {
			s.alarm.set(time.Unix(0, next))
		}
	}
}

// pause waits in real time; false means that the sandbox was closed meanwhile.
func (s *Sandbox) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.closed:
		return false
	}
}
