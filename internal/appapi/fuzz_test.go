package appapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/smile-operator/smile-operator/internal/appapi"
)

// fuzzed is a server that mints a token for everybody, and keeps what it was called with.
type fuzzed struct {
	*server
	accesses []appapi.Access
	calls    []appapi.Call
}

func newFuzzed() *fuzzed {
	f := &fuzzed{server: newServer()}
	f.authorize = func(_ appapi.Caller, access appapi.Access) (bool, error) {
		f.accesses = append(f.accesses, access)
		return true, nil
	}
	f.people = func(_ context.Context, call *appapi.Call) (appapi.LinkToken, error) {
		f.calls = append(f.calls, *call)
		return appapi.LinkToken{AccessToken: "access", ExpiresAt: noon, Mode: "SANDBOX", UserID: "tenant-1"}, nil
	}
	return f
}

// serve answers a request, and returns what People and the Gate were called with meanwhile.
func (f *fuzzed) serve(t *testing.T, r *http.Request) (response *httptest.ResponseRecorder, calls []appapi.Call, accesses []appapi.Access) {
	f.now = f.now.Add(time.Second) // so that no limit matters
	f.calls, f.accesses = nil, nil
	response = httptest.NewRecorder()
	f.ServeHTTP(response, r.WithContext(t.Context()))
	return response, f.calls, f.accesses
}

// checkProblem fails unless a response is a problem of the catalog that is no fault of the server.
func checkProblem(t *testing.T, response *httptest.ResponseRecorder) {
	t.Helper()
	var problem struct {
		Status int
		Reason appapi.Reason
	}
	if err := json.Unmarshal(response.Body.Bytes(), &problem); err != nil {
		t.Fatalf("%d %s: %v", response.Code, response.Body, err)
	}
	if !slices.Contains(appapi.AllReasons(), problem.Reason) || problem.Status != response.Code ||
		problem.Reason.Status() != response.Code || response.Code < 400 || response.Code > 499 {
		t.Fatalf("%d %s", response.Code, response.Body)
	}
}

// origin begins a target in absolute form.
var origin = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://[^/]*`)

// expected parses a path as the API documents it, without the code of the API: ok is false if it is no call.
func expected(path string) (namespace, name string, ok bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 7 || parts[0] != "" || parts[1] != "v1" || parts[2] != "namespaces" || parts[4] != "smileusers" || parts[6] != "token" {
		return "", "", false
	}
	namespace, name = parts[3], parts[5]
	return namespace, name, len(validation.IsDNS1123Label(namespace)) == 0 && len(validation.IsDNS1123Subdomain(name)) == 0
}

// FuzzPath sends any request target. A token is minted exactly if the target is a call of the documented form, for the very
// object that it names, whose rights were checked.
func FuzzPath(f *testing.F) {
	for _, target := range []string{
		georgesPath, georgesPath + "/", georgesPath + "?", georgesPath + "?widget=x", "/v1//namespaces/shop/smileusers/george/token",
		"/v1/namespaces/shop/smileusers/../smileusers/george/token", "/v1/namespaces/shop/smileusers/%67eorge/token",
		"/v1/namespaces/shop/smileusers/a%2fb/token", "/v1/namespaces/Shop/smileusers/george/token", "/openapi.json", "/", "*",
		"http://other/v1/namespaces/shop/smileusers/george/token", "/v1/namespaces/shop/smileusers/george/token#x",
		"/v1/namespaces/shop/smileusers/george%00/token", "/v1/namespaces/shop/smileusers/ge\u00f6rge/token", "//v1", georgesPath + "%20",
	} {
		f.Add(target)
	}
	server := newFuzzed()
	f.Fuzz(func(t *testing.T, target string) {
		head := "POST " + target + " HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer token-of-shop\r\nContent-Length: 0\r\n\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
		if err != nil || strings.ContainsAny(target, "\r\n") {
			return
		}
		response, calls, accesses := server.serve(t, r)
		path, query, _ := strings.Cut(target, "?")
		path = origin.ReplaceAllString(path, "")
		namespace, name, ok := expected(path)
		if !ok || query != "" && !namesWidget(query) {
			checkProblem(t, response)
			if len(calls) > 0 {
				t.Fatalf("%q: a call for %s/%s", target, calls[0].Namespace, calls[0].Name)
			}
			return
		}
		want := appapi.Access{Verb: "create", Resource: "smileusers", Subresource: "token", Namespace: namespace, Name: name}
		if response.Code != http.StatusCreated || len(calls) != 1 || calls[0].Namespace != namespace || calls[0].Name != name ||
			!slices.Equal(accesses, []appapi.Access{want}) {
			t.Fatalf("%q: %d, calls %v, checked %v", target, response.Code, calls, accesses)
		}
	})
}

// namesWidget reports whether a query is the one parameter that a token has: the name of a widget.
func namesWidget(query string) bool {
	values, err := url.ParseQuery(query)
	return err == nil && len(values) == 1 && len(values["widget"]) == 1 && len(validation.IsDNS1123Subdomain(values["widget"][0])) == 0
}

// FuzzBody sends any body with any type. A token is minted exactly if there is none, or an empty JSON object.
func FuzzBody(f *testing.F) {
	for _, body := range []string{"", "{}", " {\n} ", "{}{}", "{} x", `{"a":1}`, "[]", "null", "{", "\xff", "{}\x00", strings.Repeat(" ", 20000) + "{}"} {
		f.Add([]byte(body), "application/json")
	}
	f.Add([]byte("{}"), "application/json; charset=utf-8")
	f.Add([]byte("{}"), "text/plain")
	f.Add([]byte("{}"), "application/jsonx")
	server := newFuzzed()
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, georgesPath, bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer token-of-shop")
		r.Header.Set("Content-Type", contentType)
		response, calls, _ := server.serve(t, r)
		media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
		isJSON := strings.TrimSpace(media) == "application/json"
		switch {
		case response.Code == http.StatusCreated && len(body) > 0 && (!isJSON || !isEmptyObject(body) || len(body) > appapi.MaxBody):
			t.Fatalf("%q as %q was accepted", body, contentType)
		case response.Code != http.StatusCreated && (len(body) == 0 || contentType == "application/json" && isEmptyObject(body) && len(body) <= appapi.MaxBody):
			t.Fatalf("%q as %q: %d %s", body, contentType, response.Code, response.Body)
		case response.Code == http.StatusCreated && len(calls) != 1:
			t.Fatalf("%d calls", len(calls))
		case response.Code != http.StatusCreated:
			checkProblem(t, response)
			if len(calls) > 0 {
				t.Fatal("a refused body led to a call")
			}
		}
	})
}

// isEmptyObject reads a body by tokens: one {, one }, and nothing more.
func isEmptyObject(body []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(body))
	for _, want := range []json.Delim{'{', '}'} {
		if token, err := decoder.Token(); err != nil || token != want {
			return false
		}
	}
	_, err := decoder.Token()
	return err == io.EOF
}
