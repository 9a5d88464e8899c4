package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
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
	// newsLasts is how long a rate must be sustained. inTime is the limit of the 99th percentile.
	newsLasts = 10 * time.Second
	inTime    = time.Second
	// drained is the longest time until the news of a rate that was too high has arrived.
	drained = 3 * time.Minute
)

var news = scenario{
	name: "news",
	title: func(o options) string {
		return fmt.Sprintf(
			"cost of a piece of news, and the highest sustained rate of news of %d accounts, over a bare loop",
			newsUserCount(o),
		)
	},
	smile: func(options) sandbox.Options { return sandbox.Options{AllowHTTPWebhooks: true} },
	workload: synced(
		newsUserCount,
		map[string]float64{"events a second, counted": calmNews, "events a second, first searched": firstNews},
	),
	limit: within(25*time.Minute, 0),
	run:   runNews,
}

func newsUserCount(o options) int { return min(o.users, newsUsers) }

func runNews(ctx context.Context, st *stage) ([]figure, error) {
	w := &syncedUsers{
		stage:    st,
		names:    names("user", newsUserCount(st.options)),
		accounts: map[string]string{},
		changes:  map[string][]change{},
	}
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
	how := fmt.Sprintf(
		"refreshes of %d accounts at the sandbox in turn, evenly spaced over %s, which sends an event for each; the highest "+
			"rate at which 99 of 100 Secrets have changed within %s, to a factor of %.1f",
		len(w.names),
		newsLasts,
		inTime,
		fine,
	)
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
func (w *syncedUsers) costs(ctx context.Context) ([]figure, error) {
	place, err := w.audit.End()
	if err != nil {
		return nil, err
	}
	mark, pieces := w.mark(), min(len(w.names), 200)
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
	w.say(
		"%d pieces of news, %d a second: calls: %s; requests: %s",
		pieces,
		calmNews,
		tallyCalls(calls),
		tallyRequests(requests),
	)
	how := fmt.Sprintf("%d refreshes of as many accounts, %d a second, each reported by a webhook; ", pieces, calmNews)
	return []figure{
		{
			Name: "Smile calls per piece of news reported by webhook", Target: atMost(1), Measured: perUser(len(calls), pieces),
			Generic: "polling", How: how + "the sandbox's journal",
		},
		{
			Name: "API-server requests per piece of news", Target: atMost(5), Measured: perUser(len(requests), pieces),
			How: how + "the API server's audit log: all requests of the operator, including reads of Secrets, without watches and the leader lease",
		},
		{
			Name: fmt.Sprintf("news at Smile to data in the Secret, by webhook, %d a second, p99", calmNews), Unit: "s",
			Target: atMost(0.25), Measured: percentile(waits, 99).Seconds(), Generic: "polling",
			How: how + "to the change of the Secret that a watch saw",
		},
	}, nil
}

// bare returns the highest rate that the bare loop sustains.
func (w *syncedUsers) bare(ctx context.Context) (float64, error) {
	p, err := w.launch(ctx, "bareloop", []string{
		"-namespace=" + namespace, "-smile=" + w.smile.URL + "/v1", "-keys=" + apiKey + ":" + apiSecret, "-events=" + w.address,
		"-concurrency=" + strconv.Itoa(operatorConcurrency),
	}, "KUBECONFIG="+w.access)
	if err != nil {
		return 0, err
	}
	alive := func() error {
		select {
		case <-p.Done():
			return fmt.Errorf("the bare loop ended: %w", errors.Join(p.Err(), errors.New("see its log")))
		default:
			return nil
		}
	}
	err = w.until(ctx, "the bare loop accepts connections", time.Minute, func() (bool, string, error) {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", w.address)
		if err != nil {
			return false, err.Error(), alive()
		}
		return true, "", conn.Close()
	})
	if err != nil {
		return 0, err
	}
	return w.sustained(ctx, "the bare loop", alive)
}

// sustained searches for the highest rate at which news arrives in time: it doubles the rate until that fails, and then halves
// the gap.
func (w *syncedUsers) sustained(ctx context.Context, who string, alive func() error) (float64, error) {
	good, bad := 0.0, 0.0
	for rate := float64(firstNews); bad == 0 || bad/good > fine; {
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

// attempt produces news at a rate, and returns the real rate and the 99th percentile of the delays.
func (w *syncedUsers) attempt(
	ctx context.Context, rate float64, alive func() error,
) (made float64, p99 time.Duration, err error) {
	pieces := int(rate * newsLasts.Seconds())
	waits, lasted, err := w.spread(ctx, pieces, rate, alive)
	if err != nil {
		return 0, 0, err
	}
	return float64(pieces) / lasted.Seconds(), percentile(waits, 99), nil
}

// piece is a piece of news of an account: when it happened, and how many items its user's Secret has when it shows it.
type piece struct {
	user  string
	at    time.Time
	items int
}

// spread refreshes the accounts of the users in turn, at a rate, and waits until all data has arrived. It returns the delay of
// each piece of news, and the time until all had happened. Each refresh adds one item.
func (w *syncedUsers) spread(
	ctx context.Context, n int, rate float64, alive func() error,
) (waits []time.Duration, lasted time.Duration, err error) {
	items, pieces, began := w.items(), make([]piece, 0, n), time.Now()
	for i := range n {
		select {
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		case <-time.After(time.Until(began.Add(time.Duration(float64(i) / rate * float64(time.Second))))):
		}
		user := w.names[i%len(w.names)]
		items[user]++
		pieces = append(pieces, piece{user, time.Now(), items[user]})
		if _, err := w.smile.Resync(w.accounts[user]); err != nil {
			return nil, 0, err
		}
	}
	lasted = time.Since(began)
	err = w.until(ctx, "all of it shows in the Secrets", drained, func() (bool, string, error) {
		waits = w.delays(pieces)
		return len(waits) == n, fmt.Sprintf("%d of %d do", len(waits), n), alive()
	})
	return waits, lasted, err
}

// delays returns the delay of each piece of news that has arrived.
func (w *syncedUsers) delays(pieces []piece) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var waits []time.Duration
	for _, p := range pieces {
		changes := w.changes[dataOf(p.user)]
		if i := slices.IndexFunc(changes, func(c change) bool { return c.at.After(p.at) && c.items >= p.items }); i >= 0 {
			waits = append(waits, changes[i].at.Sub(p.at))
		}
	}
	return waits
}
