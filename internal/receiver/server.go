// Package receiver is the HTTP server that takes Smile's webhooks: it proves that an event is genuine, and stores the hint
// that a person is to be looked at before it acknowledges. It runs in every replica, whoever leads.
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
	// maxConnections is how many there are at once. Others wait: one that is silent ends within headerTimeout.
	maxConnections = 1024
)

// Server takes webhooks.
type Server struct {
	// Address to listen on.
	Address string
	// CertFile and KeyFile of the server, read again when they change; plain HTTP, for behind an ingress, without.
	CertFile, KeyFile string
	// Cache reads SmileWebhookSubscriptions, SmileUsers and SmileConnections.
	Cache client.Reader
	// Live reads and writes past the cache. No fence: whoever does not lead takes events too.
	Live client.Client
	// Namespaces and Selector say which subscriptions there are, as they do for the cache; all when empty.
	Namespaces []string
	Selector   labels.Selector
	// Log of the requests, without their contents.
	Log logr.Logger
	// Now is the time.
	Now func() time.Time
	// Listening is told the address, if set.
	Listening func(net.Addr)

	ready atomic.Bool
}

// Ready implements healthz.Checker: no event is to come here before it can be taken.
func (s *Server) Ready(*http.Request) error {
	if !s.ready.Load() {
		return errors.New("webhooks are not taken yet, or no more")
	}
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Server) NeedLeaderElection() bool { return false }

// Start serves until ctx ends. Requests that are under way then are answered.
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
	s.Log.Info("taking webhooks", "address", listener.Addr().String(), "tls", s.CertFile != "")
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
		// What net/http answers by itself to OPTIONS * keeps the connection.
		DisableGeneralOptionsHandler: true,
		// What net/http would say quotes addresses and what was sent.
		ErrorLog: stdlog.New(io.Discard, "", 0),
	}, hints
}

// unrouted serves health checks and events. There is no http.ServeMux in front: it answers by itself to paths
// that it cleans, with a redirect, and keeps the connection.
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
