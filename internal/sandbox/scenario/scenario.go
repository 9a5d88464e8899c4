package scenario

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/smile-operator/smile-operator/internal/sandbox/delivery"
	"github.com/smile-operator/smile-operator/internal/sandbox/server"
)

// Scenario is the content of a file.
type Scenario struct {
	// Name is the name in reports; default is that of the file.
	Name string `yaml:"name"`
	// Sandbox has values of flags of smile-sandbox, by name without dashes.
	Sandbox map[string]string `yaml:"sandbox"`
	// Steps are done in this order. The first one that fails ends the scenario.
	Steps []Step `yaml:"steps"`

	lines []int // of the steps
}

// Step does one thing: exactly one of the fields except Name is set.
type Step struct {
	// Name replaces the description in reports.
	Name string `yaml:"name"`

	User           *NewUser        `yaml:"user"`
	FindUser       *FindUser       `yaml:"findUser"`
	Webhook        *Webhook        `yaml:"webhook"`
	Link           *Link           `yaml:"link"`
	Disconnect     *Disconnect     `yaml:"disconnect"`
	Fail           *Failure        `yaml:"fail"`
	Resync         *Resync         `yaml:"resync"`
	Advance        *Advance        `yaml:"advance"`
	Faults         *Faults         `yaml:"faults"`
	DeliveryFaults *DeliveryFaults `yaml:"deliveryFaults"`
	Run            *Command        `yaml:"run"`
	Expect         *Expectation    `yaml:"expect"`
}

// NewUser creates a user, as the application's backend would.
type NewUser struct {
	// As is the name of the user in later steps.
	As string `yaml:"as"`
	// Metadata is the user's externalMetadata.
	Metadata map[string]string `yaml:"metadata"`
	// Key is the API key of the tenant; default is the sandbox's first.
	Key string `yaml:"key"`
}

// FindUser waits for a user that the application creates.
type FindUser struct {
	// As is the name of the user in later steps.
	As string `yaml:"as"`
	// Metadata are pairs that the user's externalMetadata contains. The newest user
	// that has them and no name yet is taken.
	Metadata map[string]string `yaml:"metadata"`
	// Key is the API key of the tenant; default is the sandbox's first.
	Key string `yaml:"key"`
	// Within is how long to wait, in real time; default 5s.
	Within Duration `yaml:"within"`
}

// Webhook registers a webhook, as the application's backend would.
type Webhook struct {
	Name   string   `yaml:"name"`
	URL    string   `yaml:"url"`
	Secret string   `yaml:"secret"`
	Events []string `yaml:"events"` // default ALL_EVENTS
	Key    string   `yaml:"key"`
}

// Link does what a person does in the widget.
type Link struct {
	AccountOf `yaml:",inline"`
	// Login is that of a test person.
	Login string `yaml:"login"`
	// Password and Code default to those of the test person.
	Password *string `yaml:"password"`
	Code     *string `yaml:"code"`
}

// AccountOf is an account of a user.
type AccountOf struct {
	User     string `yaml:"user"`
	Provider string `yaml:"provider"`
}

// Disconnect withdraws consent, as a person does at the provider.
type Disconnect struct {
	AccountOf `yaml:",inline"`
}

// Failure makes an account fail.
type Failure struct {
	AccountOf `yaml:",inline"`
	ErrorCode string `yaml:"errorCode"`
}

// Resync fetches the data of an account again.
type Resync struct {
	AccountOf `yaml:",inline"`
}

// Advance moves the sandbox clock forward.
type Advance struct{ Duration }

// Faults replaces all faults of calls.
type Faults []server.Fault

// DeliveryFaults replaces all faults of deliveries.
type DeliveryFaults []delivery.Fault

// Command is a program with its arguments. It must exit with 0.
type Command []string

// Expectation waits until the number of calls, deliveries or accounts fits. They are
// counted from the start of the scenario.
type Expectation struct {
	Calls      *Calls      `yaml:"calls"`
	Deliveries *Deliveries `yaml:"deliveries"`
	Accounts   *Accounts   `yaml:"accounts"`
	// Count is the exact number. AtLeast defaults to 1 if no number is given.
	Count   *int `yaml:"count"`
	AtLeast *int `yaml:"atLeast"`
	AtMost  *int `yaml:"atMost"`
	// Within is how long to wait, in real time; default 5s.
	Within Duration `yaml:"within"`
}

// Calls are calls to the Open API and the Link API. Fields that are not set match
// everything.
type Calls struct {
	Operation string `yaml:"operation"` // the vendor's operation id
	Method    string `yaml:"method"`
	Path      string `yaml:"path"`
	Status    int    `yaml:"status"` // that was sent; -1 is a call that was cut off
	User      string `yaml:"user"`
}

// Deliveries are events for webhooks. Fields that are not set match everything.
type Deliveries struct {
	Event    string         `yaml:"event"`
	State    delivery.State `yaml:"state"`
	User     string         `yaml:"user"`
	URL      string         `yaml:"url"`
	Status   int            `yaml:"status"`   // of the last attempt; -1 is one without a response
	Attempts int            `yaml:"attempts"` // how many there were
}

// Accounts are accounts of a user. Fields that are not set match everything.
type Accounts struct {
	User      string                  `yaml:"user"`
	Provider  string                  `yaml:"provider"`
	Status    server.ConnectionStatus `yaml:"status"`
	ErrorCode string                  `yaml:"errorCode"`
}

// Duration is written as 1h30m.
type Duration time.Duration

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *Duration) UnmarshalYAML(node *yaml.Node) error {
	read, err := time.ParseDuration(node.Value)
	if err != nil || read < 0 {
		return fmt.Errorf("want a duration such as 5s or 744h, not %q", node.Value)
	}
	*d = Duration(read)
	return nil
}

func (d Duration) String() string { return time.Duration(d).String() }

// patience is how long a step waits unless it says otherwise.
const patience = 5 * time.Second

func (d Duration) orPatience() time.Duration {
	if d == 0 {
		return patience
	}
	return time.Duration(d)
}
