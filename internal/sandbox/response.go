package sandbox

import (
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// ending is how an answer leaves the house.
type ending int

const (
	whole ending = iota
	cut          // the connection closes before the body is complete
	hung         // nothing is sent until the client goes away
	reset        // the connection breaks at once
)

// response is an answer as bytes, and how it is sent.
type response struct {
	status int
	header http.Header
	body   []byte
	length int // what Content-Length says
	ending ending
}

func cutOff() response { return response{ending: reset} }

// sentStatus is what the client gets to see, 0 if nothing.
func (r response) sentStatus() int {
	if r.ending == hung || r.ending == reset {
		return 0
	}
	return r.status
}

// render gives the reply its envelope.
func (s *Sandbox) render(answer reply) response {
	if answer.status >= http.StatusBadRequest {
		answer.message = s.canaries.In("message", answer.message)
	}
	answer = s.behaviour.dress(answer)
	sent := envelope{Code: answer.code, Message: answer.message, RequestID: s.ids.RequestID(), Data: answer.data}
	s.behaviour.futureEnvelope(&sent, answer.status)
	body := wire.Encode(sent)
	header := http.Header{"Content-Type": {"application/json"}, "Date": {s.clock.Now().Format(http.TimeFormat)}}
	if wait := s.behaviour.retryAfter; wait > 0 && isThrottling(answer.status) {
		header.Set("Retry-After", strconv.Itoa(int(wait.Round(time.Second)/time.Second)))
	}
	return response{status: answer.status, header: header, body: body, length: len(body)}
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
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.Header().Set("Date", s.clock.Now().Format(http.TimeFormat))
	w.Header().Set("Content-Length", strconv.Itoa(r.length))
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
	if r.ending == cut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// breakConnection resets the TCP connection. HTTP/2 has one connection for many
// calls: there the stream alone is reset.
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
