package mirror

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/smile-operator/smile-operator/api/v1alpha1"
	"github.com/smile-operator/smile-operator/internal/identity"
	"github.com/smile-operator/smile-operator/internal/smile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// remote is Smile in memory. A path returns its items, each a JSON object.
type remote struct {
	mu    sync.Mutex
	items map[string][]string
	// calls are the requests so far: path, and startDate of listings that have one.
	calls []string
	// takes is how long a call takes.
	takes time.Duration
	// fails is how many calls fail first.
	fails int
	// forbidden is a user whose reads are refused; "" for none.
	forbidden string
	// date is the Date header; none if zero.
	date time.Time
	// during runs in each call, before it returns.
	during func(call int)
}

func newRemote() *remote { return &remote{items: map[string][]string{}, during: func(int) {}} }

func (r *remote) client() *smile.Client {
	return smile.NewClient(&url.URL{Scheme: "https", Host: "api.test", Path: "/v1"}, r)
}

// set has a path return these items from now on.
func (r *remote) set(path string, items ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items[path] = items
}

// forbid refuses the reads of a user from now on.
func (r *remote) forbid(userID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forbidden = userID
}

func (r *remote) made() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// Do implements smile.Doer.
func (r *remote) Do(request *http.Request) (*http.Response, error) {
	path := strings.TrimPrefix(request.URL.Path, "/v1/")
	call := strings.TrimSpace(path + " " + request.URL.Query().Get("startDate"))
	r.mu.Lock()
	r.calls = append(r.calls, call)
	number := len(r.calls)
	failed := number <= r.fails
	takes := r.takes
	r.mu.Unlock()
	// The response shows the items as of the beginning of the call.
	status, body := r.answer(path, request.URL.Query().Get("userId"), failed)
	r.during(number)
	select {
	case <-request.Context().Done():
		return nil, request.Context().Err()
	case <-time.After(takes):
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if !r.date.IsZero() {
		header.Set("Date", r.date.Format(http.TimeFormat))
	}
	return &http.Response{
		StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// answer returns the response of a path. A listing that names a user shows only the items of that user.
func (r *remote) answer(path, userID string, failed bool) (status int, body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := !strings.Contains(path, "/")
	items, ok := r.items[path]
	if userID != "" {
		items = slices.DeleteFunc(slices.Clone(items), func(item string) bool { return !strings.Contains(item, `"userId":"`+userID+`"`) })
	}
	data := `{"items": [` + strings.Join(items, ",") + `]}`
	switch {
	case userID != "" && userID == r.forbidden:
		return http.StatusForbidden, `{"code":"FORBIDDEN","message":"m","requestId":"r"}`
	case failed:
		return http.StatusInternalServerError, `{"code":"INTERNAL_ERROR","message":"m","requestId":"r"}`
	case !list && !ok:
		return http.StatusNotFound, `{"code":"NOT_FOUND","message":"m","requestId":"r"}`
	case !list:
		data = items[0]
	}
	return http.StatusOK, `{"code":"OK","message":"m","requestId":"r","data":` + data + `}`
}

// marked is a remote user with a marker, created a number of minutes after noon.
func marked(id, uid, digest string, minutes int) string {
	return user(id, identity.Marker{UID: types.UID(uid), Digest: identity.Digest(digest)}.String(), minutes)
}

func user(id, marker string, minutes int) string {
	metadata := map[string]string{"channel": "web"}
	if marker != "" {
		metadata[v1alpha1.MetadataOwner] = marker
	}
	text, _ := json.Marshal(map[string]any{
		"id": id, "externalMetadata": metadata, "createdAt": noon.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339),
	})
	return string(text)
}

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// startMirror returns an empty mirror of a remote side without items. In a bubble, it uses the bubble's clock.
func startMirror(t *testing.T) (*Mirror, *remote) {
	t.Helper()
	life, end := context.WithCancel(t.Context())
	t.Cleanup(end)
	r := newRemote()
	return &Mirror{newShared(NewSet(life, Config{Clock: clock.RealClock{}}), "account"), r.client()}, r
}
