package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/smile-operator/smile-operator/internal/controlplane"
	"github.com/smile-operator/smile-operator/internal/hook"
	"github.com/smile-operator/smile-operator/internal/sandbox"
	"github.com/smile-operator/smile-operator/internal/smile"
)

const (
	hostileUsers = 20
	// heldConnections is more than the receiver accepts.
	heldConnections = 1_100
	// heldFor is how long they are held before the first genuine event.
	heldFor = 10 * time.Second
	// genuineEvents are sent one by one.
	genuineEvents   = 30
	genuineInterval = time.Second
	// endlessFor is how long listings are endless.
	endlessFor = 30 * time.Second
)

var hostile = scenario{
	name: "hostile",
	title: func(o options) string {
		return fmt.Sprintf("%d users; %d connections to the receiver held by a sender that knows no path; endless listings",
			hostileUserCount(o), heldConnections)
	},
	smile: func(options) sandbox.Options { return sandbox.Options{AllowHTTPWebhooks: true} },
	workload: func(o options) workload {
		w := users(hostileUserCount, map[string]float64{
			"connections held": heldConnections, "genuine events a second": float64(time.Second) / float64(genuineInterval),
		})(o)
		w.Objects["SmileWebhookSubscription"] = 1
		return w
	},
	limit: within(10*time.Minute, 0),
	run:   runHostile,
}

func hostileUserCount(o options) int { return min(o.users, hostileUsers) }

func runHostile(ctx context.Context, st *stage) ([]figure, error) {
	proxy, err := st.neverEnding(ctx, st.smile.URL)
	if err != nil {
		return nil, err
	}
	address, err := controlplane.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	if err := st.connect(ctx); err != nil {
		return nil, err
	}
	s := &hostileRun{
		stage:   st,
		proxy:   proxy,
		address: address,
		people:  st.watchPeople(ctx),
		names:   names("user", hostileUserCount(st.options)),
	}
	if s.operator, err = st.operateAt(ctx, proxy.URL, unlimited, receiving(address)...); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	var figures []figure
	for _, part := range []func(context.Context) ([]figure, error){s.connections, s.listings} {
		measured, err := part(ctx)
		figures = append(figures, measured...)
		if err != nil {
			return figures, err
		}
	}
	return figures, nil
}

// hostileRun is one operator under attack.
type hostileRun struct {
	*stage
	proxy    *endlessProxy
	address  string // of the receiver
	people   *people
	names    []string
	operator *operator
	// pair is what genuine events are sent and signed with.
	pair hook.Pair
}

func (s *hostileRun) prepare(ctx context.Context) error {
	if err := s.subscribed(ctx, s.operator); err != nil {
		return err
	}
	if err := s.declare(ctx, s.names); err != nil {
		return err
	}
	if err := s.allAre(ctx, s.operator, s.people, "Ready", len(s.names), isReady, time.Minute); err != nil {
		return err
	}
	var secret corev1.Secret
	key := types.NamespacedName{Namespace: namespace, Name: hook.SecretName(subscriptionName)}
	if err := s.admin.Get(ctx, key, &secret); err != nil {
		return err
	}
	pairs, err := hook.ParsePairs(secret.Data[hook.KeyPairs])
	if err != nil || len(pairs) == 0 {
		return errors.Join(errors.New("there is no pair to sign events with"), err)
	}
	s.pair = pairs[0]
	return s.settle(ctx, s.operator)
}

