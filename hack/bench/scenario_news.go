package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/smile-operator/smile-operator/internal/audit"
	"github.com/smile-operator/smile-operator/internal/sandbox"
)

const (
	newsUsers = 1000
	// calmNews is the rate of news, per second, at which calls and requests are counted.
	calmNews = 20
	// firstNews is the rate at which the search for the highest sustained rate begins. fine is its precision.
	firstNews = 40
	fine      = 1.1
	// newsLasts is how long a rate must be sustained if there are enough users, newsLastsLeast how long in any case. inTime is the
	// limit of the 99th percentile.
	newsLasts      = 10 * time.Second
	newsLastsLeast = 2 * time.Second
	inTime         = time.Second
	// drained is the longest time until the news of a rate that was too high has arrived.
	drained = 3 * time.Minute
)

var news = scenario{
	name: "news",
	title: func(o options) string {
		return fmt.Sprintf("cost of a piece of news, and the highest sustained rate of news of %d accounts, over a bare loop", newsCrowd(o))
	},
	smile:    func(options) sandbox.Options { return sandbox.Options{AllowHTTPWebhooks: true} },
	workload: synced(newsCrowd, map[string]float64{"events a second, counted": calmNews, "events a second, first searched": firstNews}),
	limit:    within(25*time.Minute, 0),
	run:      runNews,
}

func newsCrowd(o options) int { return min(o.users, newsUsers) }

func runNews(ctx context.Context, st *stage) ([]figure, error) {
	w := &newsroom{stage: st, names: names("user", newsCrowd(st.options)), accounts: map[string]string{}, changes: map[string][]change{}}
	if err := w.prepare(ctx, w.subscribe, func(context.Context) error { return nil }); err != nil {
		return nil, err
	}
	figures, err := w.costs(ctx)
	if err != nil {
		return nil, err
	}
	operator, err := w.sustained(ctx, "the operator", w.operator.alive)
	if err != nil {
		return figures, err
	}
	if err := w.operator.end(); err != nil {
		return figures, err
	}
	bare, err := w.bare(ctx)
	if err != nil {
		return figures, err
	}
	how := fmt.Sprintf("refreshes of %d accounts at the sandbox, evenly spaced over up to %s, which sends an event for each; the highest "+
		"rate at which 99 of 100 Secrets have changed within %s, to a factor of %.1f", len(w.names), newsLasts, inTime, fine)
	return append(figures,
		figure{Name: "pieces of news a second, sustained: operator", AtLeast: true, Measured: operator, How: how},
		figure{
			Name: "pieces of news a second, sustained: bare loop", Reference: true, Measured: bare,
			How: how + "; one call and one update of a Secret for each event",
		},
		figure{
			Name: "sustained news a second, operator over bare loop", Target: atMost(0.6), AtLeast: true, Measured: operator / bare,
			How: "the two above",
		},
	), nil
}

// costs counts the calls and requests for each piece of news at a low rate.
func (w *newsroom) costs(ctx context.Context) ([]figure, error) {
	place, err := w.audit.End()
	if err != nil {
		return nil, err
	}
	mark, pieces := w.mark(), w.names[:min(len(w.names), 200)]
	waits, _, err := w.spread(ctx, pieces, calmNews, w.operator.alive)
	if err != nil {
		return nil, err
	}
	if err := w.settle(ctx, w.operator); err != nil {
		return nil, err
	}
	requests, err := w.requests(place)
	if err != nil {
		return nil, err
	}
	requests = only(requests, func(r audit.Request) bool { return r.Verb != "watch" })
	calls := w.smile.Journal(mark)
	w.say("%d pieces of news, %d a second: calls: %s; requests: %s", len(pieces), calmNews, tallyCalls(calls), tallyRequests(requests))
	how := fmt.Sprintf("%d refreshes of as many accounts, %d a second, each reported by a webhook; ", len(pieces), calmNews)
	return []figure{
		{
			Name: "Smile calls per piece of news told by webhook", Target: atMost(1), Measured: perUser(len(calls), len(pieces)),
			Generic: "polling", How: how + "the sandbox's journal",
		},
		{
			Name: "API-server requests per piece of news", Target: atMost(5), Measured: perUser(len(requests), len(pieces)),
			How: how + "the API server's audit log: all requests of the operator, including reads of Secrets, without watches and the leader lease",
		},
		{
			Name: fmt.Sprintf("news at Smile to data in the Secret, by webhook, %d a second, p99", calmNews), Unit: "s", Target: atMost(0.25),
			Measured: percentile(waits, 99).Seconds(), Generic: "polling", How: how + "to the change of the Secret that a watch saw",
		},
	}, nil
}

