package broker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"github.com/smile-operator/smile-operator/internal/appapi"
)

const (
	// leaderName is the TLS server name for which a process shows the certificate that it has announced.
	leaderName = "leader.smile-operator.internal"
	// signOfLife is how long a leader may take to confirm that it has received a call. After that, the caller's deadline applies.
	signOfLife = time.Second
	// giveUp is how long a connection that is being opened for a call may take.
	giveUp = 3 * signOfLife
	// silence is how long, after a leader did not confirm a call, this process itself answers the calls that it can.
	silence = 5 * time.Second
	// forwardIdle is how long connections to the leader are kept: for less time than the leader keeps them.
	forwardIdle = 20 * time.Second
	// maxIdle is how many of them are kept.
	maxIdle = 64
	// maxAnswer is how large the leader's answer may be.
	maxAnswer = 1 << 20
)

var errOtherCertificate = errors.New("the process at the leader's address does not have the leader's certificate")

// Forwarder passes calls on to the process that leads, if this one does not.
type Forwarder struct {
	// Board knows where the leader is.
	Board *Board
	// Fence is nil while this process leads.
	Fence func() error
	// Standby is true if this process may itself answer calls that need no leader, while no leader responds.
	Standby bool

	mu        sync.Mutex
	leader    Leader
	transport *http.Transport
	// silentUntil is when the leader is tried again after it did not respond; zero if it responded.
	silentUntil time.Time
}

// Relay implements appapi.Relay. A call is forwarded once: a process that does not lead forwards no call that was forwarded to
// it.
func (f *Forwarder) Relay(ctx context.Context, request appapi.Request) (*appapi.Answer, error) {
	if f.Fence() == nil {
		return nil, nil
	}
	var failure error
	if leader, ok := f.reachable(request); ok {
		answer, err := f.forward(ctx, leader, func(ctx context.Context) (*http.Request, error) {
			return forwarded(ctx, leader, request)
		})
		if err == nil {
			f.heard(leader)
			return answer, nil
		}
		failure = err
	}
	switch {
	case ctx.Err() != nil:
		return nil, appapi.NewProblem(appapi.ReasonDeadlineExceeded)
	case f.Standby && request.Call.Operation.Standby:
		return nil, nil
	default:
		return nil, appapi.NewProblem(appapi.ReasonLeaderUnavailable).Because(failure)
	}
}

// reachable returns the leader to which a call is to be forwarded; false if there is none. While a leader does not respond, only
// one call every few seconds is forwarded, so that the others are not delayed.
func (f *Forwarder) reachable(request appapi.Request) (Leader, bool) {
	leader, known := f.Board.Leader()
	if !known || request.Relayed {
		return Leader{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if leader != f.leader || f.silentUntil.IsZero() || !f.Standby || !request.Call.Operation.Standby {
		return leader, true
	}
	if now.Before(f.silentUntil) {
		return Leader{}, false
	}
	f.silentUntil = now.Add(silence)
	return leader, true
}

// heard records that the leader responded.
func (f *Forwarder) heard(leader Leader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leader == leader {
		f.silentUntil = time.Time{}
	}
}

// unheard records that the leader did not confirm a call.
func (f *Forwarder) unheard(leader Leader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leader == leader {
		f.silentUntil = time.Now().Add(silence)
	}
}

// forward sends a request once. The leader confirms at once, by the status 102, that it has the request: a process that is
// stopped, or cannot be reached, is given up after a second, and one that waits for Smile is not.
func (f *Forwarder) forward(
	ctx context.Context,
	leader Leader,
	outgoing func(context.Context) (*http.Request, error),
) (*appapi.Answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := time.AfterFunc(signOfLife, func() {
		f.unheard(leader)
		cancel()
	})
	defer patience.Stop()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error { patience.Stop(); return nil },
	})
	request, err := outgoing(ctx)
	if err != nil {
		return nil, err
	}
	response, err := f.to(leader).RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	patience.Stop()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	for _, name := range []string{"Content-Type", "Retry-After", "Www-Authenticate", appapi.HeaderCallID} {
		if values, ok := response.Header[name]; ok {
			header[name] = values
		}
	}
	return &appapi.Answer{Status: response.StatusCode, Header: header, Body: body}, nil
}

// forwarded is the request to the leader: what the caller sent, as it was checked, and the caller's token.
func forwarded(ctx context.Context, leader Leader, request appapi.Request) (*http.Request, error) {
	call := request.Call
	path := strings.NewReplacer("{namespace}", call.Namespace, "{name}", call.Name).Replace(call.Operation.Pattern)
	if query := call.Query(); query != "" {
		path += "?" + query
	}
	outgoing, err := http.NewRequestWithContext(
		ctx,
		call.Operation.Method,
		"https://"+leader.Address+path,
		bytes.NewReader(request.Body),
	)
	if err != nil {
		return nil, err
	}
	outgoing.Header.Set("Authorization", "Bearer "+string(request.Bearer))
	outgoing.Header.Set(appapi.HeaderRelayed, "1")
	for name, value := range map[string]string{appapi.HeaderConsentRef: call.ConsentRef, appapi.HeaderPurpose: call.Purpose} {
		if value != "" {
			outgoing.Header.Set(name, value)
		}
	}
	if len(request.Body) > 0 {
		outgoing.Header.Set("Content-Type", "application/json")
	}
	return outgoing, nil
}

// to is the transport to a leader. There is one at a time.
func (f *Forwarder) to(leader Leader) *http.Transport {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.transport != nil && f.leader == leader {
		return f.transport
	}
	if f.transport != nil {
		f.transport.CloseIdleConnections()
	}
	f.leader, f.silentUntil = leader, time.Time{}
	f.transport = &http.Transport{
		DialContext:         (&net.Dialer{Timeout: giveUp}).DialContext,
		TLSClientConfig:     exactly(leader.Certificate),
		TLSHandshakeTimeout: giveUp,
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     forwardIdle,
		DisableCompression:  true,
	}
	return f.transport
}

// exactly is a TLS configuration that accepts one certificate, by its SHA-256 in hexadecimal. Nothing is sent to a process
// that does not have its key.
func exactly(certificate string) *tls.Config {
	return &tls.Config{
		ServerName: leaderName, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"},
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection demands one certificate, which no authority has signed
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || fingerprint(state.PeerCertificates[0]) != certificate {
				return errOtherCertificate
			}
			return nil
		},
	}
}

// fingerprint is the SHA-256 of a certificate, in hexadecimal.
func fingerprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// close closes the connections to the leader that are not in use.
func (f *Forwarder) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.transport != nil {
		f.transport.CloseIdleConnections()
	}
}
