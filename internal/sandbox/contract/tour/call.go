package tour

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/smile-operator/smile-operator/internal/sandbox/contract"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// edit changes a request before it is sent; nil changes nothing.
type edit func(*http.Request)

func withoutCredentials(r *http.Request) { r.Header.Del("Authorization") }

func withWrongCredentials(r *http.Request) { r.SetBasicAuth("sandbox-key", "wrong") }

func asText(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }

// answer is the response. Operation is zero if the description does not have
// it.
type answer struct {
	method, path string
	operation    contract.Operation
	status       int
	body         []byte
}

// call sends a call, checks it and counts it.
func (t *tour) call(method, path, body string, change edit) answer {
	request := newRequest(method, path, body)
	if change != nil {
		change(request)
	}
	w := t.send(request)
	a := answer{method: method, path: path, status: w.status, body: w.body.Bytes()}
	exchange := contract.Exchange{Request: request, RequestBody: []byte(body), Status: w.status, Header: w.header, Body: a.body}
	if finding, described := t.document.Check(exchange); described {
		a.operation = finding.Operation
		t.report.Add(finding)
	}
	return a
}

// send calls the handler without a network.
func (t *tour) send(request *http.Request) *recorder {
	w := &recorder{header: http.Header{}}
	t.box.ServeHTTP(w, request)
	return w
}

func newRequest(method, path, body string) *http.Request {
	at, err := url.ParseRequestURI(path)
	if err != nil {
		panic(err) // paths are made of constants and ids of the sandbox
	}
	key, secret, _ := strings.Cut(server.DefaultKeys, ":")
	request := &http.Request{
		Method: method, URL: at, Host: "localhost", RemoteAddr: "127.0.0.1:1", Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	request.SetBasicAuth(key, secret)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	return request
}

// recorder records what a handler writes.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(text []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(text)
}

// text is a value inside the data, by a path such as items.0.id. It is "" if
// there is none.
func (a answer) text(pointer string) string {
	var envelope struct {
		Data any `json:"data"`
	}
	if json.Unmarshal(a.body, &envelope) != nil {
		return ""
	}
	at := envelope.Data
	for name := range strings.SplitSeq(pointer, ".") {
		switch inner := at.(type) {
		case map[string]any:
			at = inner[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(inner) {
				return ""
			}
			at = inner[i]
		default:
			return ""
		}
	}
	found, _ := at.(string)
	return found
}

// items are the ids of a page of a list.
func (a answer) items() (ids []string, cursor string) {
	var envelope struct {
		Data struct {
			NextCursor string `json:"nextCursor"`
			Items      []struct {
				ID string `json:"id"`
			} `json:"items"`
		} `json:"data"`
	}
	if json.Unmarshal(a.body, &envelope) != nil {
		return nil, ""
	}
	for _, item := range envelope.Data.Items {
		ids = append(ids, item.ID)
	}
	return ids, envelope.Data.NextCursor
}

func (a answer) message() string {
	var envelope struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(a.body, &envelope)
	return strconv.Quote(envelope.Message)
}
