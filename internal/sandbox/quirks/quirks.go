// Package quirks is the points that the vendor's documents leave open: switches,
// and how they change what the sandbox sends.
package quirks

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Quirk is a switch for a point that the vendor's documents leave open. A client
// must work with every value. Values lists the values, the default first.
type Quirk struct {
	Name, Values, Doc string

	field func(*Behavior) any // a *time.Duration or a *string
}

// Behavior is what the quirks decide.
type Behavior struct {
	ListLag        time.Duration
	RevokedAccount string
	BadCredentials string
	NoMetadata     string
	RetryAfter     time.Duration
	EventID        string
	signature      string
	WebhookSecret  string
	NoPayload      string
	datapointsKey  string
	TaskFinished   string
	FailedStatus   string
	InsightName    string
	RepeatDelete   string
	dateZone       string
	DataSync       string
	ExpiredAccount string
	MonitoredData  string
	CreatedCode    string
	NewToken       string
	wrongCode      string
	future         string
	// shapes rewrite what is sent.
	shapes []shape
}

const duration = "DURATION"

var all = []Quirk{
	{
		"list-lag", duration, "a new user appears in GET /users only after this time on the sandbox clock",
		func(b *Behavior) any { return &b.ListLag },
	},
	{
		"revoked-account", "disconnected|404", "what GET returns for a revoked account",
		func(b *Behavior) any { return &b.RevokedAccount },
	},
	{"bad-credentials", "400|401", "status for a wrong key pair", func(b *Behavior) any { return &b.BadCredentials }},
	{"no-metadata", "object|null", "externalMetadata of a user without metadata", func(b *Behavior) any { return &b.NoMetadata }},
	{
		"event-id", "shared|per-webhook|per-attempt", "whether an event has the same id at every webhook and in every attempt",
		func(b *Behavior) any { return &b.EventID },
	},
	{
		"signature", "lower|upper|prefixed", "how Smile-Signature is written; prefixed adds sha512= in front",
		func(b *Behavior) any { return &b.signature },
	},
	{
		"webhook-secret", "echoed|hidden", "whether responses about webhooks contain the secret",
		func(b *Behavior) any { return &b.WebhookSecret },
	},
	{
		"no-payload", "null|absent|object", "the payload of an event for a webhook without includePayload",
		func(b *Behavior) any { return &b.NoPayload },
	},
	{
		"datapoints-key", "datapoints|dataPoints|both", "spelling of the key in ACCOUNT_SYNC_TASK_FINISHED",
		func(b *Behavior) any { return &b.datapointsKey },
	},
	{"task-finished", "full|short", "short omits taskType, status and errorCode", func(b *Behavior) any { return &b.TaskFinished }},
	{"failed-status", "FAILED|FAILURE", "status of a failed task in events", func(b *Behavior) any { return &b.FailedStatus }},
	{
		"insight-name", "INSIGHTS|INSIGHT", "name of that data point in tasks and their events",
		func(b *Behavior) any { return &b.InsightName },
	},
	{"repeat-delete", "404|200", "status of a repeated deletion", func(b *Behavior) any { return &b.RepeatDelete }},
	{
		"date-zone", "utc|manila", "time zone of startDate and endDate of users, accounts, tasks and archives",
		func(b *Behavior) any { return &b.dateZone },
	},
	{
		"data-sync", "monthly|off", "whether data of monitored accounts is fetched again every month",
		func(b *Behavior) any { return &b.DataSync },
	},
	{
		"expired-account", "disconnected|silent|connected",
		"state of an account whose data has expired; silent is disconnected without an event",
		func(b *Behavior) any { return &b.ExpiredAccount },
	},
	{
		"monitored-data", "kept|expires", "whether the data of monitored accounts is kept as long as it is synchronized",
		func(b *Behavior) any { return &b.MonitoredData },
	},
	{"created-code", "OK|CREATED", "code of responses with status 201", func(b *Behavior) any { return &b.CreatedCode }},
	{
		"new-token", "keeps|voids", "whether a new link token invalidates the user's former ones",
		func(b *Behavior) any { return &b.NewToken },
	},
	{
		"wrong-code", "fails|retry", "whether a wrong one-time code ends the login, or leaves two more tries",
		func(b *Behavior) any { return &b.wrongCode },
	},
	{"nulls", "sent|absent", "whether fields without a value are sent", shaped},
	{"last-cursor", "null|empty|absent", "nextCursor of the last page", shaped},
	{"user-providers", "ids|empty|absent", "providers of users, which are deprecated", shaped},
	{"item-created-at", "sent|absent", "itemCreatedAt of items and tasks", shaped},
	{"eincome-amount", "both|amount|base", "which of amount and baseAmount estimated incomes have", shaped},
	{"extra-fields", "off|on", "objects have an undocumented field", shaped},
	{"unknown-enums", "off|on", "enumerations have undocumented values", shaped},
	{
		"future", "off|on", "objects, enumerations and lists that repeat a request have one undocumented element",
		func(b *Behavior) any { return &b.future },
	},
	{"retry-after", duration, "sent as Retry-After with every 429 and 503", func(b *Behavior) any { return &b.RetryAfter }},
}

