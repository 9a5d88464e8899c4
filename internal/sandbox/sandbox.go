package sandbox

import (
	"net/http"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/canary"
	"github.com/smile-operator/smile-operator/internal/sandbox/clock"
	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/ids"
)

// Sandbox is an emulated Smile. It is an http.Handler that serves every vendor
// host by path alone. What time does is caught up with when somebody looks, or
// when the alarm rings.
type Sandbox struct {
	clock      *clock.Clock
	alarm      *clock.Alarm // set to the next appointment of any tenant
	deliveries *delivery.Queue
	disk       *disk // nil if nothing is kept
	hookForm   form
	ids        *ids.Source
	canaries   *canary.Marker
	behaviour  behaviour
	linker     *linker
	tenants    map[string]*tenant // by key, fixed
	keys       []string           // in the order of the options

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
	kept, start, err := remember(&options)
	if err != nil {
		return nil, err
	}
	options = options.withDefaults()
	s, err := newSandbox(options, kept, start)
	if err != nil {
		kept.close()
	}
	return s, err
}

func newSandbox(options Options, kept *disk, start string) (*Sandbox, error) {
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
	ids := ids.New(options.Seed, start)
	marks := canary.New(options.Canary, ids)
	s := &Sandbox{
		clock: clock.New(options.Now), hookForm: webhookForm(options.AllowHTTPWebhooks), ids: ids, canaries: marks, behaviour: b, tenants: tenants,
		linker:  &linker{ids: ids, canaries: marks, people: everybody, linkDelay: options.LinkDelay, dataDelay: options.DataDelay, dataLife: options.DataLife},
		stats:   requests{counts: map[string]map[int]int{}},
		meter:   meter{wall: options.Now},
		limiter: newLimiter(options.RateLimit, options.Now),
		closed:  make(chan struct{}),
		disk:    kept,
	}
	for _, pair := range options.Keys {
		s.keys = append(s.keys, pair.Key)
	}
	s.alarm = clock.NewAlarm(s.clock, s.catchUp)
	s.deliveries = s.newDeliveries(options)
	for _, t := range tenants {
		t.box = s
	}
	s.handler = s.routes()
	if err := s.restore(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Sandbox) newDeliveries(options Options) *delivery.Queue {
	config := delivery.Config{
		Clock: s.clock, Workers: options.WebhookWorkers, Timeout: options.WebhookTimeout, Retry: options.WebhookRetry,
		Roots: options.WebhookRoots, Transport: options.WebhookTransport,
		Signature: s.behaviour.writeSignature, Keep: s.keepDelivery, Flush: s.flush,
	}
	if s.behaviour.eventID == "per-attempt" {
		config.RetryID = func() string { return s.ids.Next("et-") }
	}
	return delivery.NewQueue(config)
}

// ServeHTTP serves the Open API under /v1/ and the control API under /_sandbox/.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.handler.ServeHTTP(w, r)
}

// remember opens the data directory, if there is one, and gives the seed that
// its state was made with back to the options. start is different each time.
func remember(options *Options) (kept *disk, start string, err error) {
	if options.Data == "" {
		return nil, "", nil
	}
	kept, err = openDisk(options.Data)
	if err != nil {
		return nil, "", err
	}
	start, err = kept.begin(options)
	if err != nil {
		kept.close()
		return nil, "", err
	}
	return kept, start, nil
}

// flush returns when everything that has changed is kept. A disk that cannot be
// written to is reported with the next call.
func (s *Sandbox) flush() { _ = s.disk.flush() }

// Close lets go of every call that a fault holds, and stops sending events. It
// may be called repeatedly.
func (s *Sandbox) Close() {
	s.closeOnce.Do(func() {
		close(s.closed)
		s.alarm.Stop()
		s.deliveries.Close()
		s.disk.close()
	})
}

// catchUp lets everything happen that is due, and sets the alarm anew.
func (s *Sandbox) catchUp() {
	now := s.clock.Now()
	for _, t := range s.tenants {
		t.catchUp(now)
		if next := t.next.Load(); next != never {
			s.alarm.Set(time.Unix(0, next))
		}
	}
	s.flush()
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
