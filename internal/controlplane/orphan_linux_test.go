package controlplane

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

func TestNoChildOutlivesItsParent(t *testing.T) {
	t.Parallel()
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), orphanVariable+"="+t.TempDir())
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	decodeErr := json.NewDecoder(bufio.NewReader(out)).Decode(&pids)
	if err := parent.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = parent.Wait()
	if decodeErr != nil || len(pids) != 3 {
		t.Fatalf("the parent printed %v, %v", pids, decodeErr)
	}
	await(t, func(context.Context) (bool, error) {
		for _, pid := range pids {
			if !gone(pid) {
				return false, nil
			}
		}
		return true, nil
	})
}

// gone is true for a process that ended, whether or not it was reaped.
func gone(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	var id int
	var name, state string
	_, err = fmt.Sscan(string(raw), &id, &name, &state)
	return err == nil && state == "Z"
}
