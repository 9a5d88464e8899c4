package sandbox

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Quirk is a point that the vendor's documents leave open and a client must
// survive either way. Values lists what it can be set to, the default first.
type Quirk struct {
	Name, Values, Doc string

	field func(*behaviour) any // a *time.Duration or a *string
}

// behaviour is what the quirks decide.
type behaviour struct {
	listLag        time.Duration
	revokedAccount string
	badCredentials string
	noMetadata     string
	retryAfter     time.Duration
	eventID        string
	signature      string
	webhookSecret  string
	noPayload      string
	datapointsKey  string
	taskFinished   string
	failedStatus   string
	insightName    string
	repeatDelete   string
	dateZone       string
	dataSync       string
	expiredAccount string
	monitoredData  string
	createdCode    string
	newToken       string
	future         string
	// shapes rewrite what is sent.
	shapes []shape
}

const duration = "DURATION"

var quirks = []Quirk{
	{"list-lag", duration, "a new user appears in GET /users only after that time on the sandbox clock", func(b *behaviour) any { return &b.listLag }},
	{"revoked-account", "disconnected|404", "what GET answers for an account that was revoked", func(b *behaviour) any { return &b.revokedAccount }},
	{"bad-credentials", "400|401", "status for a wrong key pair", func(b *behaviour) any { return &b.badCredentials }},
	{"no-metadata", "object|null", "externalMetadata of a user who has none", func(b *behaviour) any { return &b.noMetadata }},
	{"event-id", "shared|per-webhook|per-attempt", "whether an event has the same id at every webhook and in every attempt", func(b *behaviour) any { return &b.eventID }},
	{"signature", "lower|upper|prefixed", "how Smile-Signature is written; prefixed puts sha512= in front", func(b *behaviour) any { return &b.signature }},
	{"webhook-secret", "echoed|hidden", "whether answers about webhooks hold the secret", func(b *behaviour) any { return &b.webhookSecret }},
	{"no-payload", "null|absent|object", "the payload of an event whose webhook does not want it", func(b *behaviour) any { return &b.noPayload }},
	{"datapoints-key", "datapoints|dataPoints|both", "how ACCOUNT_SYNC_TASK_FINISHED spells it", func(b *behaviour) any { return &b.datapointsKey }},
	{"task-finished", "full|short", "short leaves out taskType, status and errorCode", func(b *behaviour) any { return &b.taskFinished }},
	{"failed-status", "FAILED|FAILURE", "status of a failed task in events", func(b *behaviour) any { return &b.failedStatus }},
	{"insight-name", "INSIGHTS|INSIGHT", "what tasks and their events call that data point", func(b *behaviour) any { return &b.insightName }},
	{"repeat-delete", "404|200", "what deleting answers that was done before", func(b *behaviour) any { return &b.repeatDelete }},
	{"date-zone", "utc|manila", "the zone whose days startDate and endDate of users, accounts, tasks and archives mean", func(b *behaviour) any { return &b.dateZone }},
	{"data-sync", "monthly|off", "whether data of monitored accounts is fetched again every month", func(b *behaviour) any { return &b.dataSync }},
	{"expired-account", "disconnected|silent|connected", "an account whose data has expired; silent is disconnected without an event", func(b *behaviour) any { return &b.expiredAccount }},
	{"monitored-data", "kept|expires", "whether the data of monitored accounts lives as long as it is synchronised", func(b *behaviour) any { return &b.monitoredData }},
	{"created-code", "OK|CREATED", "code of answers with status 201", func(b *behaviour) any { return &b.createdCode }},
	{"new-token", "keeps|voids", "whether a link token ends the user's former ones", func(b *behaviour) any { return &b.newToken }},
	{"nulls", "sent|absent", "whether fields without a value are there", shaped},
	{"last-cursor", "null|empty|absent", "nextCursor of the last page", shaped},
	{"user-providers", "ids|empty|absent", "providers of users, which are deprecated", shaped},
	{"item-created-at", "sent|absent", "itemCreatedAt of items and tasks", shaped},
	{"eincome-amount", "both|amount|base", "which of amount and baseAmount estimated incomes have", shaped},
	{"extra-fields", "off|on", "objects have a field that nobody has heard of", shaped},
	{"unknown-enums", "off|on", "enumerations have values that nobody has heard of", shaped},
	{"future", "off|on", "objects, enumerations and lists that repeat a request hold one thing more than is documented", func(b *behaviour) any { return &b.future }},
	{"retry-after", duration, "sent as Retry-After with every 429 and 503", func(b *behaviour) any { return &b.retryAfter }},
}

// shaped is the field of quirks that are found in reshapes.
func shaped(*behaviour) any { return new(string) }

// Quirks lists every switch there is.
func Quirks() []Quirk { return slices.Clone(quirks) }

// ParseQuirks reads name=value,name=value. Whether name and value exist is
// checked by New.
func ParseQuirks(text string) (map[string]string, error) {
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

// QuirksVariable names the variable of the environment by which a whole test suite runs against other quirks.
const QuirksVariable = "SMILE_SANDBOX_QUIRKS"

// QuirksFromEnvironment are the quirks that the environment asks for, with those of a test on top.
func QuirksFromEnvironment(chosen map[string]string) (map[string]string, error) {
	all, err := ParseQuirks(os.Getenv(QuirksVariable))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", QuirksVariable, err)
	}
	maps.Copy(all, chosen)
	return all, nil
}

func newBehaviour(chosen map[string]string) (behaviour, error) {
	var b behaviour
	for _, q := range quirks {
		value, given := chosen[q.Name]
		if err := q.set(&b, value, given); err != nil {
			return behaviour{}, err
		}
		if change, found := reshapes[q.Name][value]; found {
			b.shapes = append(b.shapes, change)
		}
	}
	for name := range chosen {
		if !slices.ContainsFunc(quirks, func(q Quirk) bool { return q.Name == name }) {
			return behaviour{}, fmt.Errorf("quirk %q does not exist: want one of %s", name, quirkNames())
		}
	}
	return b, nil
}

func (q Quirk) set(b *behaviour, value string, given bool) error {
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
	names := make([]string, len(quirks))
	for i, q := range quirks {
		names[i] = q.Name
	}
	return strings.Join(names, ", ")
}

// names is data points as tasks and their events name them.
func (b *behaviour) names(datapoints []string) []string {
	named := append([]string{}, datapoints...)
	if i := slices.Index(named, "INSIGHTS"); i >= 0 {
		named[i] = b.insightName
	}
	return named
}

// spellDatapoints adds the data points under the name that the quirk gives them.
func (b *behaviour) spellDatapoints(told details, names []string) details {
	if b.datapointsKey != "dataPoints" {
		told["datapoints"] = names
	}
	if b.datapointsKey != "datapoints" {
		told["dataPoints"] = names
	}
	return told
}

// zone is the distance from UTC of the days that filters mean.
func (b *behaviour) zone() time.Duration {
	if b.dateZone == "manila" {
		return 8 * time.Hour
	}
	return 0
}

// writeSignature is the signature as the header has it.
func (b *behaviour) writeSignature(signature string) string {
	switch b.signature {
	case "upper":
		return strings.ToUpper(signature)
	case "prefixed":
		return "sha512=" + signature
	default:
		return signature
	}
}
