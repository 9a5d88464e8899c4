package main

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// asCommand, set in the environment, makes this test binary the command.
const asCommand = "DEVCLUSTER_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestUp(t *testing.T) {
	for name, tt := range map[string]struct {
		end    func(*session) error
		output string // what it says last
		fails  bool
	}{
		"interrupted": {
			end:    func(s *session) error { return s.cmd.Process.Signal(syscall.SIGINT) },
			output: "Stopping",
		},
		"terminated": {
			end:    func(s *session) error { return s.cmd.Process.Signal(syscall.SIGTERM) },
			output: "Stopping",
		},
		"kube-apiserver ends by itself": {
			end:    func(s *session) error { return syscall.Kill(s.pids["kube-apiserver"], syscall.SIGKILL) },
			output: "kube-apiserver ended by itself",
			fails:  true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kubeconfig := filepath.Join(t.TempDir(), "made", "kubeconfig")
			s := startUp(t, kubeconfig)
			requireUsable(t, kubeconfig)
			if err := tt.end(s); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(s.out)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.cmd.Wait(); (err != nil) != tt.fails {
				t.Errorf("it ended with %v, want an error: %v", err, tt.fails)
			}
			if !strings.Contains(string(rest), tt.output) {
				t.Errorf("%q lacks %q", rest, tt.output)
			}
			for name, pid := range s.pids {
				if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
					t.Errorf("%s is left as process %d: %v", name, pid, err)
				}
			}
			if _, err := os.Stat(kubeconfig); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the kubeconfig is left: %v", err)
			}
		})
	}
}

func TestAnInterruptWhileStartingIsAnOrdinaryEnd(t *testing.T) {
	t.Parallel()
	cmd, out := newCommand(t, "up", "--kubeconfig", filepath.Join(t.TempDir(), "kubeconfig"))
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// session is a running devcluster up.
type session struct {
	cmd  *exec.Cmd
	out  *bufio.Reader
	pids map[string]int
}

// startUp reads the table of components and returns once it is ready.
func startUp(t *testing.T, kubeconfig string) *session {
	t.Helper()
	s := &session{pids: map[string]int{}}
	s.cmd, s.out = newCommand(t, "up", "--kubeconfig", kubeconfig)
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			t.Fatalf("it ended before it was ready: %v", err)
		}
		if fields := strings.Fields(line); len(fields) == 5 {
			if pid, err := strconv.Atoi(fields[3]); err == nil {
				s.pids[fields[0]] = pid
			}
		}
		if strings.Contains(line, "export KUBECONFIG="+kubeconfig) {
			break
		}
	}
	if len(s.pids) != 3 {
		t.Fatalf("it printed %v, want three components", s.pids)
	}
	return s
}

func newCommand(t *testing.T, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

func requireUsable(t *testing.T, kubeconfig string) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.List(t.Context(), &corev1.NamespaceList{}); err != nil {
		t.Fatal(err)
	}
}
