package main

import (
	"os"
	"testing"
	"time"
)

func TestParseProcess(t *testing.T) {
	got, err := parseProcess("4711 (smile (a) b) S 12 4711 4711 0 -1 4194560 9000 0 3 0 250 75 0 0 20 0 12 0 100 1 2")
	if want := (process{12, 3250 * time.Millisecond}); err != nil || got != want {
		t.Errorf("it is %+v (%v)", got, err)
	}
	if got, err := parseProcess("4711 (smile) S"); err == nil {
		t.Errorf("a truncated line gives %+v", got)
	}
}

func TestOtherProcesses(t *testing.T) {
	const own = 100
	used := func(milliseconds int) time.Duration { return time.Duration(milliseconds) * time.Millisecond }
	before := map[int]process{
		1: {0, used(10)}, own: {50, used(100)}, 101: {own, used(0)}, 102: {101, used(0)},
		50: {1, used(0)}, 60: {1, used(1000)}, 70: {1, used(5)},
	}
	after := map[int]process{
		1: {0, used(10)}, own: {50, used(2000)}, 101: {own, used(1500)}, 102: {101, used(900)},
		50: {1, used(0)}, 60: {1, used(3000)}, 70: {1, used(55)},
		80: {60, used(300)}, // new
		90: {91, used(0)},   // whose parent is not seen
	}
	running, spent := otherProcesses(before, after, own, 2*time.Second)
	if running != 2 || spent != used(2000+50+300) {
		t.Errorf("%d ran, for %s", running, spent)
	}
}

func TestOtherLoadIsReadFromTheMachine(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc")
	}
	stop := watchOtherLoad()
	if found, err := stop(); err != nil || found.Cores < 0 {
		t.Errorf("%+v (%v)", found, err)
	}
	all, err := processes()
	if err != nil || !descends(all, os.Getpid(), os.Getppid()) {
		t.Errorf("of %d processes (%v) this one does not descend from its parent", len(all), err)
	}
}
