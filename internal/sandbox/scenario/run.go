package scenario

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// action is what a step does.
type action interface {
	// name is that of the field.
	name() string
	// check finds what is wrong in the file.
	check(c *checker, at place)
	// do does it.
	do(ctx context.Context, r *Runner) error
	// String says what is done, for reports.
	String() string
}

// actionNames are the fields of a step besides name.
var actionNames = []string{
	"user", "findUser", "webhook", "link", "disconnect", "fail", "resync", "advance", "faults", "deliveryFaults", "run", "expect",
}

// actions are those of a step that the file gives.
func (s *Step) actions() []action {
	var given []action
	add := func(is bool, a action) {
		if is {
			given = append(given, a)
		}
	}
	add(s.User != nil, s.User)
	add(s.FindUser != nil, s.FindUser)
	add(s.Webhook != nil, s.Webhook)
	add(s.Link != nil, s.Link)
	add(s.Disconnect != nil, s.Disconnect)
	add(s.Fail != nil, s.Fail)
	add(s.Resync != nil, s.Resync)
	add(s.Advance != nil, s.Advance)
	add(s.Faults != nil, s.Faults)
	add(s.DeliveryFaults != nil, s.DeliveryFaults)
	add(s.Run != nil, s.Run)
	add(s.Expect != nil, s.Expect)
	return given
}

// Runner does the steps of scenarios.
type Runner struct {
	Sandbox *server.Sandbox
	// Environment is that of programs.
	Environment []string
	// Output gets the output of programs.
	Output io.Writer
	// Done is called after each step.
	Done func(Result)

	users map[string]string // ids by name
}

// stopGrace is how long a program may take to stop after SIGTERM.
const stopGrace = 10 * time.Second

// Program prepares a program: it gets SIGTERM when the context ends, and is killed
// 10 s later.
func (r *Runner) Program(ctx context.Context, arguments []string) *exec.Cmd {
	program := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	program.Env, program.Stdout, program.Stderr = r.Environment, r.Output, r.Output
	program.Cancel = func() error { return program.Process.Signal(syscall.SIGTERM) }
	program.WaitDelay = stopGrace
	return program
}

// Run does the steps until one fails. Steps after that are skipped.
func (r *Runner) Run(ctx context.Context, s *Scenario) Report {
	r.users = map[string]string{}
	report := Report{Name: s.Name}
	for i := range s.Steps {
		step := &s.Steps[i]
		does := step.actions()[0]
		result := Result{Step: cmp.Or(step.Name, does.String()), Number: i + 1, Line: s.lines[i]}
		if report.Failed() {
			result.Skipped = true
		} else {
			began := time.Now()
			result.Err = does.do(ctx, r)
			result.Took = time.Since(began)
		}
		report.Results = append(report.Results, result)
		r.Done(result)
	}
	return report
}

// poll is how often the runner looks at the sandbox while it waits.
const poll = 20 * time.Millisecond

// wait waits until ready, for as long as within, in real time. It reports whether it
// was ready. The error is the cause of the end of the context.
func wait(ctx context.Context, within time.Duration, ready func() bool) (bool, error) {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !ready() {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-deadline.C:
			return ready(), nil
		case <-tick.C:
		}
	}
	return true, nil
}

func (u *NewUser) name() string   { return "user" }
func (u *NewUser) String() string { return "create user " + u.As }

func (u *NewUser) do(_ context.Context, r *Runner) error {
	made, err := r.Sandbox.NewUser(server.NewUserRequest{Key: u.Key, ExternalMetadata: u.Metadata})
	if err == nil {
		r.users[u.As] = made.User.ID
	}
	return err
}

func (u *FindUser) name() string   { return "findUser" }
func (u *FindUser) String() string { return "find user " + u.As + about(pairs(u.Metadata)...) }

func (u *FindUser) do(ctx context.Context, r *Runner) error {
	key := cmp.Or(u.Key, r.Sandbox.DefaultKey())
	found, err := wait(ctx, u.Within.orPatience(), func() bool {
		all, err := r.Sandbox.Users(key)
		if err != nil {
			return false
		}
		for _, one := range slices.Backward(all) {
			if contains(one.ExternalMetadata, u.Metadata) && !slices.Contains(slices.Collect(maps.Values(r.users)), one.ID) {
				r.users[u.As] = one.ID
				return true
			}
		}
		return false
	})
	if err != nil || found {
		return err
	}
	all, err := r.Sandbox.Users(key)
	if err != nil {
		return err
	}
	return fmt.Errorf("there is no such user after %s; there are %d users", u.Within.orPatience(), len(all))
}

