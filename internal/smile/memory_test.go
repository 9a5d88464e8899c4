package smile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/smile-operator/smile-operator/internal/smile"
)

// endless answers every listing with a page of so many entries, each padded to a size, and a new cursor. It notes the largest
// heap.
type endless struct {
	entries, size int
	pages         int
	heap          uint64
	items         string
}

func (e *endless) Do(_ *http.Request) (*http.Response, error) {
	e.pages++
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	e.heap = max(e.heap, memory.HeapSys-memory.HeapReleased)
	if e.items == "" {
		entry := fmt.Sprintf(`{"id":"x-1","metadata":{"sourceId":"a-1","userId":"t-1"},"pad":"%s"}`, strings.Repeat("x", e.size))
		e.items = strings.TrimSuffix(strings.Repeat(entry+",", e.entries), ",")
	}
	answer := success("")
	answer.Body = io.NopCloser(io.MultiReader( // no copy that would count
		strings.NewReader(fmt.Sprintf(`{"code":"OK","data":{"nextCursor":"%d","items":[`, e.pages)), strings.NewReader(e.items), strings.NewReader(`]}}`),
	))
	return answer, nil
}

// TestListingsThatAreKeptEndWhereAnOutputIsFull reads pages without end, of which the caller keeps everything.
func TestListingsThatAreKeptEndWhereAnOutputIsFull(t *testing.T) {
	for name, test := range map[string]struct {
		size, pages int
		problem     smile.Problem
	}{
		"large pages": {25_000, 5, smile.ProblemTooMuchData},
		"small pages": {1, 100, smile.ProblemTooManyPages},
	} {
		api := &endless{entries: 150, size: test.size}
		items, err := collect(clientOf(api).Items(t.Context(), "INCOMES", smile.ItemFilter{SourceID: "a-1"}))
		if !errors.Is(err, test.problem) || api.pages != test.pages {
			t.Errorf("%s: after %d pages and %d items: %v", name, api.pages, len(items), err)
		}
	}
}

func drained[T any](sequence iter.Seq2[T, error]) error {
	_, err := collect(sequence)
	return err
}

// TestEveryListingEnds reads each of them from a server that always has one page more.
func TestEveryListingEnds(t *testing.T) {
	ctx := t.Context()
	for name, test := range map[string]struct {
		list  func(context.Context, *smile.Mutator) error
		pages int
	}{
		"a user's accounts": {func(ctx context.Context, c *smile.Mutator) error {
			return drained(c.Accounts(ctx, smile.AccountFilter{UserID: "t-1"}))
		}, 100},
		"a user's archives": {func(ctx context.Context, c *smile.Mutator) error {
			return drained(c.Archives(ctx, smile.ArchiveFilter{UserID: "t-1"}))
		}, 100},
		"all accounts": {func(ctx context.Context, c *smile.Mutator) error {
			return drained(c.Accounts(ctx, smile.AccountFilter{}))
		}, 10_000},
		"all users": {func(ctx context.Context, c *smile.Mutator) error { return drained(c.Users(ctx, smile.UserFilter{})) }, 10_000},
	} {
		pages := 0
		err := test.list(ctx, clientOf(doerFunc(func(*http.Request) (*http.Response, error) {
			pages++
			return success(pageOf(fmt.Sprintf("%q", fmt.Sprint(pages)))), nil
		})))
		if !errors.Is(err, smile.ProblemTooManyPages) || pages != test.pages {
			t.Errorf("%s: %d pages, %v", name, pages, err)
		}
	}
}

// TestNeverEndingListingsTakeLittleMemory: a process that lists without end, again and again, does not grow.
func TestNeverEndingListingsTakeLittleMemory(t *testing.T) {
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	api := &endless{entries: 150, size: 25_000}
	for range 3 {
		if err := drained(clientOf(api).Items(t.Context(), "INCOMES", smile.ItemFilter{SourceID: "a-1"})); err == nil {
			t.Fatal("it ended")
		}
	}
	grown := float64(api.heap-min(api.heap, before.HeapSys-before.HeapReleased)) / (1 << 20)
	if t.Logf("the heap grew by %.0f MiB", grown); grown > 64 {
		t.Error("that is more than 64 MiB")
	}
}

