package transport

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"net/http"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// CapBody wraps a RoundTripper so that reading more than MaxBodyBytes of a response, after decompression, fails.
func CapBody(next http.RoundTripper) http.RoundTripper { return capBody(MaxBodyBytes)(next) }

// capBody bounds the body of a response after decompression.
func capBody(limit int64) step {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(request *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(request)
			if err != nil {
				return nil, err
			}
			body := &cappedBody{ReadCloser: response.Body, left: limit}
			if response.Header.Get("Content-Encoding") != "" {
				// If net/http can decode the body, it does, and removes the header.
				body.err = smile.ProblemEncoding
			}
			response.Body = body
			return response, nil
		})
	}
}

// cappedBody fails with a smile.Problem if a body is too large or badly compressed.
type cappedBody struct {
	io.ReadCloser
	left int64
	err  error
}

// Read implements io.Reader.
func (b *cappedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		b.err = smile.ProblemTooLarge
		return 0, b.err
	}
	if badCompression(err) {
		b.err = smile.ProblemEncoding
		return n, b.err
	}
	return n, err
}

func badCompression(err error) bool {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	return corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum)
}
