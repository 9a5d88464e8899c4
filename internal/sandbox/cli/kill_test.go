package cli

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is a smile-sandbox in its own process.
type program struct {
	t       *testing.T
	command *exec.Cmd
	url     string
	client  *http.Client
}

func launch(t *testing.T, args ...string) *program {
	t.Helper()
	command := exec.Command(os.Args[0], append([]string{"--addr", "127.0.0.1:0", "--rate-limit", "0"}, args...)...)
	command.Env = append(os.Environ(), asProgram+"=1")
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, command: command, client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.url = line[strings.Index(line, "http://") : len(line)-1]
	return p
}

// kill ends the process at once, by SIGKILL.
func (p *program) kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
	p.client.CloseIdleConnections()
}

// call returns status and data of a response; status 0 means no response.
func (p *program) call(method, path, body string) (int, json.RawMessage) {
	r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Error(err)
		return 0, nil
	}
	r.SetBasicAuth("sandbox-key", "sandbox-secret")
	r.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(r)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil
	}
	var envelope struct{ Data json.RawMessage }
	if json.Unmarshal(text, &envelope) != nil || envelope.Data == nil {
		return response.StatusCode, text
	}
	return response.StatusCode, envelope.Data
}

// TestKillLosesNothing kills the program under load, repeatedly, and then
// expects everything that was acknowledged.
func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]string{} // the acknowledged data, by path
	for range 3 {
		p := launch(t, "--data", dir)
		for path, want := range seen {
			if status, got := p.call(http.MethodGet, path, ""); status != http.StatusOK || string(got) != want {
				t.Fatalf("%s was answered with %s, and is now %d %s", path, want, status, got)
			}
		}
		before := len(seen)
		load(p, seen)
		if len(seen) < before+100 {
			t.Fatalf("%d things were created between two kills", len(seen)-before)
		}
	}
}

// load creates and links users concurrently, and kills the program meanwhile.
func load(p *program, seen map[string]string) {
	var mu sync.Mutex
	note := func(path, data string) int {
		mu.Lock()
		defer mu.Unlock()
		seen[path] = data
		return len(seen)
	}
	enough := len(seen) + 150
	var once sync.Once
	var working sync.WaitGroup
	for i := range 8 {
		another := []func() (path, data string){p.makeUser, p.linkUser}[i%2]
		working.Go(func() {
			for path, data := another(); path != ""; path, data = another() {
				if note(path, data) >= enough {
					once.Do(p.kill)
				}
			}
		})
	}
	working.Wait()
}

// makeUser creates a user. It returns the path and the data of the response, or
// no path if the program is gone.
func (p *program) makeUser() (path, data string) {
	status, text := p.call(http.MethodPost, "/v1/users", "{}")
	if status != http.StatusCreated {
		return "", ""
	}
	var made struct{ User json.RawMessage }
	if err := json.Unmarshal(text, &made); err != nil {
		p.t.Error(err)
	}
	return "/v1/users/" + idOf(p.t, made.User), string(made.User)
}

// linkUser links an account. It returns the same.
func (p *program) linkUser() (path, data string) {
	user, _ := p.makeUser()
	status, text := p.call(http.MethodPost, "/_sandbox/link",
		`{"userId":"`+strings.TrimPrefix(user, "/v1/users/")+`","providerId":"cdecorp","login":"George","password":"123456"}`)
	if user == "" || status != http.StatusOK {
		return "", ""
	}
	return "/v1/accounts/" + idOf(p.t, text), strings.TrimSpace(string(text))
}

func idOf(t *testing.T, object json.RawMessage) string {
	var named struct{ ID string }
	if err := json.Unmarshal(object, &named); err != nil {
		t.Error(err)
	}
	return named.ID
}

// TestStartIsQuick: from the command to the first line in half a second.
func TestStartIsQuick(t *testing.T) {
	quickest := time.Hour
	for range 3 {
		begun := time.Now()
		p := launch(t)
		quickest = min(quickest, time.Since(begun))
		p.kill()
	}
	t.Logf("started in %s", quickest)
	if quickest > 500*time.Millisecond {
		t.Errorf("the fastest of three starts took %s", quickest)
	}
}

// launchOrFail starts the program and kills it once it listens. It returns what it
// wrote.
func launchOrFail(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.Command(os.Args[0], append([]string{"--addr", "127.0.0.1:0"}, args...)...)
	command.Env = append(os.Environ(), asProgram+"=1")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	command.Stdout, command.Stderr = write, write
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	lines := bufio.NewReader(read)
	line, _ := lines.ReadString('\n')
	if strings.Contains(line, "listens on") {
		_ = command.Process.Kill()
	}
	rest, _ := io.ReadAll(lines)
	_ = command.Wait()
	return line + string(rest)
}
