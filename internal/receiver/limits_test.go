package receiver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smile-operator/smile-operator/internal/hook"
)

// padded is the body of an event of this length.
func padded(length int) string {
	body := strings.TrimSuffix(eventOf("TASK_FINISHED"), "}") + `,"more":""}`
	return strings.TrimSuffix(body, `"}`) + strings.Repeat("x", length-len(body)) + `"}`
}

// raw writes bytes to a connection and returns the status of the response. The server may not read all of it.
func raw(t *testing.T, conn net.Conn, write func(io.Writer)) int {
	t.Helper()
	var writing sync.WaitGroup
	writing.Go(func() { write(conn) })
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	conn.Close()
	writing.Wait()
	if err != nil {
		t.Error(err)
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// A body at the limit is accepted. One that is a byte longer is refused before the pair is read; if its length is declared,
// without waiting for it.
func TestBodiesAreLimited(t *testing.T) {
	for name, test := range map[string]struct {
		length  int
		chunked bool
		status  int
	}{
		"the limit":            {256 << 10, false, http.StatusNoContent},
		"the limit, chunked":   {256 << 10, true, http.StatusNoContent},
		"a byte more":          {256<<10 + 1, false, http.StatusRequestEntityTooLarge},
		"a byte more, chunked": {256<<10 + 1, true, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kube := apiServerWith(t, pairOf)
				dial := overPipes(t, httpServer(t, kube))
				r := genuineOf(t.Context(), padded(test.length))
				if test.chunked {
					r.ContentLength = -1
				}
				if got := raw(t, dial(), func(w io.Writer) { _ = r.Write(w) }); got != test.status {
					t.Errorf("%d, want %d", got, test.status)
				}
				want := 0
				if test.status == http.StatusNoContent {
					want = 1
				}
				if writes, reads := len(kube.all()), kube.read["*v1.Secret"]; writes != want || reads != want {
					t.Errorf("%d hints and %d reads of the pair, want %d", writes, reads, want)
				}
				began := time.Now()
				head := "POST " + hook.Prefix + "x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
				got := raw(t, dial(), func(w io.Writer) { fmt.Fprintf(w, head, 256<<10+1) })
				if took := time.Since(began); got != http.StatusRequestEntityTooLarge || took > 0 {
					t.Errorf("a body that is declared too large is answered with %d after %v", got, took)
				}
			})
		})
	}
}

// waiting is a body that is sent only when let is closed.
type waiting struct {
	io.Reader
	begun  bool
	inside *atomic.Int64
	let    <-chan struct{}
}

func (w *waiting) Read(p []byte) (int, error) {
	if !w.begun {
		w.begun = true
		w.inside.Add(1)
		<-w.let
	}
	return w.Reader.Read(p)
}

// crowd are deliveries that arrive at once.
type crowd struct {
	inside  atomic.Int64
	let     chan struct{}
	answers chan int
}

func (d *fixture) crowd(t *testing.T, count int) *crowd {
	c := &crowd{let: make(chan struct{}), answers: make(chan int, count)}
	body := eventOf("TASK_FINISHED")
	for range count {
		go func() {
			r := delivery(t.Context(), pairOf.Path.Reveal(), &waiting{Reader: strings.NewReader(body), inside: &c.inside, let: c.let}, Sign(body, pairOf.Secret.Reveal()))
			c.answers <- d.answerTo(r)
		}()
	}
	return c
}

// expect waits for some time, and checks how many bodies are being read by then and which responses came since the last call.
func (c *crowd) expect(t *testing.T, after time.Duration, inside int64, want map[int]int) {
	t.Helper()
	<-time.After(after)
	synctest.Wait()
	got := map[int]int{}
	for range len(c.answers) {
		got[<-c.answers]++
	}
	if begun := c.inside.Load(); begun != inside || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d bodies are read and %v is answered, want %d and %v", begun, got, inside, want)
	}
}

