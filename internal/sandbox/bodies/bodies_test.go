package bodies

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecretsAreMasked(t *testing.T) {
	e := Exchange{
		Request: NewMessage(http.Header{"Authorization": {"Basic c2VjcmV0"}, "Cookie": {"a"}, "Accept": {"*/*"}},
			[]byte(`{"login":"George","password":"a \"quoted\" one","name":"secret","secret" : "hush","code":"1234"}`)),
		Response: NewMessage(nil, []byte(`{"code":"OK","data":{"accessToken":"cut of`)),
	}
	shown := e.View(false)
	if diff := cmp.Diff(http.Header{"Authorization": {"Basic •••"}, "Cookie": {"•••"}, "Accept": {"*/*"}}, shown.Request.Headers); diff != "" {
		t.Error(diff)
	}
	if got, want := shown.Request.Body, `{"login":"George","password":"•••","name":"secret","secret" : "•••","code":"•••"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := shown.Response.Body, `{"code":"OK","data":{"accessToken":"•••`; got != want || !shown.Response.Masked {
		t.Errorf("got %s", got)
	}
	all := e.View(true)
	if !strings.Contains(all.Request.Body, "hush") || all.Request.Headers.Get("Authorization") != "Basic c2VjcmV0" || all.Request.Masked {
		t.Errorf("with secrets: %+v", all.Request)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s := NewStore(10 << 20)
	for seq := range 100 {
		s.PutCall(seq, Exchange{Request: NewMessage(http.Header{"A": {"b"}}, make([]byte, 8<<10))})
		s.PutEvent(seq, make([]byte, 3<<20))
		if s.Used() > 10<<20 {
			t.Fatalf("%d bytes are kept", s.Used())
		}
	}
	if _, kept := s.Call(99); !kept {
		t.Error("the newest call is not kept")
	}
	if _, whole := s.Event(99); whole {
		t.Error("an event that was cut off can be sent")
	}
	shown := Exchange{Request: NewMessage(nil, make([]byte, 3<<20))}.View(false)
	if !shown.Request.Truncated || shown.Request.Size != 3<<20 {
		t.Errorf("truncated %t, size %d", shown.Request.Truncated, shown.Request.Size)
	}
}

func TestNothingIsKept(t *testing.T) {
	s := NewStore(0)
	s.PutCall(1, Exchange{Request: NewMessage(nil, []byte("x"))})
	if _, kept := s.Call(1); kept {
		t.Error("a call is kept")
	}
}
