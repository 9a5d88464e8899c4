package tour

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// unknownID is the id of no object.
const unknownID = "unknown"

// readsPerList bounds how many objects of a list are also read individually.
const readsPerList = 20

// browse reads a list with all kinds of parameters, and then its objects.
func (t *tour) browse(o server.Operation) {
	if o.Method != http.MethodGet || strings.Contains(o.Path, "{") {
		return
	}
	path := base + o.Path
	all := t.call(o.Method, path+"?size=150", "", nil)
	ids, _ := all.items()
	if len(ids) == 0 {
		return
	}
	t.expect(t.call(o.Method, path, "", nil), 0)
	for _, wrong := range []string{"size=0", "size=151", "size=x", "cursor=" + unknownID} {
		t.expect(t.call(o.Method, path+"?"+wrong, "", nil), http.StatusBadRequest)
	}
	firstPage := t.call(o.Method, path+"?size=1", "", nil)
	if _, cursor := firstPage.items(); cursor != "" {
		t.expect(t.call(o.Method, path+"?size=1&cursor="+url.QueryEscape(cursor), "", nil), 0)
	}
	if !t.has(http.MethodGet, o.Path+"/{id}") {
		return
	}
	for _, id := range ids[:min(len(ids), readsPerList)] {
		t.expect(t.call(http.MethodGet, path+"/"+url.PathEscape(id), "", nil), 0)
	}
}

func (t *tour) has(method, path string) bool {
	for _, o := range t.emulated {
		if o.Method == method && o.Path == path {
			return true
		}
	}
	return false
}

// provoked are the errors that only a fault causes.
var provoked = []int{
	http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusNotImplemented,
	http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// provoke causes every kind of error of an operation.
func (t *tour) provoke(o server.Operation) error {
	path := pathOf(o, unknownID)
	t.expect(t.call(o.Method, path, "", withoutCredentials), http.StatusUnauthorized)
	t.expect(t.call(o.Method, path, "", withWrongCredentials), http.StatusBadRequest)
	if o.Method == http.MethodPost {
		t.expect(t.call(o.Method, path, "{}", asText), http.StatusUnsupportedMediaType)
	}
	if strings.Contains(o.Path, "{") && (o.Method == http.MethodGet || o.Method == http.MethodDelete) {
		t.expect(t.call(o.Method, path, "", nil), http.StatusNotFound)
	}
	for _, status := range provoked {
		if err := t.box.SetFaults([]server.Fault{{Operation: o.ID, Count: 1, Action: "status:" + strconv.Itoa(status)}}); err != nil {
			return err
		}
		t.expect(t.call(o.Method, path, "", nil), status)
	}
	return t.box.SetFaults(nil)
}
