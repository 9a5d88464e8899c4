package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	endlessEntries = 150
	// endlessEntry is how many bytes an entry has: a page has 3.75 MB of useless data.
	endlessEntry = 25_000
)

// endlessProxy forwards everything to Smile, except listings of a user's accounts while on is true: they always have one more
// page.
type endlessProxy struct {
	URL string
	on  atomic.Bool
	// pages counts the pages of endless listings.
	pages atomic.Int64

	pass http.Handler
	pad  string
}

// neverEnding starts such a proxy in front of a server, http://host:port, until the scenario ends.
func (st *stage) neverEnding(ctx context.Context, backend string) (*endlessProxy, error) {
	target, err := url.Parse(backend)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &endlessProxy{
		URL: "http://" + listener.Addr().String(), pass: httputil.NewSingleHostReverseProxy(target),
		pad: strings.Repeat("x", endlessEntry),
	}
	server := &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	st.later(func() error {
		err := server.Close()
		if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
			err = errors.Join(err, failed)
		}
		return err
	})
	return p, nil
}

// ServeHTTP implements http.Handler.
func (p *endlessProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user := r.URL.Query().Get("userId")
	if !p.on.Load() || r.Method != http.MethodGet || r.URL.Path != "/v1/accounts" || user == "" {
		p.pass.ServeHTTP(w, r)
		return
	}
	page := p.pages.Add(1)
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"code":"OK","data":{"nextCursor":"%d","items":[`, page)
	for i := range endlessEntries {
		if i > 0 {
			_, _ = io.WriteString(w, ",")
		}
		//nolint:gosec // JSON for the operator, not a page for a browser
		fmt.Fprintf(w, `{"id":"a-%d-%d","userId":%q,"providerId":"sss_ph","connection":{"status":"CONNECTED"},"pad":%q}`, page, i, user, p.pad)
	}
	_, _ = io.WriteString(w, "]}}")
}