// TestAllAnswersTogetherAreBounded opens listings side by side. The last finds no room; when others have ended, there is again.
func TestAllAnswersTogetherAreBounded(t *testing.T) {
	var stops []func()
	open := func() error {
		next, stop := iter.Pull2(clientOf(&endless{entries: 150, size: 25_000}).Items(t.Context(), "INCOMES", smile.ItemFilter{SourceID: "a-1"}))
		stops = append(stops, stop)
		for range 4 * 150 {
			if _, err, ok := next(); err != nil || !ok {
				return err
			}
		}
		return nil
	}
	full := 0
	for range 5 {
		if err := open(); errors.Is(err, smile.ProblemNoRoom) {
			full++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if full == 0 || full == 5 {
		t.Errorf("%d of five listings of 15 MiB were refused for lack of space", full)
	}
	for _, stop := range stops {
		stop()
	}
	if err := open(); err != nil {
		t.Errorf("after all have ended: %v", err)
	}
	stops[len(stops)-1]()
}

// TestASmallAnswerIsAlwaysRead: what became of a creation is not lost because memory is short.
func TestASmallAnswerIsAlwaysRead(t *testing.T) {
	var stops []func()
	for range 4 {
		next, stop := iter.Pull2(clientOf(&endless{entries: 150, size: 25_000}).Items(t.Context(), "INCOMES", smile.ItemFilter{SourceID: "a-1"}))
		stops = append(stops, stop)
		for range 4 * 150 {
			if _, err, _ := next(); err != nil {
				break
			}
		}
	}
	created := clientOf(doerFunc(func(*http.Request) (*http.Response, error) {
		return reply(http.StatusCreated, `{"code":"OK","data":{"user":{"id":"t-1"}}}`), nil
	}))
	if user, err := created.CreateUser(t.Context(), nil); err != nil || user.User.ID != "t-1" {
		t.Error(user, err)
	}
	large := clientOf(doerFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(io.MultiReader(strings.NewReader(`{"code":"OK","data":"`), strings.NewReader(strings.Repeat("x", 4<<20)), strings.NewReader(`"}`))),
		}, nil
	}))
	if _, err := large.User(t.Context(), "t-1"); !errors.Is(err, smile.ProblemNoRoom) {
		t.Errorf("a large answer: %v", err)
	}
	for _, stop := range stops {
		stop()
	}
}

// reading is a body that ends when its function returns.
type reading func()

func (r reading) Read([]byte) (int, error) {
	r()
	return 0, io.EOF
}

// TestResponsesHaveABoundOfTheirOwn stops a large response before its end. Another one is refused until it has ended.
func TestResponsesHaveABoundOfTheirOwn(t *testing.T) {
	stopped, resume := make(chan struct{}), make(chan struct{})
	read := func(mebibytes int, end func()) error {
		_, err := clientOf(doerFunc(func(*http.Request) (*http.Response, error) {
			start := `{"code":"OK","data":{"id":"t-1","pad":"` + strings.Repeat("x", mebibytes<<20)
			return &http.Response{
				StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
				Body: io.NopCloser(io.MultiReader(strings.NewReader(start), reading(end), strings.NewReader(`"}}`))),
			}, nil
		})).User(t.Context(), "t-1")
		return err
	}
	first := make(chan error)
	go func() { first <- read(4, func() { close(stopped); <-resume }) }()
	<-stopped
	if err := read(4, func() {}); !errors.Is(err, smile.ProblemNoRoom) {
		t.Errorf("a response that does not fit: %v", err)
	}
	if err := read(3, func() {}); err != nil {
		t.Errorf("a smaller response: %v", err)
	}
	close(resume)
	if err := <-first; err != nil {
		t.Errorf("the first response: %v", err)
	}
	if err := read(4, func() {}); err != nil {
		t.Errorf("a response after the first has ended: %v", err)
	}
}
