package smile

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"
)

// Failure is the reason why there was no response, in fixed words. The errors of the
// standard library are not used, because they quote what the remote side sent.
type Failure string

// The failures that are distinguished.
const (
	FailureNameUnknown Failure = "host name not found"
	FailureRefused     Failure = "connection refused"
	FailureUnreachable Failure = "host unreachable"
	FailureReset       Failure = "connection reset"
	FailureClosed      Failure = "connection closed"
	FailureCertificate Failure = "TLS certificate not trusted"
	FailureTLS         Failure = "TLS handshake failed"
	FailureNetwork     Failure = "network failure"
)

func (f Failure) Error() string { return string(f) }

// failures maps the standard library's errors to ours, most specific first.
var failures = []struct {
	matches func(error) bool
	failure error
}{
	{is(context.Canceled), context.Canceled},
	{isTimeout, context.DeadlineExceeded},
	{as[*net.DNSError], FailureNameUnknown},
	{as[*tls.CertificateVerificationError], FailureCertificate},
	{as[x509.UnknownAuthorityError], FailureCertificate},
	{as[x509.HostnameError], FailureCertificate},
	{as[x509.CertificateInvalidError], FailureCertificate},
	{as[tls.RecordHeaderError], FailureTLS},
	{as[tls.AlertError], FailureTLS},
	{is(syscall.ECONNREFUSED), FailureRefused},
	{is(syscall.ENETUNREACH), FailureUnreachable},
	{is(syscall.EHOSTUNREACH), FailureUnreachable},
	{is(syscall.ECONNRESET), FailureReset},
	{is(syscall.EPIPE), FailureReset},
	{is(io.EOF), FailureClosed},
	{is(io.ErrUnexpectedEOF), FailureClosed},
	{is(net.ErrClosed), FailureClosed},
}

// Classify reduces a network error to a Failure, context.DeadlineExceeded or
// context.Canceled. Their texts contain nothing that the remote side wrote.
func Classify(err error) error {
	if failure, ok := errors.AsType[Failure](err); ok {
		return failure
	}
	for _, rule := range failures {
		if rule.matches(err) {
			return rule.failure
		}
	}
	return FailureNetwork
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout()
}
