package server

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/bodies"
)

func seeded(b *testing.B, users int) (*Sandbox, []User) {
	b.Helper()
	s, err := New(Options{RateLimit: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Seed(SeedRequest{Users: users, AccountsPerUser: 1}); err != nil {
		b.Fatal(err)
	}
	known, _ := s.Users("sandbox-key")
	return s, known
}

func request(path string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.SetBasicAuth("sandbox-key", "sandbox-secret")
	return r
}

// BenchmarkGetUser is one call without a network.
func BenchmarkGetUser(b *testing.B) {
	s, users := seeded(b, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, request("/v1/users/"+users[i%len(users)].ID))
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkGetUserOverTCP measures calls over loopback, including the client.
func BenchmarkGetUserOverTCP(b *testing.B) {
	server, err := Start(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	_ = server.Seed(SeedRequest{Users: 10_000})
	users, _ := server.Users("sandbox-key")
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	begun := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			r, _ := http.NewRequest(http.MethodGet, server.URL+"/v1/users/"+users[i%len(users)].ID, nil)
			r.SetBasicAuth("sandbox-key", "sandbox-secret")
			response, err := transport.RoundTrip(r)
			if err != nil || response.StatusCode != http.StatusOK {
				b.Error(response, err)
				return
			}
			_ = response.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "calls/s")
}

// BenchmarkListUsers reads a page of 150 from the middle.
func BenchmarkListUsers(b *testing.B) {
	s, _ := seeded(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, request("/v1/users?size=150"))
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkSeed100000 creates 100,000 users with an account and a task each,
// and measures their memory.
func BenchmarkSeed100000(b *testing.B) {
	for b.Loop() {
		before := memoryInUse()
		s, _ := seeded(b, 100_000)
		b.ReportMetric(float64(memoryInUse()-before)/(1<<20), "MiB")
		s.Close()
	}
}

// maxMemory bounds what 200,000 calls may leave in memory: the journal, and bodies of 64
// MiB, whose headers and maps take about as much again.
const maxMemory = 320 << 20

// BenchmarkMemoryAfter200000Calls measures what the journal and the bodies keep. A call
// has headers and bodies of 2 KB.
func BenchmarkMemoryAfter200000Calls(b *testing.B) {
	for b.Loop() {
		before := memoryInUse()
		s, err := New(Options{JournalBodies: bodies.DefaultLimit})
		if err != nil {
			b.Fatal(err)
		}
		_ = s.Seed(SeedRequest{Users: 100})
		users, _ := s.Users("sandbox-key")
		filler := strings.Repeat("x", 1000)
		for i := range 200_000 {
			r := request("/v1/users/" + users[i%len(users)].ID)
			r.Header.Set("X-Filler", filler+strconv.Itoa(i))
			s.ServeHTTP(httptest.NewRecorder(), r)
		}
		used := memoryInUse() - before
		b.ReportMetric(float64(used)/(1<<20), "MiB")
		if used > maxMemory {
			b.Errorf("%d MiB are in use", used>>20)
		}
		s.Close()
	}
}

// memoryInUse is the memory in use after a garbage collection, in bytes.
func memoryInUse() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
