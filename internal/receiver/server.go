// Package receiver is the HTTP server that receives webhooks. It verifies that an event is genuine, and stores the hint that the
// user must be read before it acknowledges the event. It runs in every replica, not only in the leader.
package receiver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/net/netutil"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smile-operator/smile-operator/internal/tlsfile"
)

// +kubebuilder:rbac:groups=smile-operator.io,resources=smileusers,verbs=get;list;watch
// +kubebuilder:rbac:groups=smile-operator.io,resources=smileusers/status,verbs=patch
// +kubebuilder:rbac:groups=smile-operator.io,resources=smileconnections,verbs=list;watch
// +kubebuilder:rbac:groups=smile-operator.io,resources=smilewebhooksubscriptions,verbs=list;watch
// +kubebuilder:rbac:groups=smile-operator.io,resources=smilewebhooksubscriptions/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get

const (
	headerTimeout   = 5 * time.Second
	readTimeout     = 10 * time.Second
	writeTimeout    = 15 * time.Second
	idleTimeout     = 15 * time.Second
	shutdownTimeout = 10 * time.Second
	maxHeader       = 16 << 10
	// maxConnections is how many connections are open at once. Others wait: one on which nothing is sent ends within
	// headerTimeout.
	maxConnections = 1024
)

// Server receives webhooks.
type Server struct {
	// Address to listen on.
	Address string
	// CertFile and KeyFile of the server, read again when they change. Without them it serves plain HTTP, for use behind an
	// ingress.
	CertFile, KeyFile string
	// Cache reads SmileWebhookSubscriptions, SmileUsers and SmileConnections.
	Cache client.Reader
	// Live bypasses the cache. It has no fence, because replicas that do not lead accept events too.
	Live client.Client
	// Namespaces and Selector restrict the subscriptions, as in the cache; all if empty.
	Namespaces []string
	Selector   labels.Selector
	// Log of requests, without their contents.
	Log logr.Logger
	// Now returns the present time.
	Now func() time.Time
	// Listening is called with the address, if it is set.
	Listening func(net.Addr)

	ready atomic.Bool
}

// Ready implements healthz.Checker: it returns an error while no events are accepted.
func (s *Server) Ready(*http.Request) error {
	if !s.ready.Load() {
		return errors.New("the receiver is not serving")
	}
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Server) NeedLeaderElection() bool { return false }

// Start serves until ctx ends. Requests that are being processed then are answered.
func (s *Server) Start(ctx context.Context) error {
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	if s.Listening != nil {
		s.Listening(listener.Addr())
	}
	s.ready.Store(true)
	defer s.ready.Store(false)
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	server, hints := s.server(life)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		s.ready.Store(false)
		grace, cancel := context.WithTimeout(life, shutdownTimeout)
		defer cancel()
		_ = server.Shutdown(grace)
	}()
	s.Log.Info("receiving webhooks", "address", listener.Addr().String(), "tls", s.CertFile != "")
	err = server.Serve(listener)
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving webhooks: %w", err)
	}
	<-stopped
	end()
	hints.work.Wait()
	return nil
}

func (s *Server) server(life context.Context) (*http.Server, *hinter) {
	hints := &hinter{cache: s.Cache, live: s.Live, now: s.Now, life: life}
	return &http.Server{
		Handler:           unrouted(newHandler(s, hints)),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ConnState: new(connections).changed,
		// net/http would answer OPTIONS * by itself and keep the connection open.
		DisableGeneralOptionsHandler: true,
		// net/http would log addresses and parts of requests.
		ErrorLog: stdlog.New(io.Discard, "", 0),
	}, hints
}

// unrouted serves health checks and events, without an http.ServeMux: that would redirect unusual paths by itself, and keep the
// connection open.
func unrouted(events http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			events.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "ok")
	})
}

// connections counts the open connections.
type connections struct{ open atomic.Int64 }

// changed is a server's ConnState hook.
func (c *connections) changed(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if c.open.Add(1) == maxConnections {
			connectionLimit.Inc()
		}
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
	}
}

func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Address)
	if err != nil {
		return nil, fmt.Errorf("listening for webhooks: %w", err)
	}
	listener = netutil.LimitListener(listener, maxConnections)
	if s.CertFile == "" {
		return listener, nil
	}
	certificate, err := tlsfile.Open(ctx, s.CertFile, s.KeyFile, s.Log)
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("the receiver: %w", err)
	}
	return tls.NewListener(listener, &tls.Config{
		GetCertificate: certificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}), nil
}
