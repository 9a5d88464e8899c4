package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// graceful is how long calls in flight may take at shutdown.
const graceful = 3 * time.Second

// serve listens until the context ends, and prints the address.
func serve(ctx context.Context, set settings, out io.Writer) error {
	return serveWhile(ctx, set, out, nil)
}

// serveWhile listens until the context ends, or until work has returned, if there is
// any. It prints the address. work gets the URL of the sandbox.
func serveWhile(ctx context.Context, set settings, out io.Writer, work func(context.Context, *server.Sandbox, string)) error {
	options, err := set.options()
	if err != nil {
		return err
	}
	box, err := server.New(options)
	if err != nil {
		return err
	}
	defer box.Close()
	secure, err := set.tls()
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", set.addr)
	if err != nil {
		return err
	}
	listening := server.NewHTTPServer(box)
	listening.Handler = secure.offering(box)
	listening.TLSConfig = secure.config
	url := fmt.Sprintf("%s://%s", secure.scheme(), listener.Addr())
	fmt.Fprintf(out, "smile-sandbox listens on %s\n", url)
	application, err := set.serveApplicationAPI(ctx, box, options.Keys[0].Key, url, secure, out)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if application != nil {
		defer func() { _ = application.Close() }()
	}
	if work != nil {
		working, stop := context.WithCancel(ctx)
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			defer stop()
			work(working, box, url)
		}()
		defer func() { stop(); <-finished }()
		ctx = working
	}
	return run(ctx, box, listening, listener)
}

func run(ctx context.Context, box *server.Sandbox, listening *http.Server, listener net.Listener) error {
	stopped := make(chan error, 1)
	go func() {
		if listening.TLSConfig != nil {
			stopped <- listening.ServeTLS(listener, "", "")
			return
		}
		stopped <- listening.Serve(listener)
	}()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	box.Close()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceful)
	defer cancel()
	if listening.Shutdown(deadline) != nil {
		_ = listening.Close()
	}
	if err := <-stopped; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// security is the TLS configuration; the zero value means no TLS.
type security struct {
	config    *tls.Config
	authority []byte // PEM, if the certificate was made at start
}

func (s settings) tls() (security, error) {
	switch {
	case s.selfSigned:
		return selfSigned(time.Now(), s.data)
	case s.certFile != "":
		pair, err := tls.LoadX509KeyPair(s.certFile, s.keyFile)
		if err != nil {
			return security{}, err
		}
		return security{config: tlsConfig(pair)}, nil
	}
	return security{}, nil
}

func tlsConfig(pair tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}

func (s security) scheme() string {
	if s.config == nil {
		return "http"
	}
	return "https"
}

// offering serves the sandbox and also the authority, so that clients can trust
// it.
func (s security) offering(box http.Handler) http.Handler {
	if s.authority == nil {
		return box
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sandbox/ca.pem", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(s.authority)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		box.ServeHTTP(w, r)
	})
}
