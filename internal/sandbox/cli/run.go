package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/smile-operator/smile-operator/internal/sandbox/scenario"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// Exit codes of the run command.
const (
	exitFailed = 1 // a step failed
	exitWrong  = 2 // the scenario or the command line is wrong, or the sandbox does not start
)

// runSettings are the values of the flags of the run command.
type runSettings struct {
	settings
	junit   string
	timeout time.Duration
}

func newRunCommand() *cobra.Command {
	var set runSettings
	command := &cobra.Command{
		Use:   "run SCENARIO.yaml [flags] [-- PROGRAM ARGUMENT...]",
		Short: "Run a scenario: what people do, and what your application is expected to do",
		Long: `run starts a sandbox, does the steps of a scenario, prints a line for each, and
stops. docs/sandbox-tests.md describes the format.

PROGRAM is your application. It is started when the sandbox serves, and gets
SIGTERM after the last step. If it fails before that, the scenario fails. Its
environment has SMILE_SANDBOX_URL, SMILE_BASE_URL (the same with /v1),
SMILE_API_KEY and SMILE_API_SECRET.

The exit code is 0 if all steps succeeded, 1 if one failed, and 2 if the scenario
or the command line is wrong. Flags override those of the scenario.`,
		RunE: set.exec,
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return failure{err, exitWrong} })
	command.Flags().StringVar(&set.junit, "junit", "", "file to write the result to, as JUnit XML")
	command.Flags().DurationVar(&set.timeout, "timeout", 10*time.Minute, "how long the scenario may take, in real time")
	set.register(command.Flags())
	return command
}

func (s *runSettings) exec(command *cobra.Command, args []string) error {
	if files := command.ArgsLenAtDash(); files != 1 && (files >= 0 || len(args) != 1) {
		return failure{errors.New("want one scenario: smile-sandbox run SCENARIO.yaml [-- PROGRAM ARGUMENT...]"), exitWrong}
	}
	program := args[1:]
	text, err := os.ReadFile(args[0])
	if err != nil {
		return failure{err, exitWrong}
	}
	steps, err := scenario.Read(args[0], text, flagsOf(command.Flags()))
	if err != nil {
		return failure{err, exitWrong}
	}
	ctx, cancel := context.WithTimeoutCause(command.Context(), s.timeout,
		fmt.Errorf("the scenario has taken longer than %s (--timeout)", s.timeout))
	defer cancel()
	var report *scenario.Report
	out := command.OutOrStdout()
	err = serveWhile(ctx, s.settings, out, func(ctx context.Context, box *server.Sandbox, url string) {
		runner := &scenario.Runner{
			Sandbox: box, Environment: s.environment(url), Output: command.ErrOrStderr(),
			Done: func(result scenario.Result) { fmt.Fprintln(out, result) },
		}
		made := drive(ctx, runner, steps, program)
		report = &made
	})
	switch {
	case err != nil:
		return failure{err, exitWrong}
	case report == nil:
		return failure{errors.New("interrupted"), exitFailed}
	}
	return s.conclude(report)
}

// flagsOf returns a function that sets a flag, unless the command line has set it.
func flagsOf(flags *pflag.FlagSet) func(name, value string) error {
	given := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	return func(name, value string) error {
		switch {
		case flags.Lookup(name) == nil || name == "junit" || name == "timeout":
			return errors.New("is not a flag of smile-sandbox; smile-sandbox --help lists them")
		case given[name]:
			return nil
		}
		return flags.Set(name, value)
	}
}

// environment is that of programs.
func (s *runSettings) environment(url string) []string {
	keys, _ := server.ParseKeys(s.keys) // serving has read them
	return append(os.Environ(), "SMILE_SANDBOX_URL="+url, "SMILE_BASE_URL="+url+"/v1",
		"SMILE_API_KEY="+keys[0].Key, "SMILE_API_SECRET="+keys[0].Secret)
}

// drive starts the program and does the steps.
func drive(ctx context.Context, runner *scenario.Runner, steps *scenario.Scenario, program []string) scenario.Report {
	if len(program) == 0 {
		return runner.Run(ctx, steps)
	}
	failing, fail := context.WithCancelCause(ctx)
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := runner.Program(running, program).Run(); err != nil && running.Err() == nil {
			fail(fmt.Errorf("the program %s has failed: %w", program[0], err))
		}
	}()
	report := runner.Run(failing, steps)
	stop()
	<-ended
	fail(nil)
	return report
}

// conclude writes the report and returns an error if a step failed.
func (s *runSettings) conclude(report *scenario.Report) error {
	if s.junit != "" {
		file, err := os.Create(s.junit)
		if err != nil {
			return failure{err, exitWrong}
		}
		if err := errors.Join(report.WriteJUnit(file), file.Close()); err != nil {
			return failure{err, exitWrong}
		}
	}
	if report.Failed() {
		return failure{errors.New("the scenario has failed"), exitFailed}
	}
	return nil
}
