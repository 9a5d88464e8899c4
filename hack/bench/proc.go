package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// memory reads the present and the largest memory use of the operator, in MiB.
func (o *operator) memory() (now, most float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.PID()))
	if err != nil {
		return 0, 0, fmt.Errorf("memory is measured on Linux only: %w", err)
	}
	now, err = mebibytes(string(text), "VmRSS")
	if err != nil {
		return 0, 0, err
	}
	most, err = mebibytes(string(text), "VmHWM")
	return now, most, err
}

// mebibytes finds a line such as "VmRSS:   1024 kB".
func mebibytes(status, name string) (float64, error) {
	for line := range strings.Lines(status) {
		rest, found := strings.CutPrefix(line, name+":")
		if !found {
			continue
		}
		kibibytes, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
		return kibibytes / 1024, err
	}
	return 0, fmt.Errorf("no %s in the status of the process", name)
}

// ticksPerSecond is the unit of processor times in /proc, on every architecture.
const ticksPerSecond = 100

// busyShare of one core is more than watches and leases use.
const busyShare = 0.1

// spent is the processor time that a process had used at a given time.
type spent struct {
	at  time.Time
	cpu time.Duration
}

// spent reads the processor time that the operator has used so far.
func (o *operator) spent() (spent, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", o.PID()))
	if err != nil {
		return spent{}, fmt.Errorf("processor time is measured on Linux only: %w", err)
	}
	cpu, err := processorTime(string(text))
	return spent{time.Now(), cpu}, err
}

// processorTime is the sum of the 14th and 15th field. The second is the name of the program in parentheses, and may
// contain spaces.
func processorTime(stat string) (time.Duration, error) {
	const user, system = 14 - 3, 15 - 3
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) <= system {
		return 0, errors.New("too few fields in the status of the process")
	}
	sum := 0
	for _, field := range []string{fields[user], fields[system]} {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		sum += ticks
	}
	return time.Duration(sum) * time.Second / ticksPerSecond, nil
}

// calmAfter is how long after the start a process was last busy.
func calmAfter(started time.Time, samples []spent) time.Duration {
	calm, before := time.Duration(0), spent{at: started}
	for _, sample := range samples {
		if float64(sample.cpu-before.cpu) > busyShare*float64(sample.at.Sub(before.at)) {
			calm = sample.at.Sub(started)
		}
		before = sample
	}
	return calm
}
