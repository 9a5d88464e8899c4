package child

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// shell starts a script, and returns once it has printed its first line. The pipe ends when every process of the script has
// ended.
func shell(t *testing.T, script string) (*Process, *os.File) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Stdout = in
	c, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "up\n" {
		t.Fatalf("the script says %q: %v", line, err)
	}
	return c, out
}

func TestStop(t *testing.T) {
	for name, tt := range map[string]struct {
		script   string
		patience time.Duration
		killed   bool
	}{
		"ends when interrupted": {`echo up; exec sleep 1000`, time.Minute, false},
		"cleans up first":       {`trap "exit 3" INT; echo up; while :; do sleep 0.01; done`, time.Minute, false},
		"does not end":          {`trap "" INT; echo up; sleep 1000`, 10 * time.Millisecond, true},
		"leaves a child behind": {`(trap "" INT; echo up; exec sleep 1000) & wait`, time.Minute, false},
		"ends by itself":        {`echo up`, time.Minute, false},
		"is paused":             {`echo up; kill -STOP $$; exec sleep 1000`, time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, out := shell(t, tt.script)
			if err := c.Stop(tt.patience); (err != nil) != tt.killed {
				t.Errorf("Stop returned %v, want an error: %v", err, tt.killed)
			}
			if err := out.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, out); err != nil {
				t.Errorf("a process of the script is left: %v", err)
			}
			if err := c.Stop(tt.patience); err != nil {
				t.Errorf("stopped again: %v", err)
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/does/not/exist")
	if _, err := Start(cmd); err == nil || !strings.Contains(err.Error(), "/does/not/exist") {
		t.Errorf("Start returned %v", err)
	}
}
