package server

import (
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// ending is how a response ends.
type ending int

const (
	whole ending = iota
	cut          // the connection closes before the body is complete
	hung         // nothing is sent until the client goes away
	reset        // the connection breaks at once
)

// response is an encoded response, and how it is sent.
type response struct {
	status int
	header http.Header
	body   []byte
	length int // the value of Content-Length
	ending ending
}

func cutOff() response { return response{ending: reset} }

// sentStatus is the status that the client sees, 0 if there is none.
func (r response) sentStatus() int {
	if r.ending == hung || r.ending == reset {
		return 0
	}
	return r.status
}

// render encodes a reply in its envelope.
func (s *Sandbox) render(answer reply) response {
	if answer.status >= http.StatusBadRequest {
		answer.message = s.canaries.In("message", answer.message)
	}
	body := wire.Encode(s.envelope(answer))
	header := http.Header{"Content-Type": {"application/json"}, "Date": {s.clock.Now().Format(http.TimeFormat)}}
	if wait := s.behavior.RetryAfter; wait > 0 && isThrottling(answer.status) {
		header.Set("Retry-After", strconv.Itoa(int(wait.Round(time.Second)/time.Second)))
	}
	return response{status: answer.status, header: header, body: body, length: len(body)}
}

// envelope wraps a reply. The quirks change it.
func (s *Sandbox) envelope(answer reply) envelope {
	if answer.status == http.StatusCreated {
		answer.code = s.behavior.CreatedCode
	}
	if answer.status < http.StatusBadRequest {
		answer.code, answer.data = s.behavior.SuccessCode(answer.code), s.behavior.ReshapeValue(answer.data)
	}
	return envelope{
		Code: answer.code, Message: answer.message, RequestID: s.ids.RequestID(), Data: answer.data,
		AddedLater: s.behavior.FutureField(),
	}
}

func isThrottling(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

func (r response) send(s *Sandbox, w http.ResponseWriter, request *http.Request) {
	switch r.ending {
	case hung:
		select {
		case <-request.Context().Done():
		case <-s.closed:
		}
		panic(http.ErrAbortHandler)
	case reset:
		breakConnection(w)
		return
	}
	maps.Copy(w.Header(), r.headers(s.clock.Now()))
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
	if r.ending == cut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// headers are the response's headers, with the time at which it is sent.
func (r response) headers(now time.Time) http.Header {
	all := http.Header{}
	maps.Copy(all, r.header)
	all.Set("Date", now.Format(http.TimeFormat))
	all.Set("Content-Length", strconv.Itoa(r.length))
	return all
}

// breakConnection resets the TCP connection. With HTTP/2 it resets only the
// stream, because a connection has many calls.
func breakConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if secure, isTLS := conn.(*tls.Conn); isTLS {
		conn = secure.NetConn()
	}
	if tcp, isTCP := conn.(*net.TCPConn); isTCP {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