func contains(all, some map[string]string) bool {
	for key, value := range some {
		if all[key] != value {
			return false
		}
	}
	return true
}

func (w *Webhook) name() string   { return "webhook" }
func (w *Webhook) String() string { return "register webhook " + w.URL }

func (w *Webhook) do(_ context.Context, r *Runner) error {
	events := w.Events
	if len(events) == 0 {
		events = []string{delivery.AllEvents}
	}
	return r.Sandbox.NewWebhook(w.Key, server.WebhookRequest{
		Name: cmp.Or(w.Name, "scenario"), URL: w.URL, EventTypes: events, Active: true, Secret: w.Secret,
	})
}

func (l *Link) name() string { return "link" }

func (l *Link) String() string {
	return fmt.Sprintf("link %s at %s as %s", l.User, l.Provider, l.Login)
}

func (l *Link) do(_ context.Context, r *Runner) error {
	request := server.LinkRequest{UserID: r.users[l.User], ProviderID: l.Provider, Login: l.Login}
	if who := testPerson(l.Login); who != nil {
		request.Password, request.MFA = who.Password, who.MFA
	}
	if l.Password != nil {
		request.Password = *l.Password
	}
	if l.Code != nil {
		request.MFA = *l.Code
	}
	_, err := r.Sandbox.Link(request)
	return err
}

// accounts are those of a user.
func (r *Runner) accounts(user string) ([]server.Account, error) {
	shown, err := r.Sandbox.InspectUser(r.users[user])
	return shown.Accounts, err
}

// change changes the newest account of the user at the provider.
func (a *AccountOf) change(r *Runner, how func(id string) (server.Account, error)) error {
	all, err := r.accounts(a.User)
	if err != nil {
		return err
	}
	for _, account := range slices.Backward(all) {
		if account.ProviderID == a.Provider {
			_, err := how(account.ID)
			return err
		}
	}
	return fmt.Errorf("user %s has no account at %s", a.User, a.Provider)
}

func (a *AccountOf) String() string { return a.User + " at " + a.Provider }

func (d *Disconnect) name() string   { return "disconnect" }
func (d *Disconnect) String() string { return "disconnect " + d.AccountOf.String() }

func (d *Disconnect) do(_ context.Context, r *Runner) error { return d.change(r, r.Sandbox.Disconnect) }

func (f *Failure) name() string   { return "fail" }
func (f *Failure) String() string { return "fail " + f.AccountOf.String() + ": " + f.ErrorCode }

func (f *Failure) do(_ context.Context, r *Runner) error {
	return f.change(r, func(id string) (server.Account, error) { return r.Sandbox.Fail(id, f.ErrorCode) })
}

func (s *Resync) name() string   { return "resync" }
func (s *Resync) String() string { return "resync " + s.AccountOf.String() }

func (s *Resync) do(_ context.Context, r *Runner) error { return s.change(r, r.Sandbox.Resync) }

func (a *Advance) name() string   { return "advance" }
func (a *Advance) String() string { return "advance the clock by " + a.Duration.String() }

func (a *Advance) do(_ context.Context, r *Runner) error {
	return r.Sandbox.Advance(time.Duration(a.Duration))
}

func (f *Faults) name() string   { return "faults" }
func (f *Faults) String() string { return fmt.Sprintf("set %d faults of calls", len(*f)) }

func (f *Faults) do(_ context.Context, r *Runner) error { return r.Sandbox.SetFaults(*f) }

func (f *DeliveryFaults) name() string   { return "deliveryFaults" }
func (f *DeliveryFaults) String() string { return fmt.Sprintf("set %d faults of deliveries", len(*f)) }

func (f *DeliveryFaults) do(_ context.Context, r *Runner) error {
	return r.Sandbox.SetDeliveryFaults(*f)
}

func (r *Command) name() string   { return "run" }
func (r *Command) String() string { return "run " + strings.Join(*r, " ") }

func (r *Command) do(ctx context.Context, runner *Runner) error {
	err := runner.Program(ctx, *r).Run()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
