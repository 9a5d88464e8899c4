package delivery

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"io"
	"net/http"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/bodies"
	"github.com/smile-operator/smile-operator/internal/sandbox/wire"
)

// maxResponseRead bounds how much of a webhook's response is read, in bytes. It
// is read so that the connection can be reused, and shown.
const maxResponseRead = 64 << 10

// newTransport returns what sends the requests. It uses no proxy, because
// receivers are near. A RoundTripper follows no redirect.
func newTransport(roots *x509.CertPool, workers int) http.RoundTripper {
	//nolint:forbidigo // the rule guards calls to the vendor; these are the vendor's own
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: workers,
		IdleConnTimeout:     10 * time.Second,
		ForceAttemptHTTP2:   true,
	}
}

// attempt sends an event once.
func (q *Queue) attempt(o *outgoing) (Attempt, bodies.Exchange) {
	ctx, cancel := context.WithTimeout(q.ctx, q.config.Timeout)
	defer cancel()
	made := Attempt{At: q.config.Clock.Now()}
	begun := time.Now()
	var sent bodies.Exchange
	sent, made.Status, made.Error = q.send(ctx, o)
	made.Milliseconds = time.Since(begun).Milliseconds()
	return made, sent
}

func (q *Queue) send(ctx context.Context, o *outgoing) (sent bodies.Exchange, status int, problem string) {
	event := o.event
	if q.config.RetryID != nil && o.tries > 0 {
		event.ID = q.config.RetryID()
	}
	body := wire.Encode(event)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.target.URL, bytes.NewReader(body))
	if err != nil {
		return sent, 0, err.Error()
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "smile-sandbox")
	request.Header.Set("Smile-Signature", q.config.Signature(Sign(o.signingSecret(), body)))
	sent.Request = bodies.NewMessage(request.Header, body)
	response, err := q.config.Transport.RoundTrip(request)
	if err != nil {
		return sent, 0, err.Error()
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxResponseRead))
	sent.Response = bodies.NewMessage(response.Header, answer)
	return sent, response.StatusCode, ""
}

// Sign returns the HMAC-SHA512 of a body in lower-case hex.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// signingSecret is the webhook's secret, or another one for a forged delivery.
func (o *outgoing) signingSecret() string {
	if o.forged {
		return "not " + o.target.Secret
	}
	return o.target.Secret
}
