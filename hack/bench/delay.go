package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// delayProxy forwards TCP connections on loopback and delays each request by a random time, as networks do.
type delayProxy struct {
	URL string

	listener net.Listener
	backend  string
	// most is the longest delay, in nanoseconds.
	most  atomic.Int64
	conns sync.WaitGroup
	mu    sync.Mutex
	open  map[net.Conn]bool
}

// delaying starts a delaying proxy in front of a server, http://host:port, until the scenario ends.
func (st *stage) delaying(ctx context.Context, backend string) (*delayProxy, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &delayProxy{
		URL: "http://" + listener.Addr().String(), listener: listener,
		backend: strings.TrimPrefix(backend, "http://"), open: map[net.Conn]bool{},
	}
	p.conns.Go(func() { p.accept(context.WithoutCancel(ctx)) })
	st.later(p.close)
	return p, nil
}

func (p *delayProxy) accept(ctx context.Context) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(ctx, "tcp", p.backend)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.hold(client, server)
		p.conns.Go(func() { p.forward(client, server) })
	}
}

func (p *delayProxy) hold(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		p.open[conn] = true
	}
}

// forward returns when either side has closed.
func (p *delayProxy) forward(client, server net.Conn) {
	p.conns.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	_, _ = io.Copy(delayedWriter{server, &p.most}, client)
	_ = server.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, client)
	delete(p.open, server)
}

// delayedWriter waits before each write. A request of the operator is one write.
type delayedWriter struct {
	io.Writer
	most *atomic.Int64
}

// Write implements io.Writer.
func (w delayedWriter) Write(p []byte) (int, error) {
	<-time.After(time.Duration(rand.Int64N(w.most.Load() + 1)))
	return w.Writer.Write(p)
}

func (p *delayProxy) close() error {
	err := p.listener.Close()
	p.mu.Lock()
	for conn := range p.open {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.conns.Wait()
	return err
}
