package transport

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/smile-operator/smile-operator/internal/smile"
)

const pipeOrigin = "http://pipe.test"

// pipeServer serves connections inside a synctest bubble. It passes each request to serve, which writes the raw response. If
// serve returns false, the connection is closed.
type pipeServer struct {
	serve       func(conn net.Conn, request *http.Request) (more bool)
	connections sync.WaitGroup
}

func (s *pipeServer) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	s.connections.Go(func() {
		defer server.Close()
		reader := bufio.NewReader(server)
		for {
			request, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, request.Body)
			if !s.serve(server, request) {
				return
			}
		}
	})
	return client, nil
}

// piped returns a Transport to a pipeServer, which ends with the bubble.
func piped(t *testing.T, config Config, serve func(net.Conn, *http.Request) bool) *Transport {
	t.Helper()
	policy, err := NewHostPolicy("", []string{pipeOrigin})
	if err != nil {
		t.Fatal(err)
	}
	config.Hosts = policy
	server := &pipeServer{serve: serve}
	t.Cleanup(server.connections.Wait)
	return overridden(t, config, server.dial)
}

// overridden returns a Transport that reaches the network through dial.
func overridden(
	t *testing.T, config Config, dial func(context.Context, string, string) (net.Conn, error),
) *Transport {
	t.Helper()
	transport := New(withDefaults(config))
	transport.base.base.DialContext = dial
	transport.base.base.Proxy = nil
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// withDefaults adds a key pair and the fence of the leader, unless the config has its own.
func withDefaults(config Config) Config {
	if config.Credentials == nil {
		config.Credentials = keys
	}
	if config.Fence == nil {
		config.Fence = leading
	}
	return config
}

// leading is the fence of a process that is the leader.
func leading() error { return nil }

func keys() Credentials {
	return Credentials{Key: smile.NewSensitive("key"), Secret: smile.NewSensitive("secret")}
}

func clientOf(transport *Transport) *smile.Mutator { return clientAt(transport, pipeOrigin+"/v1") }

func clientAt(transport *Transport, endpoint string) *smile.Mutator {
	base, err := url.Parse(endpoint)
	if err != nil {
		panic(err)
	}
	return smile.NewMutator(base, transport)
}

const (
	userAnswer  = `{"code":"OK","data":{"user":{"id":"t-1"}}}`
	proofAnswer = `{"code":"OK","data":{"nextCursor":null,"items":[]}}`
)

// rawAnswer is a whole HTTP answer.
func rawAnswer(status, body string, headers ...string) string {
	lines := append([]string{"HTTP/1.1 " + status, "Content-Type: application/json", "Content-Length: " + strconv.Itoa(len(body))}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// answerTo is a valid response to the requests of the tests.
func answerTo(request *http.Request) string {
	if request.Method == http.MethodPost {
		return rawAnswer("201 Created", userAnswer)
	}
	return rawAnswer("200 OK", proofAnswer)
}

func write(conn net.Conn, text string) bool {
	_, err := io.WriteString(conn, text)
	return err == nil
}