// bare returns the highest rate that the bare loop sustains.
func (w *newsroom) bare(ctx context.Context) (float64, error) {
	p, err := w.launch(ctx, "bareloop", []string{
		"-namespace=" + namespace, "-smile=" + w.smile.URL + "/v1", "-keys=" + apiKey + ":" + apiSecret, "-events=" + w.address,
		"-concurrency=" + strconv.Itoa(operatorConcurrency),
	}, "KUBECONFIG="+w.access)
	if err != nil {
		return 0, err
	}
	return w.sustained(ctx, "the bare loop", func() error {
		select {
		case <-p.Done():
			return fmt.Errorf("the bare loop ended: %w", errors.Join(p.Err(), errors.New("see its log")))
		default:
			return nil
		}
	})
}

// sustained searches for the highest rate at which news arrives in time: it doubles the rate until that fails, and then halves
// the gap.
func (w *newsroom) sustained(ctx context.Context, who string, alive func() error) (float64, error) {
	good, bad := 0.0, 0.0
	for rate := float64(firstNews); bad == 0 || bad/good > fine; {
		if rate*newsLastsLeast.Seconds() > float64(len(w.names)) {
			return good, fmt.Errorf("%s sustains %.0f a second or more: %d users are too few to tell", who, good, len(w.names))
		}
		made, p99, err := w.attempt(ctx, rate, alive)
		if err != nil {
			return 0, err
		}
		w.say("%s: %.0f a second, p99 %.2f s", who, made, p99.Seconds())
		switch {
		case p99 <= inTime && made < rate/fine:
			return 0, fmt.Errorf("only %.0f a second could be made where %.0f were wanted", made, rate)
		case p99 <= inTime:
			good = rate
		default:
			bad = rate
		}
		rate = nextRate(good, bad)
	}
	return good, nil
}

// nextRate is the rate to try after the highest good and the lowest bad rate. 0 means that there is none.
func nextRate(good, bad float64) float64 {
	switch {
	case bad == 0:
		return 2 * good
	case good == 0:
		return bad / 2
	default:
		return math.Sqrt(good * bad)
	}
}

// attempt has news happen at a rate, and returns the real rate and the 99th percentile of the delays.
func (w *newsroom) attempt(ctx context.Context, rate float64, alive func() error) (made float64, p99 time.Duration, err error) {
	pieces := w.names[:min(len(w.names), int(rate*newsLasts.Seconds()))]
	waits, lasted, err := w.spread(ctx, pieces, rate, alive)
	if err != nil {
		return 0, 0, err
	}
	return float64(len(pieces)) / lasted.Seconds(), percentile(waits, 99), nil
}

// spread refreshes the account of each user, at a rate, and waits until all data has arrived. It returns the delay
// of each, and the time until all had happened.
func (w *newsroom) spread(
	ctx context.Context, names []string, rate float64, alive func() error,
) (waits []time.Duration, lasted time.Duration, err error) {
	had, happened, began := w.items(), map[string]time.Time{}, time.Now()
	for i, name := range names {
		select {
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		case <-time.After(time.Until(began.Add(time.Duration(float64(i) / rate * float64(time.Second))))):
		}
		happened[name] = time.Now()
		if _, err := w.smile.Resync(w.accounts[name]); err != nil {
			return nil, 0, err
		}
	}
	lasted = time.Since(began)
	more := story{shows: func(had, has int) bool { return has > had }}
	err = w.until(ctx, "all of it shows in the Secrets", drained, func() (bool, string, error) {
		waits = w.arrived(had, happened, more)
		return len(waits) == len(happened), fmt.Sprintf("%d of %d do", len(waits), len(happened)), alive()
	})
	return waits, lasted, err
}
