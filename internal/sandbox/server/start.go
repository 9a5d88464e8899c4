package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Server is a sandbox that listens.
type Server struct {
	*Sandbox
	// URL is where it listens, without a path. The Open API is at URL + "/v1".
	URL string

	http *http.Server
	done chan struct{}
}

// Start makes a sandbox and serves it on a free loopback port, without TLS.
func Start(options Options) (*Server, error) {
	s, err := New(options)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &Server{Sandbox: s, URL: "http://" + listener.Addr().String(), http: NewHTTPServer(s), done: make(chan struct{})}
	go func() {
		defer close(server.done)
		if err := server.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
	return server, nil
}

// Close stops at once and closes open connections.
func (s *Server) Close() {
	s.Sandbox.Close()
	_ = s.http.Close()
	<-s.done
}

// NewHTTPServer returns a server for the sandbox. It limits what a client may
// send, but not the time of a response, which faults may delay.
func NewHTTPServer(s *Sandbox) *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}
