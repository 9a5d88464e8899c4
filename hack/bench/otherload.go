package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// otherLoadInterval is how often the other processes are checked.
	otherLoadInterval = 2 * time.Second
	// runningShare is how much of a core a process must use in an interval to count as running.
	runningShare = 0.05
)

// otherLoad is the load of other processes while a scenario ran. Times are not reliable if it is high.
type otherLoad struct {
	// Processes is how many ran at once, at most. A process runs when it uses 5 % of a core for 2 s.
	Processes int `json:"processes"`
	// Cores is how many cores all others used on average.
	Cores float64 `json:"cores"`
}

// process is one entry of /proc.
type process struct {
	parent int
	cpu    time.Duration
}

// parseProcess reads /proc/<id>/stat.
func parseProcess(stat string) (process, error) {
	const parent = 4 - 3 // the fields are counted from 1, and the first two end with a parenthesis
	cpu, err := processorTime(stat)
	if err != nil {
		return process{}, err
	}
	id, err := strconv.Atoi(strings.Fields(stat[strings.LastIndex(stat, ")")+1:])[parent])
	return process{id, cpu}, err
}

// processes reads all of /proc. Processes that end meanwhile are left out.
func processes() (map[int]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("processes are counted on Linux only: %w", err)
	}
	all := map[int]process{}
	for _, entry := range entries {
		id, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
		if err != nil {
			continue
		}
		if one, err := parseProcess(string(stat)); err == nil {
			all[id] = one
		}
	}
	if len(all) == 0 {
		return nil, errors.New("processes are counted on Linux only")
	}
	return all, nil
}

// otherProcesses counts the processes that ran between two checks and are neither the bench nor its descendants, and adds up
// the processor time that they used.
func otherProcesses(before, after map[int]process, own int, elapsed time.Duration) (running int, used time.Duration) {
	for id, now := range after {
		if descends(after, id, own) {
			continue
		}
		spent := now.cpu - before[id].cpu
		used += spent
		if float64(spent) >= runningShare*float64(elapsed) {
			running++
		}
	}
	return running, used
}

// childrenCPU is the processor time that the running child processes of the bench have used: the control plane and
// what is measured. The bench itself, with the sandbox and its watches, does not count.
func childrenCPU() (time.Duration, error) {
	all, err := processes()
	sum, own := time.Duration(0), os.Getpid()
	for id, one := range all {
		if id != own && descends(all, id, own) {
			sum += one.cpu
		}
	}
	return sum, err
}

func descends(all map[int]process, id, from int) bool {
	for range len(all) {
		if id == from {
			return true
		}
		one, ok := all[id]
		if !ok {
			return false
		}
		id = one.parent
	}
	return false
}

// watchOtherLoad watches the other processes until the returned function is called, which returns their load.
func watchOtherLoad() (stop func() (otherLoad, error)) {
	type outcome struct {
		otherLoad
		err error
	}
	end, ended := make(chan struct{}), make(chan outcome)
	go func() {
		var found outcome
		began, used := time.Now(), time.Duration(0)
		before, err := processes()
		last := began
		tick := time.NewTicker(otherLoadInterval)
		defer tick.Stop()
		for done := false; !done && err == nil; {
			select {
			case <-end:
				done = true
			case <-tick.C:
			}
			var after map[int]process
			if after, err = processes(); err != nil {
				break
			}
			running, spent := otherProcesses(before, after, os.Getpid(), time.Since(last))
			found.Processes, used = max(found.Processes, running), used+spent
			before, last = after, time.Now()
		}
		found.err = err
		found.Cores = rounded(used.Seconds() / time.Since(began).Seconds())
		if err != nil {
			<-end
		}
		ended <- found
	}()
	return func() (otherLoad, error) {
		close(end)
		found := <-ended
		return found.otherLoad, found.err
	}
}