// If there are more requests than places, the others wait a second and are then refused, so that Smile sends them again. At the
// end all places are free.
func TestConcurrentBodiesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFixture(t)
		d.answerTo(genuineOf(t.Context(), eventOf("TASK_FINISHED"))) // the pair is read now
		first := d.crowd(t, 80)
		first.expect(t, slotWait/2, 64, map[int]int{})
		first.let <- struct{}{}
		first.expect(t, slotWait/4, 65, map[int]int{http.StatusNoContent: 1})
		first.expect(t, slotWait/4, 65, map[int]int{http.StatusServiceUnavailable: 15})
		close(first.let)
		first.expect(t, slotWait, 65, map[int]int{http.StatusNoContent: 64})
		again := d.crowd(t, 64)
		again.expect(t, 0, 64, map[int]int{})
		close(again.let)
		again.expect(t, slotWait, 64, map[int]int{http.StatusNoContent: 64})
	})
}

// net/http accepts 4 KiB more than its limit, because its buffer reads ahead.
func TestALargeHeaderIsRefused(t *testing.T) {
	for length, want := range map[int]int{
		16 << 10: http.StatusNoContent,
		20 << 10: http.StatusRequestHeaderFieldsTooLarge,
		1 << 20:  http.StatusRequestHeaderFieldsTooLarge,
	} {
		synctest.Test(t, func(t *testing.T) {
			kube := apiServerWith(t, pairOf)
			r := genuineOf(t.Context(), eventOf("TASK_FINISHED"))
			r.Header.Set("X-More", strings.Repeat("x", length))
			if got := raw(t, overPipes(t, httpServer(t, kube))(), func(w io.Writer) { _ = r.Write(w) }); got != want {
				t.Errorf("%d bytes: %d, want %d", length, got, want)
			}
			if hinted := len(kube.all()) > 0; hinted != (want == http.StatusNoContent) {
				t.Errorf("%d bytes: a hint is stored: %v", length, hinted)
			}
		})
	}
}

// Connections whose responses are never read are closed, and occupy no place until then.
func TestUnreadResponsesEndTheirConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := httpServer(t, apiServerWith(t, pairOf))
		ended := make(chan struct{}, maxRegistered+1)
		under.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				ended <- struct{}{}
			}
		}
		dial := overPipes(t, under)
		began := time.Now()
		for range maxRegistered {
			conn := dial()
			t.Cleanup(func() { conn.Close() })
			go func() { _ = genuineOf(t.Context(), eventOf("TASK_FINISHED")).Write(conn) }()
		}
		<-time.After(time.Second)
		if got := raw(t, dial(), func(w io.Writer) { _ = genuineOf(t.Context(), eventOf("TASK_FINISHED")).Write(w) }); got != http.StatusNoContent {
			t.Errorf("a genuine event beside them: %d", got)
		}
		late := time.After(2 * writeTimeout)
		for range maxRegistered + 1 {
			select {
			case <-ended:
			case <-late:
				t.Fatal("the slow connections are never closed")
			}
		}
		if took := time.Since(began); took < writeTimeout || took > writeTimeout+time.Second {
			t.Errorf("they were cut after %s, want %s", took, writeTimeout)
		}
	})
}

// mine is a body that makes the receiver panic while it holds a place.
type mine struct{}

func (mine) Read([]byte) (int, error) { panic("the person is called George") }

func TestAPanicFreesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newFixture(t)
		for path, places := range map[string]int{pairOf.Path.Reveal(): maxRegistered, "x": maxUnregistered} {
			for range places + 1 {
				if got := d.answerTo(delivery(t.Context(), path, mine{}, "")); got != http.StatusInternalServerError {
					t.Fatalf("a panic is answered with %d", got)
				}
			}
		}
		body := eventOf("TASK_FINISHED")
		if got := d.answerTo(genuineOf(t.Context(), body)); got != http.StatusNoContent {
			t.Errorf("a genuine event after panics: %d", got)
		}
		if got := d.answerTo(delivery(t.Context(), "x", strings.NewReader(body), Sign(body, ""))); got != http.StatusUnauthorized {
			t.Errorf("a forged event after panics: %d", got)
		}
	})
}
