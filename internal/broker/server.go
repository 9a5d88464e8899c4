package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/net/netutil"

	"github.com/smile-operator/smile-operator/internal/appapi"
	"github.com/smile-operator/smile-operator/internal/tlsfile"
)

const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 15 * time.Second
	idleTimeout   = time.Minute
	// linger is how long calls are still accepted after the process was told to stop. Each connection is closed after its next
	// call. So clients open their next one to another replica, and send no call on a connection that is being closed.
	linger = 2 * time.Second
	// drainTimeout is how long calls in progress may take after that.
	drainTimeout = appapi.Deadline + time.Second
	maxHeader    = 16 << 10
	// maxConnections is how many there are at once; others wait.
	maxConnections = 1024
)

// Server serves the application API, or the hosted page, in every replica.
type Server struct {
	// Purpose of the server, for messages.
	Purpose string
	// Address to listen on.
	Address string
	// CertFile and KeyFile of the server, read again when they change; plain HTTP without.
	CertFile, KeyFile string
	// Own is the certificate for calls that other replicas pass on; nil if they pass on none.
	Own *Ephemeral
	// Internal handles the requests below /internal/, which only other replicas may send; nil if there are none.
	Internal http.Handler
	// Forwarder whose connections end with the server; none if nil.
	Forwarder *Forwarder
	// Handler of the calls.
	Handler http.Handler
	// Log of the server.
	Log logr.Logger

	ready, ending atomic.Bool
}

// Ready implements healthz.Checker: the process is ready once it can answer calls.
func (s *Server) Ready(*http.Request) error {
	if !s.ready.Load() {
		return errors.New(s.Purpose + ": requests are not answered yet, or no longer")
	}
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Server) NeedLeaderElection() bool { return false }

// Start serves until ctx ends. Then it lingers, accepts no more calls, and answers those that are under way.
func (s *Server) Start(ctx context.Context) error {
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           s.closing(s.handler()),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		DisableGeneralOptionsHandler: true,
		// The messages of net/http quote addresses and parts of requests.
		ErrorLog: stdlog.New(io.Discard, "", 0),
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		s.ready.Store(false)
		s.ending.Store(true)
		<-time.After(linger)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		_ = server.Shutdown(grace)
	}()
	s.Log.Info("serving "+s.Purpose, "address", listener.Addr().String(), "tls", s.CertFile != "")
	s.ready.Store(true)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving %s: %w", s.Purpose, err)
	}
	<-stopped
	if s.Forwarder != nil {
		s.Forwarder.close()
	}
	return nil
}

// handler separates the requests of other replicas from those of all other clients.
func (s *Server) handler() http.Handler {
	if s.Own == nil {
		return s.Handler
	}
	return confirmed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Internal != nil && r.TLS != nil && r.TLS.ServerName == leaderName && strings.HasPrefix(r.URL.Path, "/internal/") {
			s.Internal.ServeHTTP(w, r)
			return
		}
		s.Handler.ServeHTTP(w, r)
	}))
}

// closing closes each connection after its next call, once the server is shutting down.
func (s *Server) closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.ending.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// confirmed tells a forwarder at once that its call has arrived (forwarder.go).
func confirmed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(appapi.HeaderRelayed) != "" {
			w.WriteHeader(http.StatusProcessing)
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Address)
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", s.Purpose, err)
	}
	listener = netutil.LimitListener(listener, maxConnections)
	if s.CertFile == "" {
		return listener, nil
	}
	certificate, err := tlsfile.Open(ctx, s.CertFile, s.KeyFile, s.Log)
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("%s: %w", s.Purpose, err)
	}
	return tls.NewListener(listener, &tls.Config{
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if s.Own != nil && hello.ServerName == leaderName {
				return &s.Own.certificate, nil
			}
			return certificate(hello)
		},
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}), nil
}
