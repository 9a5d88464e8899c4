package sandbox

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxAnswerRead is how much of a webhook's answer is read, so that connections
// can be used again; nothing in it matters.
const maxAnswerRead = 64 << 10

// newCourier is what carries events. A RoundTripper follows no redirect. No
// proxy: receivers are near.
func newCourier(options Options) http.RoundTripper {
	//nolint:forbidigo // the rule guards calls to the vendor; these are the vendor's own
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: options.WebhookRoots, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: options.WebhookWorkers,
		IdleConnTimeout:     10 * time.Second,
		ForceAttemptHTTP2:   true,
	}
}

// attempt sends an event once.
func (o *office) attempt(d *delivery) Attempt {
	ctx, cancel := context.WithTimeout(o.ctx, o.timeout)
	defer cancel()
	made := Attempt{At: o.clock.now()}
	begun := time.Now()
	made.Status, made.Error = o.carry(ctx, d)
	made.Milliseconds = time.Since(begun).Milliseconds()
	return made
}

func (o *office) carry(ctx context.Context, d *delivery) (status int, problem string) {
	event := d.event
	if o.behaviour.eventID == "per-attempt" && d.tries > 0 {
		event.ID = o.ids.next("et-")
	}
	body := encode(event)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.hook.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "smile-sandbox")
	request.Header.Set("Smile-Signature", o.behaviour.writeSignature(sign(d.signedWith(), body)))
	response, err := o.transport.RoundTrip(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswerRead)
	return response.StatusCode, ""
}

// sign is HMAC-SHA512 of a body in lower-case hex.
func sign(secret string, body []byte) string {
	mac := hmac.New(sha512.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// signedWith is the webhook's secret, or another one for a forged delivery.
func (d *delivery) signedWith() string {
	if d.forged {
		return "not " + d.hook.Secret
	}
	return d.hook.Secret
}

// writeSignature is the signature as the header has it.
func (b *behaviour) writeSignature(signature string) string {
	switch b.signature {
	case "upper":
		return strings.ToUpper(signature)
	case "prefixed":
		return "sha512=" + signature
	default:
		return signature
	}
}
