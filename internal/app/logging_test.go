package app

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

func TestBodiesAreNotLogged(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]int{"": 0, "info": 0, "debug": 1, "5": 5, "7": 7, "8": 7, "10": 7, "100": 7} {
		var options Options
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		options.Bind(flags)
		var args []string
		if level != "" {
			args = []string{"--zap-log-level=" + level}
		}
		if err := flags.Parse(args); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		options.Log.DestWriter = &log
		capped := withoutBodies(options.Log)
		logger := zap.New(zap.UseFlagOptions(&capped))
		for v := range 12 {
			logger.V(v).Info("a line")
		}
		if got := strings.Count(log.String(), "a line") - 1; got != want {
			t.Errorf("--zap-log-level=%s logs up to verbosity %d, want %d", level, got, want)
		}
	}
}
