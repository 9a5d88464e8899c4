package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/smile-operator/smile-operator/internal/child"
)

const (
	// patience is how long a process may take to end after an interrupt.
	patience = 25 * time.Second
	// memoryLimit is the memory limit that config/manager sets for the Go runtime.
	memoryLimit = "GOMEMLIMIT=256MiB"
	unlimited   = 0
)

// operator is a running operator.
type operator struct {
	*child.Process
	started time.Time
}

// operate starts the operator as config/manager does, with a limit of calls a second.
func (st *stage) operate(ctx context.Context, perSecond int, flags ...string) (*operator, error) {
	return st.operateAt(ctx, st.smile.URL, perSecond, flags...)
}

// operateAt is like operate, with Smile at another URL, http://host:port.
func (st *stage) operateAt(ctx context.Context, smileURL string, perSecond int, flags ...string) (*operator, error) {
	args := append([]string{
		"--sandbox-endpoint=" + smileURL + "/v1",
		"--api-requests-per-second=" + strconv.Itoa(perSecond),
		"--operator-namespace=" + accountNamespace,
		"--leader-elect",
		"--metrics-bind-address=0",
		"--health-probe-bind-address=0",
	}, flags...)
	started := time.Now()
	p, err := st.launch(ctx, "smile-operator", args, "KUBECONFIG="+st.access, memoryLimit)
	if err != nil {
		return nil, err
	}
	return &operator{Process: p, started: started}, nil
}

// launch starts a program that was built. It is stopped at the end of the scenario, if not before.
func (st *stage) launch(ctx context.Context, program string, args []string, env ...string) (*child.Process, error) {
	path := filepath.Join(filepath.Dir(st.access), program+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if len(st.logs) == 0 {
		st.logs = []string{path}
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(st.subject.binaries, program), args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(path)}, env...)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := child.Start(cmd)
	if err != nil {
		return nil, err
	}
	st.later(func() error { return p.Stop(patience) })
	return p, nil
}

// restart stops the operator in an orderly way and starts another one.
func (st *stage) restart(ctx context.Context, o *operator, perSecond int, flags ...string) (*operator, error) {
	if err := o.end(); err != nil {
		return nil, err
	}
	return st.operate(ctx, perSecond, flags...)
}

func (o *operator) end() error {
	if err := o.alive(); err != nil {
		return err
	}
	return o.Stop(patience)
}

func (o *operator) alive() error {
	select {
	case <-o.Done():
		return fmt.Errorf("the operator ended by itself: %w", errors.Join(o.Err(), errors.New("see its log")))
	default:
		return nil
	}
}
