package server

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/bodies"
	"github.com/smile-operator/smile-operator/internal/sandbox/canary"
	"github.com/smile-operator/smile-operator/internal/sandbox/clock"
	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/disk"
	"github.com/smile-operator/smile-operator/internal/sandbox/fixtures"
	"github.com/smile-operator/smile-operator/internal/sandbox/ids"
	"github.com/smile-operator/smile-operator/internal/sandbox/quirks"
	"github.com/smile-operator/smile-operator/internal/sandbox/ring"
	"github.com/smile-operator/smile-operator/internal/sandbox/traffic"
	"github.com/smile-operator/smile-operator/internal/sandbox/validate"
)

// Sandbox is an emulated Smile. It is an http.Handler that serves all of the
// vendor's hosts; only the path matters. Events that are due happen when a call
// arrives or the alarm rings.
type Sandbox struct {
	clock      *clock.Clock
	alarm      *clock.Alarm // set to the next event of any tenant
	deliveries *delivery.Queue
	disk       *disk.Disk // nil if the state is in memory
	hookForm   validate.Form
	ids        *ids.Source
	canaries   *canary.Marker
	behavior   quirks.Behavior
	quirks     []quirks.Setting
	linker     *linker
	tenants    map[string]*tenant // by key, fixed
	keys       []string           // in the order of the options
	// controlHosts are names that the control API may be reached by, in lower case.
	controlHosts []string

	bodies  *bodies.Store
	files   *ring.Ring[string, []byte] // contents, by the id of the file
	faults  faults
	journal traffic.Journal
	stats   *traffic.Counts
	meter   *traffic.Meter
	limiter *traffic.Limiter

	handler   http.Handler
	closed    chan struct{}
	closeOnce sync.Once
}

// New makes a sandbox. The error says which option is wrong.
func New(options Options) (*Sandbox, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	kept, start, err := openData(&options)
	if err != nil {
		return nil, err
	}
	options = options.withDefaults()
	s, err := newSandbox(options, kept, start)
	if err != nil {
		kept.Close()
	}
	return s, err
}

func newSandbox(options Options, kept *disk.Disk, start string) (*Sandbox, error) {
	b, err := quirks.NewBehavior(options.Quirks)
	if err != nil {
		return nil, err
	}
	tenants, err := newTenants(options.Keys)
	if err != nil {
		return nil, err
	}
	everybody, err := fixtures.People()
	if err != nil {
		return nil, err
	}
	ids := ids.New(options.Seed, start)
	marks := canary.New(options.Canary, ids)
	s := &Sandbox{
		clock: clock.New(options.Now), hookForm: webhookForm(options.AllowHTTPWebhooks),
		ids: ids, canaries: marks, behavior: b, quirks: quirks.Settings(options.Quirks), tenants: tenants,
		linker: &linker{
			ids: ids, canaries: marks, people: everybody, linkDelay: options.LinkDelay, dataDelay: options.DataDelay,
			dataLife: options.DataLife,
		},
		stats:   traffic.NewCounts(),
		meter:   traffic.NewMeter(options.Now),
		limiter: traffic.NewLimiter(options.RateLimit, options.Now),
		bodies:  bodies.NewStore(options.JournalBodies),
		files:   ring.New[string, []byte](maxFiles),
		closed:  make(chan struct{}),
		disk:    kept,
	}
	for _, pair := range options.Keys {
		s.keys = append(s.keys, pair.Key)
	}
	for _, name := range options.ControlHosts {
		s.controlHosts = append(s.controlHosts, strings.ToLower(name))
	}
	s.alarm = clock.NewAlarm(s.clock, s.catchUp)
	s.deliveries = s.newDeliveries(options)
	for _, t := range tenants {
		t.box = s
	}
	s.handler = s.routes()
	if err := s.restore(); err != nil {
		s.Close()
		return nil, disk.Damaged(options.Data, err)
	}
	return s, nil
}

func (s *Sandbox) newDeliveries(options Options) *delivery.Queue {
	config := delivery.Config{
		Clock: s.clock, Workers: options.WebhookWorkers, Timeout: options.WebhookTimeout, Retry: options.WebhookRetry,
		Roots: options.WebhookRoots, Transport: options.WebhookTransport,
		Signature: s.behavior.WriteSignature, Keep: s.keepDelivery, Flush: s.flush,
		Bodies: s.bodies,
	}
	if s.behavior.EventID == "per-attempt" {
		config.RetryID = func() string { return s.ids.Next("et-") }
	}
	return delivery.NewQueue(config)
}

// ServeHTTP serves the Open API under /v1/ and the control API under /_sandbox/.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.handler.ServeHTTP(w, r)
}

// flush returns when all changes are on the disk. If the disk cannot be written
// to, the next call reports it.
func (s *Sandbox) flush() { _ = s.disk.Flush() }

// Close releases the calls that a fault holds, and stops sending events. It may
// be called repeatedly.
func (s *Sandbox) Close() {
	s.closeOnce.Do(func() {
		close(s.closed)
		s.alarm.Stop()
		s.deliveries.Close()
		s.disk.Close()
	})
}

// catchUp makes everything happen that is due, and sets the alarm again.
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

// pause waits in real time. It returns false if the sandbox was closed
// meanwhile.
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
