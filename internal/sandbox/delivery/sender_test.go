package delivery

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smile-operator/smile-operator/internal/sandbox/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestVendorVector is the vendor's signature, computed by other means.
func TestVendorVector(t *testing.T) {
	body := `{"id":"et-1","version":1,"type":"USER_CREATED","createdAt":"2021-04-14T09:30:24Z","data":{"userId":"tenant-1"}}`
	want := "6f51b7db7f5d821fc2247f37298c2bc1bddc4b3a57440b9f554d1efc18ac5296461fbc4d1515bd895c1067f2314635bc51af77f29ffd915bde5d3458e1d8f231"
	if got := Sign("a little secret", []byte(body)); got != want {
		t.Errorf("got %s", got)
	}
}

// TestUnknownAuthority: an https:// webhook is sent nothing unless its
// certificate is verified.
func TestUnknownAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	q := NewQueue(Config{
		Clock: clock.New(time.Now), Workers: 1, Timeout: time.Minute, Signature: func(hex string) string { return hex },
	})
	defer q.Close()
	made, _ := q.attempt(&outgoing{target: Target{URL: server.URL}})
	if made.Status != 0 || !strings.Contains(made.Error, "certificate") {
		t.Errorf("%+v", made)
	}
}