// connections holds all connections of the receiver while genuine events arrive.
func (s *hostileRun) connections(ctx context.Context) ([]figure, error) {
	held, release := context.WithCancel(ctx)
	var holders sync.WaitGroup
	for i := range heldConnections {
		holders.Go(func() { hold(held, s.address, heldBy[i%len(heldBy)]) })
	}
	defer holders.Wait()
	defer release()
	if err := s.waitFor(ctx, s.operator, heldFor, "all connections have been held for a while"); err != nil {
		return nil, err
	}
	var waits []time.Duration
	accepted := 0
	tick := time.NewTicker(genuineInterval)
	defer tick.Stop()
	for i := range genuineEvents {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
		began := time.Now()
		status, err := s.genuine(ctx, s.people.of(s.names[i%len(s.names)]).userID)
		if err != nil {
			return nil, fmt.Errorf("a genuine event after %s: %w", time.Since(began), err)
		}
		waits = append(waits, time.Since(began))
		if status == http.StatusNoContent {
			accepted++
		}
	}
	s.say("half of %d events got their response within %.2f s", len(waits), percentile(waits, 50).Seconds())
	return []figure{
		{
			Name: fmt.Sprintf("genuine event to its answer, %d connections held, at most", heldConnections), Unit: "s",
			Target: atMost(6), Measured: slices.Max(waits).Seconds(),
			How: fmt.Sprintf(
				"%d events that the bench signs with the pair in the Secret and sends by a new connection each, while others are "+
					"opened again as soon as the receiver closes them",
				len(waits),
			),
		},
		{
			Name: fmt.Sprintf("genuine events not accepted, %d connections held", heldConnections), Target: atMost(0),
			Measured: float64(len(waits) - accepted), How: "responses other than 204 to those events",
		},
	}, s.operator.alive()
}

// heldBy is what a held connection sends before it goes silent: a part of a header, a part of a body, a whole request
// that is no event, or nothing.
var heldBy = []string{
	"",
	"POST /hooks/v1/x HTTP/1.1\r\nHost: r\r\n",
	"POST /hooks/v1/x HTTP/1.1\r\nHost: r\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	"GET //x HTTP/1.1\r\nHost: r\r\n\r\n",
}

// hold keeps a connection open until ctx ends, and opens another when it is closed.
func hold(ctx context.Context, address, sends string) {
	for ctx.Err() == nil {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			_, _ = io.WriteString(conn, sends)
			_, _ = io.Copy(io.Discard, conn) // until it is closed
			stop()
			_ = conn.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// genuine sends an event about a user as Smile does, on its own connection, and returns the status of the response.
func (s *hostileRun) genuine(ctx context.Context, userID string) (int, error) {
	body := fmt.Appendf(nil, `{"id":"et-%d","version":1,"type":"TASK_FINISHED","createdAt":%q,"data":{"userId":%q}}`,
		time.Now().UnixNano(), time.Now().UTC().Format(time.RFC3339), userID)
	mac := hmac.New(sha512.New, []byte(s.pair.Secret.Reveal()))
	mac.Write(body)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(
		ctx,
		http.MethodPost,
		"http://"+s.address+hook.Prefix+s.pair.Path.Reveal(),
		bytes.NewReader(body),
	)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(smile.SignatureHeader, hex.EncodeToString(mac.Sum(nil)))
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// listings has the accounts of all users listed while every such listing is endless.
func (s *hostileRun) listings(ctx context.Context) ([]figure, error) {
	if err := s.settle(ctx, s.operator); err != nil {
		return nil, err
	}
	before, _, err := s.operator.memory()
	if err != nil {
		return nil, err
	}
	s.proxy.on.Store(true)
	defer s.proxy.on.Store(false)
	if err := s.requestRefresh(ctx, s.names); err != nil {
		return nil, err
	}
	most, end := before, time.Now().Add(endlessFor)
	err = s.until(ctx, "listings have not ended for a while", endlessFor+time.Minute, func() (bool, string, error) {
		now, _, err := s.operator.memory()
		most = max(most, now)
		return time.Now().
				After(end),
			fmt.Sprintf(
				"%.0f MiB after %d pages",
				now,
				s.proxy.pages.Load(),
			), errors.Join(
				err,
				s.operator.alive(),
			)
	})
	if err != nil {
		return nil, err
	}
	if s.proxy.pages.Load() == 0 {
		return nil, errors.New("nobody listed anything")
	}
	s.say(
		"%.0f MiB before, %.0f MiB at most, %d pages of %.1f MB",
		before,
		most,
		s.proxy.pages.Load(),
		endlessEntries*endlessEntry/1e6,
	)
	return []figure{
		{
			Name: "RSS added by listings that never end, at most", Unit: "MiB", Target: atMost(64), Measured: most - before,
			How: fmt.Sprintf(
				"VmRSS of the process, read every %s for %s while the accounts of %d users are read, less VmRSS before; with %s",
				pollInterval,
				endlessFor,
				len(s.names),
				memoryLimit,
			),
		},
	}, nil
}