// shaped is the field of quirks that reshapes implements.
func shaped(*Behavior) any { return new(string) }

// All lists every quirk.
func All() []Quirk { return slices.Clone(all) }

// Setting is a quirk and its value.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Values string `json:"values"`
	Doc    string `json:"doc"`
	// Set reports whether the value is another than the default.
	Set bool `json:"set"`
}

// Settings lists every quirk with its value.
func Settings(chosen map[string]string) []Setting {
	listed := make([]Setting, 0, len(all))
	for _, q := range all {
		usual, _, _ := strings.Cut(q.Values, "|")
		if q.Values == duration {
			usual = "0s"
		}
		value, given := chosen[q.Name]
		if !given {
			value = usual
		}
		listed = append(listed, Setting{q.Name, value, q.Values, q.Doc, value != usual})
	}
	return listed
}

// Parse reads name=value,name=value. NewBehavior checks names and values.
func Parse(text string) (map[string]string, error) {
	chosen := map[string]string{}
	for entry := range strings.SplitSeq(text, ",") {
		if entry == "" {
			continue
		}
		name, value, found := strings.Cut(entry, "=")
		if _, twice := chosen[name]; !found || twice {
			return nil, fmt.Errorf("quirk %q: want each once, as name=value", entry)
		}
		chosen[name] = value
	}
	return chosen, nil
}

// Variable is the environment variable that sets quirks for a whole test suite.
const Variable = "SMILE_SANDBOX_QUIRKS"

// FromEnvironment returns the quirks of the environment variable, overridden by
// chosen.
func FromEnvironment(chosen map[string]string) (map[string]string, error) {
	all, err := Parse(os.Getenv(Variable))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Variable, err)
	}
	maps.Copy(all, chosen)
	return all, nil
}

// NewBehavior applies quirks by name. The others have their defaults.
func NewBehavior(chosen map[string]string) (Behavior, error) {
	var b Behavior
	for _, q := range all {
		value, given := chosen[q.Name]
		if err := q.set(&b, value, given); err != nil {
			return Behavior{}, err
		}
		if change, found := reshapes[q.Name][value]; found {
			b.shapes = append(b.shapes, change)
		}
	}
	for name := range chosen {
		if !slices.ContainsFunc(all, func(q Quirk) bool { return q.Name == name }) {
			return Behavior{}, fmt.Errorf("quirk %q does not exist: want one of %s", name, quirkNames())
		}
	}
	return b, nil
}

func (q Quirk) set(b *Behavior, value string, given bool) error {
	switch field := q.field(b).(type) {
	case *time.Duration:
		if !given {
			return nil
		}
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return fmt.Errorf("quirk %s=%s: want a duration such as 30s", q.Name, value)
		}
		*field = d
	case *string:
		allowed := strings.Split(q.Values, "|")
		if !given {
			value = allowed[0]
		}
		if !slices.Contains(allowed, value) {
			return fmt.Errorf("quirk %s=%s: want one of %s", q.Name, value, strings.Join(allowed, ", "))
		}
		*field = value
	}
	return nil
}

func quirkNames() string {
	names := make([]string, len(all))
	for i, q := range all {
		names[i] = q.Name
	}
	return strings.Join(names, ", ")
}

// Names returns data points as tasks and their events name them.
func (b *Behavior) Names(datapoints []string) []string {
	named := append([]string{}, datapoints...)
	if i := slices.Index(named, "INSIGHTS"); i >= 0 {
		named[i] = b.InsightName
	}
	return named
}

// SpellDatapoints adds data points to an event under the name that the quirk
// selects.
func (b *Behavior) SpellDatapoints(data map[string]any, names []string) map[string]any {
	if b.datapointsKey != "dataPoints" {
		data["datapoints"] = names
	}
	if b.datapointsKey != "datapoints" {
		data["dataPoints"] = names
	}
	return data
}

// CodeTries is how many one-time codes a person may enter in one login.
func (b *Behavior) CodeTries() int {
	if b.wrongCode == "retry" {
		return 3
	}
	return 1
}

// Zone is the offset from UTC of the days that filters mean.
func (b *Behavior) Zone() time.Duration {
	if b.dateZone == "manila" {
		return 8 * time.Hour
	}
	return 0
}

// WriteSignature returns the signature as the header has it.
func (b *Behavior) WriteSignature(signature string) string {
	switch b.signature {
	case "upper":
		return strings.ToUpper(signature)
	case "prefixed":
		return "sha512=" + signature
	default:
		return signature
	}
}
