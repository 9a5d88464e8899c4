// Package bodies keeps the headers and bodies of calls and of attempts to
// deliver events, so that a person can look at them.
package bodies

import (
	"bytes"
	"net/http"
	"regexp"
	"unicode/utf8"

	"github.com/smile-operator/smile-operator/internal/sandbox/ring"
)

// DefaultLimit bounds everything that a Store keeps, in bytes.
const DefaultLimit = 64 << 20

const (
	// maxBody is how much of a body is kept, in bytes.
	maxBody = 1 << 20
	// overhead is what an exchange takes besides its headers and bodies, in bytes.
	overhead = 1 << 10
)

// Message is one direction of a call.
type Message struct {
	Header http.Header
	// Body is the start of the body, or all of it.
	Body []byte
	// Size is the length of the whole body, in bytes.
	Size int
}

// NewMessage makes a message. It keeps the header and the body, which must not be
// changed afterwards.
func NewMessage(header http.Header, body []byte) *Message {
	kept := body
	if len(body) > maxBody {
		kept = bytes.Clone(body[:maxBody])
	}
	return &Message{header, kept, len(body)}
}

func (m *Message) whole() bool { return len(m.Body) == m.Size }

func (m *Message) bytes() int {
	if m == nil {
		return 0
	}
	sum := cap(m.Body)
	for name, values := range m.Header {
		for _, value := range values {
			sum += len(name) + len(value)
		}
	}
	return sum
}

// Exchange is a request and its response, nil if there was none.
type Exchange struct{ Request, Response *Message }

// key is the place of an exchange: a call, or a part of a delivery.
type key struct {
	delivery bool
	seq      int
	part     int // of a delivery: 0 is the event, the others are the attempts
}

// Store keeps exchanges by the sequence numbers of calls and deliveries.
type Store struct {
	ring *ring.Ring[key, Exchange]
}

// NewStore makes a store that keeps up to limit bytes; 0 keeps nothing.
func NewStore(limit int) *Store { return &Store{ring.New[key, Exchange](limit)} }

// Keeps reports whether the store keeps anything at all.
func (s *Store) Keeps() bool { return s.ring.Keeps() }

// Used is how many bytes are kept.
func (s *Store) Used() int { return s.ring.Used() }

// Reset forgets everything.
func (s *Store) Reset() { s.ring.Reset() }

func (s *Store) put(at key, e Exchange) {
	if s.Keeps() {
		s.ring.Put(at, e, e.Request.bytes()+e.Response.bytes()+overhead)
	}
}

// PutCall keeps a call.
func (s *Store) PutCall(seq int, e Exchange) { s.put(key{seq: seq}, e) }

// Call returns a call, if it is still kept.
func (s *Store) Call(seq int) (Exchange, bool) { return s.ring.Get(key{seq: seq}) }

// PutEvent keeps the event of a delivery.
func (s *Store) PutEvent(seq int, event []byte) {
	s.put(key{true, seq, 0}, Exchange{Request: NewMessage(nil, event)})
}

// Event returns the event of a delivery, if it is still kept as a whole.
func (s *Store) Event(seq int) ([]byte, bool) {
	e, kept := s.ring.Get(key{true, seq, 0})
	if !kept || !e.Request.whole() {
		return nil, false
	}
	return e.Request.Body, true
}

// PutAttempt keeps an attempt of a delivery, counted from 1.
func (s *Store) PutAttempt(seq, attempt int, e Exchange) { s.put(key{true, seq, attempt}, e) }

// Attempt returns an attempt of a delivery, if it is still kept.
func (s *Store) Attempt(seq, attempt int) (Exchange, bool) {
	return s.ring.Get(key{true, seq, attempt})
}

// View is an exchange as the inspector shows it.
type View struct {
	Request  *MessageView `json:"request,omitempty"`
	Response *MessageView `json:"response,omitempty"`
}

// MessageView is a message as the inspector shows it. Body is a text, otherwise
// Base64 is set.
type MessageView struct {
	Headers   http.Header `json:"headers"`
	Body      string      `json:"body"`
	Base64    []byte      `json:"base64,omitempty"`
	Size      int         `json:"size"`
	Truncated bool        `json:"truncated,omitempty"`
	// Masked reports whether a secret was replaced.
	Masked bool `json:"masked,omitempty"`
}

// View shows an exchange. Without secrets, what could be used to call the API or to
// log in is masked.
func (e Exchange) View(secrets bool) View {
	if secrets {
		return View{e.Request.view(nil), e.Response.view(nil)}
	}
	return View{e.Request.view(secretsOfRequests), e.Response.view(secretsOfResponses)}
}

// view masks these fields, and headers, unless secrets is nil.
func (m *Message) view(secrets *regexp.Regexp) *MessageView {
	if m == nil {
		return nil
	}
	shown := &MessageView{Headers: m.Header, Size: m.Size, Truncated: !m.whole()}
	body := m.Body
	if secrets != nil {
		shown.Headers, shown.Masked = maskHeader(m.Header)
		body = maskBody(m.Body, secrets)
		shown.Masked = shown.Masked || !bytes.Equal(body, m.Body)
	}
	if shown.Headers == nil {
		shown.Headers = http.Header{}
	}
	if utf8.Valid(body) {
		shown.Body = string(body)
	} else {
		shown.Base64 = body
	}
	return shown
}
