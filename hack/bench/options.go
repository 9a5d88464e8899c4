package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smile-operator/smile-operator/internal/outputcheck"
)

const (
	defaultUsers = 1_000
	fullUsers    = 10_000
	mostUsers    = 20_000
)

// options select what is measured.
type options struct {
	users int
	// outputInterval is the operator's --output-check-interval in the scenario that measures it.
	outputInterval time.Duration
	only           []string // names of scenarios; all when empty
	base           string   // a commit to compare with; none when empty
}

// parseOptions reads the environment.
func parseOptions(getenv func(string) string) (options, error) {
	o := options{users: defaultUsers, outputInterval: outputcheck.DefaultInterval, base: getenv("BENCH_BASE")}
	switch how := getenv("BENCH"); how {
	case "":
	case "full":
		o.users = fullUsers
	default:
		return o, fmt.Errorf("BENCH is %q: must be full, or unset", how)
	}
	if text := getenv("BENCH_USERS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostUsers {
			return o, fmt.Errorf("BENCH_USERS is %q: must be a number from 1 to %d", text, mostUsers)
		}
		o.users = n
	}
	if text := getenv("BENCH_OUTPUT_INTERVAL"); text != "" {
		interval, err := time.ParseDuration(text)
		if err != nil || interval < time.Second {
			return o, fmt.Errorf("BENCH_OUTPUT_INTERVAL is %q: must be a duration of at least 1s, for example 30s", text)
		}
		o.outputInterval = interval
	}
	return o, o.choose(getenv("BENCH_ONLY"))
}

// choose selects the scenarios by their names.
func (o *options) choose(only string) error {
	for name := range strings.SplitSeq(only, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if !slices.ContainsFunc(scenarios, func(s scenario) bool { return s.name == name }) {
			return fmt.Errorf("BENCH_ONLY names %q, which is none of %s", name, strings.Join(scenarioNames(), ", "))
		}
		o.only = append(o.only, name)
	}
	return nil
}

func (o options) wanted(name string) bool { return len(o.only) == 0 || slices.Contains(o.only, name) }
